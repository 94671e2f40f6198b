"""Runs that were cut short and resumed by `fit`, and checkpoints that must not be gone on with."""

import errno
import os
import re

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.optim.schedules import Cosine, Function, InverseTime, Warmup
from twingrad.train import Callback, Checkpoint, EarlyStopping, History, Interrupted, RunFolder, SaveError
from twingrad.train.checkpoint import LAST, differences
from twingrad.train.interval import Interval
from twingrad.train.sealed import seal

from killing import CutAt, files


def rate_of(step):
    """A learning rate that falls with the steps."""
    return 0.01 / (1 + step)


WARM = {
    "each epoch": {},
    "every 7 updates": {"evaluate_every": 7},
    "accumulating": {"accumulate": 4},
    "losses of the steps": {"train_loss": "steps"},
    "losses of the steps, every 7 updates": {"train_loss": "steps", "evaluate_every": 7, "accumulate": 2},
    "scheduled by epoch": {"optimizer": lambda: optim.SGD(lr=InverseTime(0.1, decay=1.0), momentum=0.9)},
    "scheduled by step": {
        "optimizer": lambda: optim.RMSprop(lr=Warmup(Cosine(0.01, length=27), steps=5), momentum=0.5)
    },
    "scheduled by a function": {"optimizer": lambda: optim.Adam(lr=rate_of)},
    "scheduled by a function of the epoch": {"optimizer": lambda: optim.Adam(lr=Warmup(Function(rate_of), steps=3))},
    "clipped": {"optimizer": lambda: optim.SGD(lr=0.1, clip_norm=0.5, l1=1e-3, weight_decay=1e-3)},
    "weighted": {"class_weight": np.arange(1.0, 11.0), "example_weight": np.linspace(0.5, 2.0, 144)},
    "streamed": {"prefetch": 2},
    "eager": {"capture": "never"},
    "last kept": {"keep": "last"},
    "sgd": {"optimizer": lambda: optim.SGD(lr=0.1)},
    "averaged": {"optimizer": lambda: optim.Adam(lr=5e-3, ema=0.9, loss_scale=64.0)},
    "averaged, last kept": {"optimizer": lambda: optim.SGD(lr=0.1, ema=0.9), "keep": "last"},
    "adamw": {"optimizer": lambda: optim.AdamW(lr=5e-3)},
    "stopping early": {"callbacks": lambda: [EarlyStopping(1)], "epochs": 12},
}


def fit(model, data, **options):
    options = {"epochs": 3, "batch_size": 16, "device": "cpu", "optimizer": lambda: optim.Adam(lr=5e-3)} | options
    for name in ("optimizer", "callbacks"):
        if callable(options.get(name)) and not isinstance(options[name], optim.Optimizer):
            options[name] = options[name]()
    return tg.fit(model, data, **options)


def cut(model, data, step, **options):
    callbacks = options.pop("callbacks", list)
    with pytest.raises(Interrupted):
        fit(model, data, callbacks=[CutAt(step), *callbacks()], **options)


@pytest.mark.parametrize("options", WARM.values(), ids=WARM)
@pytest.mark.parametrize("step", [1, 4])
def test_a_run_that_was_cut_short_ends_in_the_same_bytes(data, make_model, tmp_path, options, step):
    fit(make_model(), data, out=tmp_path / "whole", **options)
    cut(make_model(), data, step, out=tmp_path / "cut", **options)
    assert (tmp_path / "cut" / LAST).read_bytes() != (tmp_path / "whole" / LAST).read_bytes()
    fit(make_model(), data, resume=tmp_path / "cut", **options)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_run_cut_short_again_and_again(data, make_model, tmp_path):
    whole = fit(make_model(), data, out=tmp_path / "whole")
    cut(make_model(), data, 3, out=tmp_path / "cut")
    for step in (8, 9, 10, 17, 18, 26):
        cut(make_model(), data, step, resume=tmp_path / "cut")
    model = make_model()
    history = fit(model, data, resume=tmp_path / "cut")
    assert list(history) == list(whole)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_finished_run_stays_as_it_is(data, make_model, tmp_path):
    fit(make_model(), data, out=tmp_path / "run")
    before = files(tmp_path / "run")
    history = fit(make_model(), data, resume=tmp_path / "run")
    assert files(tmp_path / "run") == before
    assert len(history) == 3


def test_without_a_checkpoint_the_run_begins_anew(data, make_model, tmp_path):
    fit(make_model(), data, out=tmp_path / "whole")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "history.jsonl").write_text('{"epoch": 1, "st')
    fit(make_model(), data, resume=tmp_path / "cut")
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_torn_history_is_written_anew(data, make_model, tmp_path):
    fit(make_model(), data, out=tmp_path / "whole")
    cut(make_model(), data, 20, out=tmp_path / "cut")
    history = tmp_path / "cut" / "history.jsonl"
    torn = history.read_bytes()
    history.write_bytes(torn + torn[:40])
    assert len(History.read(history)) == 2
    fit(make_model(), data, resume=tmp_path / "cut")
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_line_that_is_no_record_is_told(tmp_path):
    (tmp_path / "h.jsonl").write_text("{}\n{}\n")
    with pytest.raises(ValueError, match=r"h\.jsonl, line 1: no record of a history: b'\{\}"):
        History.read(tmp_path / "h.jsonl")


def test_a_callback_may_keep_a_state(data, make_model, tmp_path):
    class Counts(Callback):
        def __init__(self):
            self.seen = 0

        def on_step(self, run):
            self.seen += 1

        def state(self):
            return {"seen": self.seen}

        def restore(self, state):
            self.seen = state["seen"]

    fit(make_model(), data, callbacks=[Counts()], out=tmp_path / "whole")
    cut(make_model(), data, 11, callbacks=lambda: [Counts()], out=tmp_path / "cut")
    resumed = Counts()
    fit(make_model(), data, callbacks=[resumed], resume=tmp_path / "cut")
    assert resumed.seen == 27
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


OTHERS = {
    "batch size": ({"batch_size": 18}, "training.batch_size was 16 and is 18"),
    "frozen": ({"frozen": True}, 'parameters.0.weight was null and is {"requires_grad": false}'),
    "patience": ({"callbacks": [EarlyStopping(3)]}, "early_stopping was [] and is [3]"),
    "lr": ({"optimizer": lambda: optim.Adam(lr=1e-3)}, "optimizer.lr was 0.005 and is 0.001"),
    "optimizer": ({"optimizer": lambda: optim.AdamW(lr=5e-3)}, 'optimizer.name was "Adam" and is "AdamW"'),
    "seed": ({"seed": 3}, "training.seed was 0 and is 3"),
    "weights": ({"class_weight": np.ones(10)}, "weights.class was null and is"),
    "schedule": ({"optimizer": lambda: optim.Adam(lr=rate_of)}, 'optimizer.lr was 0.005 and is "rate_of"'),
    "a function's schedule": (
        {"optimizer": lambda: optim.Adam(lr=Warmup(Function(rate_of), steps=3))},
        'optimizer.lr was 0.005 and is {"schedule": "Warmup", "after": {"schedule": "Function", ...',
    ),
    "option": ({"optimizer": lambda: optim.Adam(lr=5e-3, clip_norm=1.0)}, "optimizer.clip_norm was null and is 1.0"),
}


@pytest.mark.parametrize(("options", "message"), OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_another_configuration_is_refused(data, make_model, tmp_path, options, message):
    cut(make_model(), data, 4, out=tmp_path)
    before = files(tmp_path)
    model, given = make_model(), dict(options)
    model[0].weight.requires_grad = not given.pop("frozen", False)
    with pytest.raises(ValueError, match=r"is the checkpoint of another configuration: .*" + re.escape(message)):
        fit(model, data, resume=tmp_path, **given)
    assert files(tmp_path) == before


def test_a_run_cannot_go_on_for_fewer_epochs(data, make_model, tmp_path):
    cut(make_model(), data, 4, out=tmp_path)
    with pytest.raises(ValueError, match="epochs must be at least the 3 of the run that goes on; got 2"):
        fit(make_model(), data, resume=tmp_path, epochs=2)


def test_a_run_goes_on_for_more_epochs(data, make_model, tmp_path):
    fit(make_model(), data, epochs=5, out=tmp_path / "whole")
    fit(make_model(), data, epochs=2, out=tmp_path / "grown")
    fit(make_model(), data, epochs=5, resume=tmp_path / "grown")
    assert files(tmp_path / "grown") == files(tmp_path / "whole")


def test_other_data_and_another_network_are_refused(data, make_model, tmp_path):
    cut(make_model(), data, 4, out=tmp_path)
    with pytest.raises(ValueError, match=r"data\.train\.hash was .* and is"):
        fit(make_model(), data._replace(train=tg.data.Dataset(data.train.x * 0.5, data.train.y)), resume=tmp_path)
    with pytest.raises(ValueError, match=r"model\.layers was .* and is"):
        fit(nn.Sequential(nn.Linear(64, 10)), data, resume=tmp_path)


@pytest.fixture(scope="module")
def small(data, tmp_path_factory):
    """A checkpoint of a few kilobytes, and how to go on with it."""
    folder = tmp_path_factory.mktemp("small") / "run"

    def go_on(**where):
        model = nn.Sequential(nn.Linear(64, 2, bias=False), seed=0)
        few = tg.data.Dataset(data.train.x[:40], data.train.y[:40] % 2, ("even", "odd"))
        return fit(model, few, epochs=1, optimizer=lambda: optim.SGD(lr=0.1), **where)

    go_on(out=folder)
    return folder, go_on


def test_every_byte_flipped_and_every_truncation_are_refused(small):
    folder, _ = small
    file = folder / LAST
    whole = file.read_bytes()
    assert len(whole) < 8000
    for place in range(len(whole)):
        flipped = whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
        for content in (flipped, whole[:place]):
            file.write_bytes(content)
            with pytest.raises(ValueError, match=r"last\.safetensors is (damaged|not a whole|not a checkpoint)"):
                Checkpoint.read(file)
    file.write_bytes(whole)
    assert Checkpoint.read(file).to_bytes() == whole


def test_a_damaged_checkpoint_is_refused_and_nothing_is_written(small):
    folder, go_on = small
    before = files(folder)
    damaged = before[LAST][:-1] + b"\xff"
    (folder / LAST).write_bytes(damaged)
    with pytest.raises(ValueError, match=r"last\.safetensors is damaged"):
        go_on(resume=folder)
    assert files(folder) == before | {LAST: damaged}
    (folder / LAST).write_bytes(before[LAST])
    go_on(resume=folder)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (seal("checkpoint", 2, {}, {}), "has format version 2; this twingrad reads version 1"),
        (seal("model", 2, {}, {}), "is a model file; a checkpoint file is due"),
        (b"", "is not a checkpoint file, or not a whole one"),
    ],
)
def test_another_format_is_refused(small, content, message):
    folder, go_on = small
    before = (folder / LAST).read_bytes()
    (folder / LAST).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        go_on(resume=folder)
    (folder / LAST).write_bytes(before)


def test_a_folder_that_is_not_there(data, make_model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no run folder .*none"):
        fit(make_model(), data, resume=tmp_path / "none")
    with pytest.raises(ValueError, match="give out for a new run or resume to go on with one, not both"):
        fit(make_model(), data, out=tmp_path / "a", resume=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


class FullDisk:
    """os.fsync that finds the disk full from its n-th call on."""

    def __init__(self, calls):
        self.left, self.real = calls, os.fsync

    def __call__(self, descriptor):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.real(descriptor)


def test_a_full_disk_is_told_and_the_earlier_checkpoint_stays(data, make_model, tmp_path, monkeypatch):
    fit(make_model(), data, out=tmp_path / "whole")
    cut(make_model(), data, 12, out=tmp_path / "cut")
    before = files(tmp_path / "cut")
    monkeypatch.setattr(os, "fsync", FullDisk(6))
    with pytest.raises(
        SaveError, match=r"cannot be written \(No space left on device\); what was saved before is as it"
    ):
        fit(make_model(), data, resume=tmp_path / "cut", checkpoint_every=5)
    monkeypatch.undo()
    after = files(tmp_path / "cut")
    assert after.keys() == before.keys()
    assert Checkpoint.read(tmp_path / "cut" / LAST).step == 15
    fit(make_model(), data, resume=tmp_path / "cut")
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_disk_that_is_full_from_the_start_leaves_nothing(data, make_model, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", FullDisk(0))
    with pytest.raises(SaveError, match="No space left on device"):
        fit(make_model(), data, out=tmp_path / "run", checkpoint_every=2)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_at_the_first_checkpoint_leaves_the_best_model(data, make_model, tmp_path, monkeypatch):
    fit(make_model(), data, out=RunFolder(tmp_path / "whole", config="x = 1"))
    monkeypatch.setattr(os, "fsync", FullDisk(4))  # two each for the configuration and the best model
    with pytest.raises(SaveError, match=r"last\.safetensors cannot be written \(No space left on device\)"):
        fit(make_model(), data, out=RunFolder(tmp_path / "cut", config="x = 1"), checkpoint_every=10)
    monkeypatch.undo()
    assert files(tmp_path / "cut").keys() == {"best.safetensors", "config.toml", "history.jsonl"}
    assert tg.train.load_model(tmp_path / "cut")
    fit(make_model(), data, resume=RunFolder(tmp_path / "cut", config="x = 1", resume=True))
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_data_that_changed_are_told_without_what_follows_from_them(data, make_model, tmp_path):
    fit(make_model(), data, epochs=1, out=tmp_path, preprocessing="auto", device="cpu")
    other = data._replace(train=data.train.take(slice(1, None)))
    with pytest.raises(ValueError, match=r"the checkpoint of another configuration: data\.train\.examples was") as told:
        fit(make_model(), other, epochs=1, resume=tmp_path, preprocessing="auto", device="cpu")
    assert "preprocessing" not in str(told.value)


def test_intervals():
    assert [Interval("never").due(5), Interval(None).due(5), Interval(5).due(10), Interval("5").due(11)] == [
        False,
        False,
        True,
        False,
    ]
    for bad in ("0", "s", "10 s", "1.5h", "-3", True, 0):
        with pytest.raises(ValueError, match="an interval is a number of steps from 1, or a time"):
            Interval(bad)


def test_batches_of_the_user_s_own_are_resumed(data, make_model, tmp_path):
    """A schedule by epochs too, though only an epoch's end tells how many updates it has."""

    def batches(epoch):
        order = np.random.default_rng(epoch).permutation(144)
        for start in range(0, 144, 20):
            chosen = order[start : start + 20]
            yield data.train.x[chosen], data.train.y[chosen], np.ones(len(chosen))

    options = {"dev": data.dev, "accumulate": 3, "optimizer": lambda: optim.SGD(lr=InverseTime(0.1, decay=1.0))}
    whole = fit(make_model(), batches, out=tmp_path / "whole", **options)
    assert [round(record.lr, 9) for record in whole] == [0.1, 0.05, 0.033333333]
    for step in (2, 4, 8):
        cut(make_model(), batches, step, out=tmp_path / f"cut{step}", **options)
        fit(make_model(), batches, resume=tmp_path / f"cut{step}", **options)
        assert files(tmp_path / f"cut{step}") == files(tmp_path / "whole")


class Stateless(optim.SGD):
    """An optimizer that cannot be saved."""

    def state_dict(self):
        """Refuse."""
        raise TypeError("Stateless has no state")


def test_what_cannot_be_saved_is_refused_at_once(data, make_model, tmp_path):
    with pytest.raises(TypeError, match="Stateless has no state"):
        fit(make_model(), data, optimizer=Stateless(lr=0.1), out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_difference_is_told_in_short():
    numbers = list(range(100))
    cases = {
        "short": (0, 1, "0", "1"),
        "begin": (numbers, [7, *numbers], r"\[0, 1, [^a-z]+\.\.\.", r"\[7, 0, 1, [^a-z]+\.\.\."),
        "within": (numbers, [*numbers[:50], 1000, 7], r"\.\.\.[^a-z]+ 50, 51[^a-z]+\.\.\.", r"\.\.\.[^a-z]+ 1000, 7\]"),
    }
    told = differences({name: case[0] for name, case in cases.items()}, {name: case[1] for name, case in cases.items()})
    for text, (name, (_, _, there, here)) in zip(told, cases.items(), strict=True):
        assert re.fullmatch(f"{name} was {there} and is {here}", text), text
        assert len(text) <= len(name) + 2 * 60 + len(" was  and is ")
