"""`fit`: it learns, reproducibly, and what it keeps and says."""

import math
import re
import threading

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.capture import CapturedStep
from twingrad.data import Dataset
from twingrad.train import Callback, Checkpoint, Diverged, History, evaluate, load_model, lr_range_test, stepper


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def fit(model, data, **options):
    return tg.fit(
        model, data, **{"epochs": 3, "batch_size": 16, "optimizer": optim.Adam(lr=5e-3), "device": "cpu"} | options
    )


def test_it_learns_and_tells(data, make_model):
    model = make_model()
    history = fit(model, data, epochs=8)
    assert [record.epoch for record in history] == list(range(1, 9))
    assert history.best.dev_accuracy > 0.85
    assert history[-1].train_loss < history[0].train_loss / 3
    assert history.device == "cpu"
    assert history.seconds >= sum(record.seconds for record in history) > 0
    measured = evaluate(model, data.dev)
    assert (measured.loss, measured.accuracy) == (history.best.dev_loss, history.best.dev_accuracy)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(data, make_model):
    first, second, third = make_model(), make_model(), make_model()
    for model, seed in ((first, 7), (second, 7), (third, 8)):
        fit(model, data, seed=seed, keep="last")
    assert_same(first.state_dict(), second.state_dict())
    assert not np.array_equal(first.state_dict()["0.weight"], third.state_dict()["0.weight"])


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


def test_best_and_last(data, make_model):
    class Spoil(Callback):
        """A learning rate that ruins the last epoch."""

        def on_evaluation(self, run, record):
            run.optimizer.lr = 10.0 if record.epoch == 3 else run.optimizer.lr

    best, last = make_model(), make_model()
    history = fit(best, data, epochs=4, callbacks=[Spoil()])
    fit(last, data, epochs=4, callbacks=[Spoil()], keep="last")
    assert [record.lr for record in history] == [5e-3, 5e-3, 5e-3, 10.0]
    assert history.best.epoch < 4
    assert evaluate(best, data.dev).accuracy == history.best.dev_accuracy
    assert evaluate(last, data.dev).accuracy == history[-1].dev_accuracy < history.best.dev_accuracy


def test_without_a_dev_part_training_accuracy_decides(data, make_model):
    history = fit(make_model(), data.train)
    assert history[0].dev_loss is None
    assert history.best.train_accuracy == max(record.train_accuracy for record in history)


def test_no_epochs_leave_the_model_alone(data, make_model):
    model = make_model()
    before = model.state_dict()
    history = fit(model, data, epochs=0)
    assert (len(history), history.best) == (0, None)
    assert_same(before, model.state_dict())


@pytest.mark.parametrize("training", [True, False])
def test_the_model_keeps_its_mode(data, make_model, training):
    model = make_model().train(training)
    model[1].eval()
    modes = [module.training for _, module in model.modules()]
    fit(model, data, epochs=1)
    assert [module.training for _, module in model.modules()] == modes
    with pytest.raises(ZeroDivisionError):
        fit(model, data, epochs=1, callbacks=[lambda record: 1 / 0])
    assert [module.training for _, module in model.modules()] == modes


def test_data_take_the_dtype_of_the_model(data, make_model):
    model = make_model().to(dtype=np.float64)
    fit(model, data, epochs=1)
    assert model.state_dict()["0.weight"].dtype == np.float64


def test_a_last_batch_of_one_joins_the_one_before_under_batch_norm(data, make_model):
    seen = []

    class Count(Callback):
        def on_start(self, run):
            seen.append(run.batches)

    train = data.train.take(slice(0, 33))
    with pytest.warns(UserWarning, match="33 examples in mini-batches of 16 leave one over.* of 17"):
        fit(make_model(), train, batch_size=16, epochs=1, callbacks=[Count()])
    fit(make_model(batch_norm=False), train, batch_size=16, epochs=1, callbacks=[Count()])
    assert seen == [2, 3]


def test_callbacks_hear_everything_in_order(data, make_model):
    heard = []

    class Ear(Callback):
        def on_start(self, run):
            heard.append("start")

        def on_step(self, run):
            heard.append((run.epoch, run.batch))

        def on_evaluation(self, run, record):
            heard.append(record.epoch)
            run.stop = record.epoch == 2

        def on_end(self, run):
            heard.append("end")

    records = []
    history = fit(make_model(), data, epochs=5, batch_size=72, callbacks=[Ear(), records.append])
    assert heard == ["start", (1, 1), (1, 2), 1, (2, 1), (2, 2), 2, "end"]
    assert records == list(history)
    assert len(history) == 2


def test_callbacks_hear_the_end_after_an_error(data, make_model):
    class Fragile(Callback):
        ended = False

        def on_step(self, run):
            raise RuntimeError("no")

        def on_end(self, run):
            self.ended = True

    fragile = Fragile()
    with pytest.raises(RuntimeError, match="no"):
        fit(make_model(), data, callbacks=[fragile])
    assert fragile.ended


def test_an_optimizer_goes_on_where_it_stopped(data, make_model):
    whole, halves = make_model(), make_model()
    fit(whole, data.train, optimizer=optim.SGD(lr=0.1), epochs=1, keep="last")
    optimizer = optim.SGD(lr=0.1)
    fit(halves, data.train, optimizer=optimizer, epochs=1, keep="last")
    assert_same(whole.state_dict(), halves.state_dict())
    fit(halves, data.train, optimizer=optimizer, epochs=1, keep="last")
    assert not np.array_equal(whole.state_dict()["0.weight"], halves.state_dict()["0.weight"])


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimizers_by_name(data, make_model, name):
    history = fit(make_model(), data, optimizer=name)
    assert history[-1].train_loss < 2.5


def test_a_loss_of_the_user_s_own(data, make_model):
    def mean_squared(logits, target):
        return ((logits - np.eye(10, dtype=np.float32)[target]) ** 2).mean()

    history = fit(make_model(), data, loss=mean_squared, epochs=15, capture="never")
    assert history[-1].train_accuracy > 0.8


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the reference path
def test_a_loss_that_is_not_finite_ends_the_run(data, make_model, tmp_path):
    model = make_model(batch_norm=False)
    told = r"the loss is nan after epoch 1, update 9; lower the learning rate \(it was 1e\+30\), .*no trained model"
    with pytest.raises(Diverged, match=told) as caught:
        fit(model, data, optimizer=optim.SGD(lr=1e30), out=tmp_path / "run")
    history = caught.value.history
    assert (len(history), history.best) == (1, None)
    assert not math.isfinite(history[-1].train_loss)
    assert "null" in history.to_jsonl()
    assert "NaN" not in history.to_jsonl()
    assert list(tmp_path.iterdir()) == []


class Explode(Callback):
    """A learning rate beyond all bounds after so many updates."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        run.optimizer.lr = 1e30 if run.step >= self.step else run.optimizer.lr


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("keep", ["best", "last"])
def test_what_was_best_before_a_run_diverged_is_kept(data, make_model, tmp_path, keep):
    model = make_model(batch_norm=False)
    with pytest.raises(Diverged, match=r"the best model so far \(epoch 2, dev accuracy .*\) is in .*model.safetensors"):
        fit(model, data, epochs=9, keep=keep, callbacks=[Explode(18)], out=tmp_path)
    history = History.read(tmp_path / "history.jsonl")
    assert [record.epoch for record in history] == [1, 2, 3]
    assert history.best.epoch == 2
    for found in (model, load_model(tmp_path)):
        assert evaluate(found, data.dev).accuracy == history.best.dev_accuracy


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_checkpoint_holds_what_is_not_finite(data, make_model, tmp_path):
    with pytest.raises(Diverged, match=r"is (not finite|nan) in epoch 2, update 1[12];"):
        fit(make_model(batch_norm=False), data, callbacks=[Explode(10)], out=tmp_path, checkpoint_every=1)
    last = Checkpoint.read(tmp_path / "last.safetensors")
    assert last.step in (10, 11)
    assert all(np.isfinite(array).all() for array in last.model.values())


class Poison(Callback):
    """A parameter that is infinite from an update on, where the loss does not see it."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            run.model[1].running_var[...] = np.inf


@pytest.mark.parametrize("options", [{}, {"keep": "last"}, {"dev": None}])
def test_a_model_that_is_not_finite_is_not_kept_whatever_its_loss(data, make_model, tmp_path, options):
    model = make_model()
    if "dev" in options:
        data = data.train
    with pytest.raises(Diverged, match=r"1\.running_var of the model is not finite in epoch 3, update 27; .*epoch 2"):
        fit(model, data, callbacks=[Poison(27)], out=tmp_path, checkpoint_every=None, **options)
    for found in (model, load_model(tmp_path)):
        assert all(np.isfinite(array).all() for array in found.state_dict().values())


def test_ctrl_c_before_the_first_step_leaves_nothing(data, make_model, tmp_path, monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("twingrad.train.job.part_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), data, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_any_integers_are_counts(data, make_model):
    numbers = {"epochs": np.int64(2), "batch_size": np.int32(16), "seed": np.uint8(3), "accumulate": np.int16(1)}
    plain, other = make_model(), make_model()
    fit(plain, data, keep="last", **{name: int(value) for name, value in numbers.items()})
    assert len(fit(other, data, keep="last", evaluate_every=np.int64(9), **numbers)) == 2
    assert_same(plain.state_dict(), other.state_dict())


def test_balanced_weights_are_those_of_the_counts(data, make_model):
    counts = np.bincount(data.train.y)
    one, two = make_model(), make_model()
    fit(one, data, class_weight="balanced", keep="last")
    fit(two, data, class_weight=len(data.train) / (10 * counts), keep="last")
    assert_same(one.state_dict(), two.state_dict())
    with pytest.raises(ValueError, match="class_weight='balanced' needs a data set"):
        fit(make_model(), [(data.train.x, data.train.y)], class_weight="balanced")
    numbers = Dataset(data.train.x, data.train.y.astype(float))
    with pytest.raises(ValueError, match="class_weight='balanced' does not apply to a regression task"):
        fit(nn.Sequential(nn.Linear(64, 1)), numbers, class_weight="balanced")


def test_fit_works_in_a_thread(data, make_model):
    found = []
    thread = threading.Thread(target=lambda: found.append(fit(make_model(), data, epochs=1)))
    thread.start()
    thread.join()
    assert len(found[0]) == 1


def narrow(data):
    return Dataset(data.train.x[:, :5], data.train.y)


def many(data):
    return Dataset(data.train.x, data.train.y + 3)


BAD = {
    "unknown loss": ({"loss": "crossentropy"}, ValueError, "unknown loss 'crossentropy'; did you mean 'cross_entropy'"),
    "unknown optimizer": ({"optimizer": "adm"}, ValueError, "unknown optimizer 'adm'; did you mean 'adam'"),
    "optimizer class": ({"optimizer": optim.Adam}, TypeError, r"like optim.Adam\(lr=1e-3\); got <class"),
    "negative epochs": ({"epochs": -1}, ValueError, "epochs must be at least 0; got -1"),
    "endless epochs": ({"epochs": 2**32}, ValueError, r"epochs must be at least 0 and below 2\*\*32; got 4294967296"),
    "fractional epochs": ({"epochs": 1.5}, TypeError, "epochs must be an int; got 1.5"),
    "batch size 0": ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
    "batch size above data": ({"batch_size": 145}, ValueError, "must not exceed the 144 training examples; got 145"),
    "batch size 1": ({"batch_size": 1}, ValueError, "batch_size must be at least 2, because the model has batch norm"),
    "negative seed": ({"seed": -1}, ValueError, r"seed must be at least 0 and below 2\*\*64; got -1"),
    "device": ({"device": "gpu0"}, ValueError, "unknown device 'gpu0'"),
    "keep": ({"keep": "bets"}, ValueError, "unknown value of keep 'bets'; did you mean 'best'"),
    "capture": ({"capture": True}, ValueError, "unknown value of capture True"),
    "callback": ({"callbacks": [3]}, TypeError, "a callback is a Callback or a function of a Record; got 3"),
    "callback class": ({"callbacks": [Callback]}, TypeError, "got <class"),
    "features": ({"data": narrow}, ValueError, r"data set 'data' \(5 features\) does not suit the model: .*64"),
    "labels": ({"data": many}, ValueError, r"10 outputs: labels must lie in \[0, 10\); row \d+ has label 1[0-2]"),
    "data": ({"data": lambda data: (data.train.x, data.train.y)}, TypeError, "must be a Dataset or the Splits"),
    "a name": ({"data": lambda data: "digits"}, TypeError, r"not its name; tg.data.load\('digits'\).split\(seed=0\)"),
    "no integer": ({"seed": np.float64(1)}, TypeError, r"seed must be an int; got np.float64\(1.0\)"),
    "true": ({"epochs": True}, TypeError, "epochs must be an int; got True"),
    "class weights": ({"class_weight": [1, 2]}, ValueError, "class_weight must be 10 numbers, one for each class,"),
    "weights of nothing": ({"class_weight": [0] * 10}, ValueError, "finite and at least 0, not all 0; got"),
    "no example's weight": ({"example_weight": np.zeros(144)}, ValueError, r"finite and at least 0, not all 0; got sh"),
    "negative weight": ({"class_weight": [-1] * 10}, ValueError, "finite and at least 0"),
    "word of weights": ({"class_weight": "balance"}, ValueError, "'balance'; did you mean 'balanced'"),
    "callbacks": ({"callbacks": 3}, TypeError, "callbacks must be a list of Callbacks and functions; got 3"),
    "out": ({"out": 3}, TypeError, "out must be the path of a folder or a RunFolder; got 3"),
    "resume": ({"out": None, "resume": 3}, TypeError, "resume must be the path of a folder or a RunFolder; got 3"),
    "no data": ({"data": lambda data: data.train.take(slice(0, 0))}, ValueError, "holds no examples"),
}


@pytest.mark.parametrize(("options", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused_before_anything_happens(data, make_model, tmp_path, options, kind, message):
    model, heard = make_model(), []
    before = model.state_dict()
    given = {"callbacks": [heard.append], "out": tmp_path / "run"} | options
    chosen = given.pop("data", lambda data: data)(data)
    with pytest.raises(kind, match=message):
        fit(model, chosen, **given)
    assert_same(before, model.state_dict())
    assert heard == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [fit, evaluate, lr_range_test])
def test_what_is_no_model_is_refused(data, call):
    with pytest.raises(TypeError, match=r"model must be an nn\.Module, .*; got list"):
        call([1, 2], data.train)


def test_batch_size_one_is_fine_without_batch_norm(data):
    history = fit(nn.Sequential(nn.Linear(64, 10), seed=0), data.train.take(slice(0, 20)), batch_size=1, epochs=1)
    assert len(history) == 1


def test_a_history_prints_as_one_line(data):
    history = fit(nn.Sequential(nn.Linear(64, 10), seed=0), data, epochs=3, device="cpu")
    assert re.fullmatch(r"History\(3 records; best epoch \d, dev accuracy \d+\.\d\d%; cpu, .*\d s\)", repr(history))
