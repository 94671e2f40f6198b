"""The captured step: n captured steps leave the same bits as n plain ones."""

import collections
import copy
import threading

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.kernels import cpu

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")

STEPS = 6


def twins(name="adam", dtype=np.float32, **options):
    """Two equal models, each with its optimizer."""
    models = [networks.network(dtype) for _ in range(2)]
    return [(model, networks.OPTIMIZERS[name](model, **options)) for model in models]


def run(pair, wrap, batches, before=lambda number, optimizer: None):
    """The losses of one step for each batch."""
    model, optimizer = pair
    step = wrap(networks.stepper(model, optimizer))
    losses = []
    for number, (x, y) in enumerate(batches):
        before(number, optimizer)
        losses.append(step(x, y).numpy().copy())
    return losses


def compare(pairs, batches, before=lambda number, optimizer: None):
    losses = [run(pair, wrap, batches, before) for pair, wrap in zip(pairs, (tg.capture, lambda f: f), strict=True)]
    assert [loss.tobytes() for loss in losses[0]] == [loss.tobytes() for loss in losses[1]]
    networks.assert_same_bits(*(networks.everything(*pair) for pair in pairs))
    gradients = [[p.grad.tobytes() for p in model.parameters()] for model, _ in pairs]
    assert gradients[0] == gradients[1]


def batches(n=16, dtype=np.float32, steps=STEPS):
    return [networks.batch(n, dtype, seed=i) for i in range(steps)]


def assign_rate(number, optimizer):
    optimizer.lr = 0.02 / (number + 1)


RATES = {
    "constant": ({}, lambda number, optimizer: None),
    "assigned": ({}, assign_rate),
    "function": ({"lr": lambda step: 0.02 / (step + 1)}, lambda number, optimizer: None),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", networks.OPTIMIZERS)
def test_captured_steps_equal_plain_ones(name, dtype, rate):
    options, before = RATES[rate]
    compare(twins(name, dtype, **options), batches(dtype=dtype), before)


@pytest.mark.parametrize("widths", [(1, 1, 2), (3, 200, 10), (64, 33, 17), (17, 128, 2)])
@pytest.mark.parametrize("n", [2, 65])
def test_shapes(n, widths):
    inputs, hidden, outputs = widths

    def pair():
        model = nn.Sequential(
            nn.Linear(inputs, hidden), nn.BatchNorm(hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, outputs)
        )
        return model, optim.Adam(model, lr=0.01)

    rng = np.random.default_rng(0)
    data = [(rng.standard_normal((n, inputs), np.float32), rng.integers(0, outputs, n)) for _ in range(STEPS)]
    compare([pair(), pair()], data)


def test_weight_decay_and_scales_may_change_between_steps():
    def before(number, optimizer):
        optimizer.weight_decay = 0.1 * number
        weight = optimizer._model[0].weight
        weight.lr_scale, weight.decay = 1.0 / (number + 1), number % 2 == 0

    for name in networks.OPTIMIZERS:
        compare(twins(name), batches(), before)


def test_frozen_and_tied_parameters():
    def pair():
        model = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3))
        model[2].weight = model[0].weight
        model[0].bias.requires_grad = False
        return model, optim.AdamW(model, lr=0.1)

    found = []
    for wrap in (tg.capture, lambda f: f):
        model, optimizer = pair()
        run((model, optimizer), wrap, batches())
        found.append(networks.everything(model, optimizer))
        assert optimizer.steps_of(model[0].bias) == 0
    networks.assert_same_bits(*found)


@pytest.mark.parametrize("pattern", ["ecececec", "ceeeccce", "cccceeee"])
def test_plain_and_captured_steps_mix(pattern):
    (model, optimizer), plain = twins("adamw", lr=lambda step: 0.01 / (step + 1))
    eager = networks.stepper(model, optimizer)
    captured = tg.capture(eager)
    data = batches(steps=len(pattern))
    losses = [
        {"e": eager, "c": captured}[which](x, y).numpy().tobytes() for which, (x, y) in zip(pattern, data, strict=True)
    ]
    assert losses == [loss.tobytes() for loss in run(plain, lambda f: f, data)]
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_a_last_short_batch_goes_through_the_plain_step():
    (model, optimizer), plain = twins()
    eager = networks.stepper(model, optimizer)
    captured = tg.capture(eager)
    data = batches()
    data[2] = data[5] = networks.batch(7, seed=9)
    for x, y in data:
        (captured if len(x) == 16 else eager)(x, y)
    run(plain, lambda f: f, data)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_two_captured_steps_share_a_model():
    (model, optimizer), plain = twins()
    steps = {n: tg.capture(networks.stepper(model, optimizer)) for n in (16, 9)}
    data = [networks.batch(n, seed=i) for i, n in enumerate((16, 9, 9, 16, 9, 16))]
    for x, y in data:
        steps[len(x)](x, y)
    run(plain, lambda f: f, data)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_two_optimizers_in_one_step():
    def pair():
        model = networks.network()
        return model, (optim.Adam(model[0], lr=0.1), optim.SGD(model[4], lr=0.2))

    def stepper(model, optimizers):
        def step(x, y):
            for optimizer in optimizers:
                optimizer.zero_grad()
            F.softmax_cross_entropy(model[4](model[3](model[2](model[0](x)))), y).backward()
            for optimizer in optimizers:
                optimizer.step()

        return step

    found = []
    for wrap in (tg.capture, lambda f: f):
        model, optimizers = pair()
        step = wrap(stepper(model, optimizers))
        for x, y in batches():
            assert step(x, y) is None
        found.append(networks.everything(model) | {"m": optimizers[0].state["m"].copy()})
    networks.assert_same_bits(*found)


def test_two_backward_passes_in_one_step():
    def stepper(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            for _ in range(2):
                F.softmax_cross_entropy(model(x), y).backward()
            optimizer.step()

        return step

    found = []
    for pair, wrap in zip(twins(), (tg.capture, lambda f: f), strict=True):
        step = wrap(stepper(*pair))
        for x, y in batches():
            step(x, y)
        found.append(networks.everything(*pair))
    networks.assert_same_bits(*found)
    assert found[0]["counter 3.counter"] == 2 * STEPS


def test_gradients_are_there_after_a_replay_whatever_was_zeroed_outside():
    (model, optimizer), plain = twins()
    step = tg.capture(networks.stepper(model, optimizer))
    eager = networks.stepper(*plain)
    for x, y in batches():
        for do, opt in ((step, optimizer), (eager, plain[1])):
            opt.zero_grad()
            do(x, y)
            opt.step()
    assert all(p.grad is not None for p in model.parameters())
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_state_loaded_between_replays_is_used():
    (model, optimizer), plain = twins("sgd")
    other = networks.network(seed=5).state_dict()
    step, eager = tg.capture(networks.stepper(model, optimizer)), networks.stepper(*plain)
    for number, (x, y) in enumerate(batches()):
        if number == 3:
            for net in (model, plain[0]):
                net.load_state_dict(other)
                net[3].counter = 40
                net[0].bias = np.ones(networks.HIDDEN)
        step(x, y), eager(x, y)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_results_do_not_depend_on_the_thread_count():
    threads = cpu.threads()
    found = []
    try:
        for count in (1, 2, 3):
            for wrap in (tg.capture, lambda f: f):
                cpu.set_threads(count)
                model = nn.Sequential(
                    nn.Linear(70, 190), nn.BatchNorm(190), nn.ReLU(), nn.Dropout(0.3), nn.Linear(190, 9)
                )
                optimizer = optim.Adam(model)
                rng = np.random.default_rng(0)
                step = wrap(networks.stepper(model, optimizer))
                for _ in range(3):
                    step(rng.standard_normal((133, 70), np.float32), rng.integers(0, 9, 133))
                found.append(networks.everything(model, optimizer))
    finally:
        cpu.set_threads(threads)
    for other in found[1:]:
        networks.assert_same_bits(other, found[0])


def test_an_evaluation_alone_is_captured():
    model = networks.network()
    networks.train(model, networks.OPTIMIZERS["adam"](model), 2)
    model.eval()
    forward = tg.capture(model)
    before = networks.everything(model)
    for x, _ in batches():
        assert forward(x).numpy().tobytes() == model(x).numpy().tobytes()
    networks.assert_same_bits(networks.everything(model), before)
    networks.train(model.train(), networks.OPTIMIZERS["sgd"](model), 1)
    model.eval()
    x, _ = networks.batch()
    assert forward(x).numpy().tobytes() == model(x).numpy().tobytes()


def test_results_are_copies():
    (model, optimizer), _ = twins("sgd")
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

    pairs = twins()
    step, eager = tg.capture(stepper(*pairs[0])), stepper(*pairs[1])
    for x, y in batches():
        found, expected = step(x, y), eager(x, y)
        assert type(found) is type(expected)
        assert leaves(found) == leaves(expected)


def test_inputs_of_any_layout_and_tensors():
    (model, optimizer), plain = twins()
    step, eager = tg.capture(networks.stepper(model, optimizer)), networks.stepper(*plain)
    layouts = (np.asfortranarray, tg.Tensor, lambda x: np.repeat(x, 2, axis=1)[:, ::2], np.array)
    for (x, y), layout in zip(batches(steps=4), layouts, strict=True):
        step(layout(x), y)
        eager(x, y)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_inputs_are_neither_kept_nor_written():
    (model, optimizer), plain = twins()
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    kept = x.copy()
    x.flags.writeable = False
    step(x, y)
    x.flags.writeable = True
    x[...], first = 0, networks.everything(model)
    step(kept, y)
    run(plain, lambda f: f, [(kept, y)] * 2)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))
    assert first["theta"].any()


def test_the_wrapper_keeps_the_steps_name():
    def my_step(x):
        """My words."""

    assert (tg.capture(my_step).__name__, tg.capture(my_step).__doc__) == ("my_step", "My words.")


def test_a_step_is_captured_and_replayed_in_any_thread():
    (model, optimizer), plain = twins()
    step = tg.capture(networks.stepper(model, optimizer))
    data = batches()
    for x, y in data:
        thread = threading.Thread(target=step, args=(x, y))
        thread.start()
        thread.join()
    run(plain, lambda f: f, data)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_a_copy_of_a_captured_model_goes_its_own_way():
    (model, optimizer), plain = twins()
    step = tg.capture(networks.stepper(model, optimizer))
    data = batches()
    for x, y in data[:3]:
        step(x, y)
    twin, twin_optimizer = copy.deepcopy((model, optimizer))
    for x, y in data[3:]:
        step(x, y)
    own = tg.capture(networks.stepper(twin, twin_optimizer))
    for x, y in data[3:]:
        own(x, y)
    run(plain, lambda f: f, data)
    for pair in ((model, optimizer), (twin, twin_optimizer)):
        networks.assert_same_bits(networks.everything(*pair), networks.everything(*plain))


def test_a_step_that_only_computes_gradients():
    (model, optimizer), plain = twins()

    def gradients(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            loss = F.softmax_cross_entropy(model(x), y)
            loss.backward()
            return loss

        return step

    captured, eager = tg.capture(gradients(model, optimizer)), gradients(*plain)
    for x, y in batches():
        captured(x, y), eager(x, y)
        optimizer.step(), plain[1].step()
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_a_backward_pass_after_a_replay_is_refused():
    (model, optimizer), _ = twins()
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    step(x, y)
    early = F.softmax_cross_entropy(model(x), y)
    step(x, y)
    with pytest.raises(tg.AutodiffError, match="overwritten"):
        early.backward()
