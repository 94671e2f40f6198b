"""What a captured step cannot hold is refused by name, and leaves everything as it was before."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim, xp
from twingrad.kernels import cpu

import networks

compiled = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")


def forward(model, x, y):
    return F.softmax_cross_entropy(model(x), y)


def update(model, optimizer, x, y):
    loss = forward(model, x, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def with_operation(model, optimizer, x, y):
    loss = xp.exp(forward(model, x, y))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def reading(read):
    def step(model, optimizer, x, y):
        read(update(model, optimizer, x, y))

    return step


def on_reference(model, optimizer, x, y):
    with tg.fused("never"):
        update(model, optimizer, x, y)


def no_zero_grad(model, optimizer, x, y):
    forward(model, x, y).backward()
    optimizer.step()


def zero_grad_last(model, optimizer, x, y):
    no_zero_grad(model, optimizer, x, y)
    optimizer.zero_grad()


def zero_grad_of_a_part(model, optimizer, x, y):
    model.flat().zero_grad(np.asarray([False] * 5 + [True]))
    no_zero_grad(model, optimizer, x, y)


def step_twice(model, optimizer, x, y):
    update(model, optimizer, x, y)
    optimizer.step()


def nested(model, optimizer, x, y):
    tg.capture(lambda x: model(x))(x)


def nested_after(model, optimizer, x, y):
    update(model, optimizer, x, y)
    nested(model, optimizer, x, y)


def then(action):
    def step(model, optimizer, x, y):
        loss = update(model, optimizer, x, y)
        action(model, optimizer, x)
        return loss

    return step


def returning(value):
    def step(model, optimizer, x, y):
        return value(update(model, optimizer, x, y), model)

    return step


def own_leaf(model, optimizer, x, y):
    scale = tg.Tensor(np.ones((networks.OUT, networks.OUT), np.float32), requires_grad=True)
    loss = F.softmax_cross_entropy(F.linear(model(x), scale), y)
    optimizer.zero_grad()
    loss.backward()


def cast(model, optimizer, x, y):
    return update(model, optimizer, xp.astype(x, xp.float64), y)


STEPS = {
    "an operation of xp": (
        with_operation,
        "xp.exp cannot be captured: it has no bound form; a captured step computes wi",
    ),
    "an operation on the input": (lambda m, o, x, y: update(m, o, xp.sin(x), y), "xp.sin cannot be captured"),
    "a NumPy function of the input": (
        lambda m, o, x, y: update(m, o, np.abs(x), y),
        "'Tensor' does not support ufuncs",
    ),
    "a write to the input": (lambda m, o, x, y: x.__setitem__(0, 1.0), r"Tensor\.__setitem__ cannot be captured"),
    "a cast": (cast, "xp.astype cannot be captured"),
    "the reference path": (on_reference, r'cannot be captured: fused\("never"\) keeps to the reference path'),
    "float": (reading(float), "float of a Tensor cannot be captured"),
    "bool": (reading(bool), "bool of a Tensor cannot be captured"),
    "int": (reading(int), "int of a Tensor cannot be captured"),
    "item": (reading(lambda loss: loss.item()), r"Tensor\.item\(\) cannot be captured"),
    "numpy": (reading(lambda loss: loss.numpy()), r"Tensor\.numpy\(\) cannot be captured"),
    "a comparison": (reading(lambda loss: loss > 1), "xp.greater cannot be captured"),
    "no zero_grad": (no_zero_grad, r"must call zero_grad\(\) before backward\(\)"),
    "zero_grad last": (zero_grad_last, r"must call zero_grad\(\) before backward\(\)"),
    "zero_grad of a part": (zero_grad_of_a_part, r"must call zero_grad\(\) before backward\(\), for every parameter"),
    "step twice": (step_twice, r"calls an optimizer's step\(\) once"),
    "nested": (nested, "captures do not nest"),
    "nested later": (nested_after, "captures do not nest"),
    "a learning rate": (then(lambda m, o, x: setattr(o, "lr", 0.1)), "learning rate cannot be set inside a captured"),
    "a parameter": (then(lambda m, o, x: setattr(m[0], "bias", np.ones(7))), "assigning to a parameter cannot be capt"),
    "a buffer": (then(lambda m, o, x: setattr(m[1], "running_mean", 0.0)), "writing running_mean of BatchNorm"),
    "a counter": (then(lambda m, o, x: setattr(m[3], "counter", 0)), "writing counter of Dropout"),
    "a state": (then(lambda m, o, x: m.load_state_dict(m.state_dict())), "cannot be captured"),
    "a gradient": (then(lambda m, o, x: m[0].weight.grad), r"Parameter\.grad cannot be captured"),
    "a gradient set": (then(lambda m, o, x: setattr(m[0].weight, "grad", None)), r"setting Parameter\.grad cannot"),
    "a number returned": (
        returning(lambda loss, model: 1.5),
        "returns Tensors, in tuples, lists or dicts, or None; got fl",
    ),
    "an array returned": (returning(lambda loss, model: (loss, loss.data)), "returns Tensors, .* got ndarray"),
    "nothing launched": (lambda m, o, x, y: None, "the step launched no kernel"),
    "a gradient of no module's parameter": (own_leaf, "a gradient of a tensor outside all modules cannot be captured"),
}


def test_without_compiled_kernels_the_reason_is_given(monkeypatch):
    monkeypatch.setattr("twingrad.kernels.cpu.overrides.unavailable", lambda: "no compiler was found")
    model = networks.network()
    optimizer = networks.OPTIMIZERS["adam"](model)
    before = networks.everything(model, optimizer)
    with pytest.raises(tg.CaptureError, match="linear cannot be captured: no compiler was found"):
        tg.capture(networks.stepper(model, optimizer))(*networks.batch())
    networks.assert_same_bits(networks.everything(model, optimizer), before)


@compiled
@pytest.mark.parametrize("steps_before", [0, 3])
@pytest.mark.parametrize("case", STEPS)
def test_a_refused_step_changes_nothing(case, steps_before):
    body, message = STEPS[case]
    pairs = []
    for _ in range(2):
        model = networks.network()
        optimizer = networks.OPTIMIZERS["adam"](model, lr=0.05)
        networks.train(model, optimizer, steps_before)
        pairs.append((model, optimizer))
    (model, optimizer), plain = pairs
    before = networks.everything(model, optimizer)
    gradients = [p.grad is not None for p in model.parameters()]
    x, y = networks.batch(seed=3)
    captured = tg.capture(lambda x, y: body(model, optimizer, x, y))
    for _ in range(2):
        with pytest.raises((tg.CaptureError, TypeError), match=message):
            captured(x, y)
        networks.assert_same_bits(networks.everything(model, optimizer), before)
        assert [p.grad is not None for p in model.parameters()] == gradients
    for pair in pairs:
        networks.train(*pair, 2, first=3)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))
    good = tg.capture(networks.stepper(model, optimizer))
    for i in range(3):
        good(*networks.batch(seed=i))
    networks.train(*plain, 3)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


@compiled
def test_a_replay_inside_a_capture_is_refused():
    model = networks.network().eval()
    inner = tg.capture(model)
    x, _ = networks.batch()
    inner(x)
    with pytest.raises(tg.CaptureError, match="captures do not nest"):
        tg.capture(lambda x: inner(x))(x)
    with pytest.raises(tg.CaptureError, match="captures do not nest"):
        tg.capture(lambda x: (model(x), inner(x)))(x)


@compiled
def test_an_input_that_wants_a_gradient_is_refused():
    model = networks.network().eval()
    x, _ = networks.batch()
    with pytest.raises(tg.CaptureError, match=r"requires a gradient.*detach\(\)"):
        tg.capture(lambda x: model(x))(tg.Tensor(x, requires_grad=True))


@compiled
def test_the_reference_path_is_not_replayed():
    model = networks.network().eval()
    forward = tg.capture(model)
    x, _ = networks.batch()
    forward(x)
    with tg.fused("never"), pytest.raises(tg.CaptureError, match=r'fused\("never"\).*call the plain step'):
        forward(x)
    with tg.fused("require"):
        forward(x)


class Stop(Exception):
    pass


@compiled
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_exception_in_the_step_comes_out_and_leaves_capture_usable(when):
    (model, optimizer), plain = [(m := networks.network(), networks.OPTIMIZERS["adamw"](m)) for _ in range(2)]
    fail = [True, True, False]

    def step(x, y):
        stop = fail.pop(0)
        if when == "before" and stop:
            raise Stop("here")
        loss = update(model, optimizer, x, y)
        if stop:
            raise Stop("here")
        return loss

    captured = tg.capture(step)
    before = networks.everything(model, optimizer)
    for _ in range(2):
        with pytest.raises(Stop, match="here"):
            captured(*networks.batch())
        networks.assert_same_bits(networks.everything(model, optimizer), before)
    for i in range(4):
        captured(*networks.batch(seed=i))
    networks.train(*plain, 4)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


@compiled
@pytest.mark.parametrize("first", [True, False])
def test_labels_out_of_range(first):
    """The first call looks at them; a replay does not, and its loss says so."""
    model = networks.network()
    optimizer = networks.OPTIMIZERS["sgd"](model)
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    bad = np.full_like(y, networks.OUT)
    if first:
        before = networks.everything(model, optimizer)
        with pytest.raises(ValueError, match=r"class numbers lie in \[0, 3\)"):
            step(x, bad)
        networks.assert_same_bits(networks.everything(model, optimizer), before)
        return
    step(x, y)
    assert np.isnan(step(x, bad).numpy())


@compiled
def test_a_bad_rate_in_a_replay_changes_nothing():
    rates = [0.1, 0.1, float("nan")]
    model = networks.network()
    optimizer = optim.Adam(model, lr=lambda step: rates[step])
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    step(x, y), step(x, y)
    before = networks.everything(model, optimizer)
    with pytest.raises(ValueError, match="lr must be a finite number"):
        step(x, y)
    networks.assert_same_bits(networks.everything(model, optimizer), before)
    rates[2] = 0.1
    step(x, y)
    assert optimizer.steps_taken == 3


@pytest.mark.parametrize("limit", [1e-3, 1e-2])
def test_a_rehearsal_finds_what_numpy_changes_out_of_sight(limit):
    model = networks.network()
    optimizer = optim.Adam(model, lr=0.1)
    plain = networks.stepper(model, optimizer)

    def step(x, y):
        loss = plain(x, y)
        weight = model.parameters()[0].data
        np.clip(weight, -limit, limit, out=weight)
        return loss

    before = networks.everything(model, optimizer)
    with pytest.raises(tg.CaptureError, match="a replay would not do what the step does"):
        tg.capture(step)(*networks.batch())
    networks.assert_same_bits(networks.everything(model, optimizer), before)


def test_arrays_of_other_libraries_are_refused_by_name():
    strict = pytest.importorskip("array_api_strict", reason="the extra `test` brings array-api-strict")
    model = nn.Sequential(nn.Linear(5, 3)).to(like=strict.zeros(0, dtype=strict.float32))
    optimizer = optim.SGD(model)
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    with pytest.raises(tg.CaptureError, match="linear cannot be captured: no kernels for arrays of type Array"):
        step(strict.asarray(x), strict.asarray(y))


@compiled
def test_half_precision_is_refused_by_name():
    model = nn.Sequential(nn.Linear(5, 3)).to(dtype=np.float16)
    with pytest.raises(tg.CaptureError, match="linear cannot be captured: x has dtype float16; there are kernels for"):
        tg.capture(model)(networks.batch(dtype=np.float16)[0])
