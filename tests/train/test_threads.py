"""`fit(threads=...)`."""

import pytest

import twingrad as tg
from twingrad.kernels import cpu
from twingrad.train import Callback, Interrupted

from killing import files

needs_kernels = pytest.mark.skipif(not cpu.available(), reason="no compiled kernels")


def fit(model, data, **options):
    return tg.fit(model, data, **{"epochs": 2, "batch_size": 16, "device": "cpu"} | options)


class Threads(Callback):
    """How many threads there are at each step; stops the run after `cut` updates."""

    def __init__(self, cut=None):
        self.seen, self.cut = set(), cut

    def on_step(self, run):
        self.seen.add(cpu.threads())
        if run.step == self.cut:
            raise KeyboardInterrupt


@needs_kernels
def test_the_run_has_so_many_threads_and_the_process_its_own_again(data, make_model):
    before = cpu.threads()
    for count in (1, 3):
        threads = Threads()
        fit(make_model(), data, threads=count, callbacks=[threads])
        assert (threads.seen, cpu.threads()) == ({count}, before)
    threads = Threads(cut=2)
    with pytest.raises(Interrupted):
        fit(make_model(), data, threads=3, callbacks=[threads])
    assert (threads.seen, cpu.threads()) == ({3}, before)


@needs_kernels
def test_every_file_is_the_same_whatever_the_threads_also_when_a_run_goes_on_with_others(data, make_model, tmp_path):
    fit(make_model(), data, out=tmp_path / "one", threads=1)
    fit(make_model(), data, out=tmp_path / "three", threads=3)
    with pytest.raises(Interrupted):
        fit(make_model(), data, out=tmp_path / "cut", threads=1, checkpoint_every=1, callbacks=[Threads(cut=5)])
    fit(make_model(), data, resume=tmp_path / "cut", threads=2)
    assert files(tmp_path / "one") == files(tmp_path / "three") == files(tmp_path / "cut")


@pytest.mark.parametrize(
    ("threads", "error", "told"),
    [
        (0, ValueError, "fit: threads must be at least 1; got 0"),
        (257, ValueError, "fit: threads must be at least 1 and at most 256; got 257"),
        (2.0, TypeError, "fit: threads must be an int; got 2.0"),
        (True, TypeError, "fit: threads must be an int; got True"),
    ],
)
def test_other_numbers_are_refused(data, make_model, threads, error, told):
    with pytest.raises(error) as caught:
        fit(make_model(), data, threads=threads)
    assert str(caught.value) == told
