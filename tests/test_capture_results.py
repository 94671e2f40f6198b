"""What goes into a captured step and comes out of it: copies, of any shape, in any thread."""

import collections
import copy
import threading

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad.kernels import cpu

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")


def test_results_are_copies():
    (model, optimizer), _ = networks.twins("sgd")
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    losses = [step(x, y) for _ in range(4)]
    values = [loss.numpy().copy() for loss in losses]
    assert len({value.tobytes() for value in values}) == 4
    step(*networks.batch(seed=9))
    assert [loss.numpy().tobytes() for loss in losses] == [value.tobytes() for value in values]
    assert not any(np.shares_memory(a.data, b.data) for a in losses for b in losses if a is not b)


Pair = collections.namedtuple("Pair", ["loss", "logits"])
SHAPES = {
    "tuple": lambda loss, logits: (loss, logits),
    "list": lambda loss, logits: [loss, logits],
    "dict": lambda loss, logits: {"loss": loss, "logits": logits},
    "named tuple": Pair,
    "nested": lambda loss, logits: {"all": (loss, [logits, None])},
    "none": lambda loss, logits: None,
}


def leaves(result):
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in leaves(part)]
    return [] if result is None else [result.numpy().tobytes()]


@pytest.mark.parametrize("shape", SHAPES)
def test_results_keep_their_shape(shape):
    def stepper(model, optimizer):
        def step(x, y):
            logits = model(x)
            loss = F.softmax_cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return SHAPES[shape](loss, logits)

        return step

    pairs = networks.twins()
    step, eager = tg.capture(stepper(*pairs[0])), stepper(*pairs[1])
    for x, y in networks.batches():
        found, expected = step(x, y), eager(x, y)
        assert type(found) is type(expected)
        assert leaves(found) == leaves(expected)


def test_inputs_of_any_layout_and_tensors():
    (model, optimizer), plain = networks.twins()
    step, eager = tg.capture(networks.stepper(model, optimizer)), networks.stepper(*plain)
    layouts = (np.asfortranarray, tg.Tensor, lambda x: np.repeat(x, 2, axis=1)[:, ::2], np.array)
    for (x, y), layout in zip(networks.batches(steps=4), layouts, strict=True):
        step(layout(x), y)
        eager(x, y)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_inputs_are_neither_kept_nor_written():
    (model, optimizer), plain = networks.twins()
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    kept = x.copy()
    x.flags.writeable = False
    step(x, y)
    x.flags.writeable = True
    x[...], first = 0, networks.everything(model)
    step(kept, y)
    networks.run(plain, lambda f: f, [(kept, y)] * 2)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))
    assert first["theta"].any()


def test_the_wrapper_keeps_the_steps_name():
    def my_step(x):
        """My words."""

    assert (tg.capture(my_step).__name__, tg.capture(my_step).__doc__) == ("my_step", "My words.")


def test_a_step_is_captured_and_replayed_in_any_thread():
    (model, optimizer), plain = networks.twins()
    step = tg.capture(networks.stepper(model, optimizer))
    data = networks.batches()
    for x, y in data:
        thread = threading.Thread(target=step, args=(x, y))
        thread.start()
        thread.join()
    networks.run(plain, lambda f: f, data)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_a_copy_of_a_captured_model_goes_its_own_way():
    (model, optimizer), plain = networks.twins()
    step = tg.capture(networks.stepper(model, optimizer))
    data = networks.batches()
    for x, y in data[:3]:
        step(x, y)
    twin, twin_optimizer = copy.deepcopy((model, optimizer))
    for x, y in data[3:]:
        step(x, y)
    own = tg.capture(networks.stepper(twin, twin_optimizer))
    for x, y in data[3:]:
        own(x, y)
    networks.run(plain, lambda f: f, data)
    for pair in ((model, optimizer), (twin, twin_optimizer)):
        networks.assert_same_bits(networks.everything(*pair), networks.everything(*plain))
