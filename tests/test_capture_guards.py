"""Where a recording does not hold any more, a replay is refused by name and changes nothing."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.kernels import cpu
from twingrad.random import Counter

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")


def captured():
    """A model, its optimizer, and a captured step of them that has run twice."""
    model = networks.network()
    optimizer = networks.OPTIMIZERS["adam"](model)
    step = tg.capture(networks.stepper(model, optimizer))
    for i in range(2):
        step(*networks.batch(seed=i))
    return model, optimizer, step


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="capture takes a function, the step; got 3"):
        tg.capture(3)


X, Y = networks.batch()

CALLS = {
    "rows": (
        (X[:8], Y[:8]),
        r"captured for \(float32\[16, 5\], int64\[16\]\) and is called with \(float32\[8, 5\], int64",
    ),
    "columns": ((np.ones((16, 4), np.float32), Y), r"called with \(float32\[16, 4\]"),
    "one axis more": ((X[None], Y), r"called with \(float32\[1, 16, 5\]"),
    "dtype": ((X.astype(np.float64), Y), r"called with \(float64\[16, 5\], int64\[16\]\)"),
    "byte order": ((X.astype(">f4"), Y), r"called with \(>f4\[16, 5\]"),
    "labels": ((X, Y.astype(np.int32)), r"called with \(float32\[16, 5\], int32\[16\]\)"),
    "fewer": ((X,), r"called with \(float32\[16, 5\]\)"),
    "more": ((X, Y, 1), r"called with \(float32\[16, 5\], int64\[16\], 1\)"),
    "a list": ((X.tolist(), Y), "called with"),
}


@pytest.mark.parametrize("case", CALLS)
def test_other_arguments(case):
    arguments, message = CALLS[case]
    model, optimizer, step = captured()
    before = networks.everything(model, optimizer)
    with pytest.raises(tg.CaptureError, match=message):
        step(*arguments)
    networks.assert_same_bits(networks.everything(model, optimizer), before)
    step(X, Y)


def move(model, optimizer):
    model.to(dtype=np.float64)


CHANGES = {
    "eval": (lambda model, optimizer: model.eval(), "no longer in train mode"),
    "one layer's mode": (lambda model, optimizer: model[3].eval(), "3 is no longer in train mode"),
    "moved": (move, "moved or its layers changed"),
    "rebuilt": (lambda model, optimizer: model.to("cpu"), "moved or its layers changed"),
    "layer replaced": (lambda model, optimizer: setattr(model, "4", nn.Linear(7, 3)), "moved or its layers changed"),
    "layer added": (lambda model, optimizer: setattr(model, "5", nn.ReLU()), "moved or its layers changed"),
    "layer removed": (lambda model, optimizer: delattr(model, "1"), "moved or its layers changed"),
    "parameter replaced": (
        lambda model, optimizer: setattr(model[4], "bias", nn.Parameter(np.zeros(3, np.float32))),
        "moved or its layers changed",
    ),
    "counter replaced": (
        lambda model, optimizer: setattr(model[3], "counter", Counter(5)),
        "moved or its layers changed",
    ),
    "buffer replaced": (
        lambda model, optimizer: model[1].register_buffer("running_mean", np.zeros(7, np.float32)),
        "moved or its layers changed",
    ),
    "frozen": (lambda model, optimizer: setattr(model[0].weight, "requires_grad", False), "frozen or unfrozen"),
    "dropout's p": (lambda model, optimizer: setattr(model[3], "p", 0.5), "p of 3 is 0.5, and was 0.25"),
    "momentum": (lambda model, optimizer: setattr(model[1], "momentum", 0.2), "momentum of 1 is 0.2, and was 0.1"),
    "eps": (lambda model, optimizer: setattr(model[1], "eps", 0.1), "eps of 1 is 0.1, and was 1e-05"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model(change):
    do, message = CHANGES[change]
    model, optimizer, step = captured()
    do(model, optimizer)
    before = networks.everything(model, optimizer)
    with pytest.raises(tg.CaptureError, match=message):
        step(X, Y)
    networks.assert_same_bits(networks.everything(model, optimizer), before)


def test_what_is_undone_lets_the_step_run_again():
    (model, optimizer, step), (plain, plain_optimizer, _) = captured(), captured()
    model.eval()
    model[0].weight.requires_grad = False
    with pytest.raises(tg.CaptureError):
        step(X, Y)
    model.train()
    model[0].weight.requires_grad = True
    step(X, Y)
    networks.stepper(plain, plain_optimizer)(X, Y)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(plain, plain_optimizer))


ELSEWHERE = {
    "negative_slope": (lambda: nn.LeakyReLU(0.1), 0.2),
    "eps": (lambda: nn.LayerNorm(5), 0.1),
    "axis": (nn.Softmax, 0),
}


@pytest.mark.parametrize("option", ELSEWHERE)
def test_options_of_other_layers(option):
    make, value = ELSEWHERE[option]
    layer = make()
    step = tg.capture(layer)
    step(X)
    before = getattr(layer, option)
    setattr(layer, option, value)
    with pytest.raises(tg.CaptureError, match=rf"{option} of {type(layer).__name__} is {value}, and was {before}"):
        step(X)
    setattr(layer, option, before)
    step(X)


def test_options_of_a_users_layer():
    class Scaled(nn.Module):
        options = ("factor",)
        factor = 2.0

        def forward(self, x):
            return F.relu(x) * self.factor

    layer = Scaled()
    step = tg.capture(layer)
    step(X)
    layer.factor = 3.0
    with pytest.raises(tg.CaptureError, match=r"factor of Scaled is 3\.0, and was 2\.0"):
        step(X)


def test_threads_take_turns_and_copies_record_their_own():
    model = networks.network().eval()
    step, inputs = tg.capture(model), [networks.batch(seed=i)[0] for i in range(4)]
    want = [model(x).numpy().copy() for x in inputs]

    def same(i):
        return all(np.array_equal(step(inputs[i]).numpy(), want[i]) for _ in range(100))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(same, range(4)))
    twin = copy.deepcopy(step)
    assert step.recorded
    assert not twin.recorded
    model[4].weight = np.zeros((3, 7))
    assert np.array_equal(twin(X).numpy(), want[0])


def test_unfrozen_after_the_capture():
    model = networks.network()
    optimizer = networks.OPTIMIZERS["adam"](model)
    model[0].weight.requires_grad = False
    step = tg.capture(networks.stepper(model, optimizer))
    step(X, Y)
    model[0].weight.requires_grad = True
    with pytest.raises(tg.CaptureError, match="frozen or unfrozen"):
        step(X, Y)


def test_a_part_moved_into_another_model():
    model, _, step = captured()
    nn.Sequential(model[0], nn.ReLU())(X)
    with pytest.raises(tg.CaptureError, match="moved or its layers changed"):
        step(X, Y)


def test_an_evaluation_guards_mode_and_layout():
    model = networks.network().eval()
    forward = tg.capture(model)
    forward(X)
    model.train()
    with pytest.raises(tg.CaptureError, match="no longer in eval mode"):
        forward(X)
    model.eval().to(dtype=np.float64)
    with pytest.raises(tg.CaptureError, match="moved"):
        forward(X)


def test_parameters_used_without_their_module_are_guarded():
    layer = nn.Linear(5, 3)
    forward = tg.capture(lambda x: F.linear(x, layer.weight, layer.bias))
    forward(X)
    layer.to(dtype=np.float64)
    with pytest.raises(tg.CaptureError, match="moved"):
        forward(X)


ARGUMENTS = {
    "integer": (1, 2),
    "bool": (True, 1),
    "float": (0.5, 0.25),
    "text": ("mean", "sum"),
    "numpy scalar": (np.float32(1), np.float32(2)),
    "none": (None, 0),
    "tuple": ((1, 2), (1, 3)),
    "dict": ({"a": 1}, {"a": 2}),
    "function": (np.tanh, np.exp),
    "module": (nn.Linear(5, 3), nn.Linear(5, 3)),
    "object": (object(), object()),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_other_python_arguments_must_stay_equal(kind):
    was, other = ARGUMENTS[kind]
    model = networks.network().eval()
    forward = tg.capture(lambda x, value: model(x))
    forward(X, was)
    forward(X, was)
    with pytest.raises(tg.CaptureError, match="captured for"):
        forward(X, other)


def test_not_a_number_equals_itself_as_an_argument():
    model = networks.network().eval()
    forward = tg.capture(lambda x, value: model(x))
    forward(X, float("nan"))
    forward(X, float("nan"))


@pytest.mark.parametrize("pack", [lambda x, y: (x, y), lambda x, y: [x, y], lambda x, y: {"x": x, "y": y}])
def test_arrays_inside_an_argument_are_refused(pack):
    """They would be frozen at the first batch."""
    model = networks.network().eval()
    forward = tg.capture(lambda both: model(X))
    with pytest.raises(tg.CaptureError, match="arrays as arguments of their own"):
        forward(pack(X, Y))
    with pytest.raises(tg.CaptureError, match="arrays as arguments of their own"):
        tg.capture(lambda both: model(X))([1, pack(X, Y)])
