"""`fit` with captured steps: the bits of eager ones, and which steps are captured; the reference path beside them."""

import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.capture import CapturedStep
from twingrad.train import Callback, stepper

from fitting import assert_same, fit
from kernels_here import no_kernels


@pytest.mark.filterwarnings("ignore:144 examples in mini-batches of 13 leave one over")
@pytest.mark.parametrize("batch_size", [16, 13])
def test_captured_steps_give_the_bits_of_eager_ones(data, make_model, batch_size):
    eager, auto = make_model(), make_model()
    one = fit(eager, data, capture="never", keep="last", batch_size=batch_size)
    two = fit(auto, data, capture="auto", keep="last", batch_size=batch_size)
    assert one.step == "eager (asked for)"
    assert (two.step == "captured") == tg.info.config()["matmul"]["split"]
    assert_same(eager.state_dict(), auto.state_dict())
    assert [record.dev_loss for record in one] == [record.dev_loss for record in two]


@pytest.mark.skipif(not tg.info.config()["matmul"]["split"], reason="nothing is captured here")
@pytest.mark.parametrize("options", [{"batch_size": 20}, {"batch_size": 16, "accumulate": 4}])
def test_the_last_batches_of_an_epoch_are_captured_from_the_second_on(data, make_model, options, monkeypatch):
    """144 are 7 of 20 and 4; and 9 of 16 are two groups of 4 and one."""
    recorded, replayed = [], []

    class Watched(CapturedStep):
        def _record(self, args):
            recorded.append([len(index) for index in args])
            return super()._record(args)

        def _replay(self, recording):
            replayed.append(1)
            return super()._replay(recording)

    monkeypatch.setattr(stepper, "capture", lambda step: Watched(step, fallback=False))
    captured, eager = make_model(), make_model()
    history = fit(captured, data, epochs=4, keep="last", **options)
    assert history.step == "captured"
    full = [20] if "accumulate" not in options else [16] * 4
    assert recorded == [full, [4] if len(full) == 1 else [16]]
    steps = history[-1].step
    assert len(replayed) == steps - 1  # each recording replays once as a rehearsal, and one step was eager
    fit(eager, data, epochs=4, keep="last", capture="never", **options)
    assert_same(captured.state_dict(), eager.state_dict())


class Changes(Callback):
    """Freezes a layer, and lets it go, every `every` steps, and changes what a recording holds of an optimizer."""

    def __init__(self, every):
        self.every = every

    def on_step(self, run):
        if run.step % self.every == 0:
            weight = run.model[0].weight
            weight.requires_grad = not weight.requires_grad
            run.optimizer.clip_norm = 1.0 / run.step


@pytest.mark.skipif(not tg.info.config()["matmul"]["split"], reason="nothing is captured here")
@pytest.mark.parametrize(("every", "how"), [(5, "captured"), (1, "eager (the captured step no longer holds: ")])
def test_steps_are_captured_anew_where_a_callback_has_changed_what_they_hold(data, make_model, every, how):
    captured, eager = make_model(), make_model()
    history = fit(captured, data, keep="last", callbacks=[Changes(every)])
    fit(eager, data, keep="last", callbacks=[Changes(every)], capture="never")
    assert history.step.startswith(how)
    assert_same(captured.state_dict(), eager.state_dict())


def test_reference_path_agrees_and_says_so(data, make_model):
    one, two = make_model(), make_model()
    fused = fit(one, data, keep="last", epochs=1, optimizer=optim.SGD(lr=0.1))
    with tg.fused("never"):
        reference = fit(two, data, keep="last", epochs=1, optimizer=optim.SGD(lr=0.1))
    assert reference.path == 'reference (asked for by fused("never"))'
    assert fused.path.startswith(("fused", "reference ("))
    assert "asked for" not in fused.path
    assert fused[0].train_loss == pytest.approx(reference[0].train_loss, rel=1e-5)


def test_a_callback_that_changes_an_option_changes_captured_steps(data, make_model):
    def trained(capture):
        model = make_model()

        def less(record):
            for _, layer in model.modules():
                if isinstance(layer, nn.Dropout):
                    layer.p /= 2

        history = fit(model, data, epochs=3, callbacks=[less], keep="last", capture=capture)
        return model.state_dict(), history.step

    (captured, how), (eager, _) = trained("auto"), trained("never")
    assert how.startswith("captured") or no_kernels()
    assert_same(captured, eager)
