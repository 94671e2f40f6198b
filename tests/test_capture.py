"""The captured step: n captured steps leave the same bits as n plain ones."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.kernels import cpu

import networks

pytestmark = pytest.mark.skipif(not cpu.available(), reason=f"capture needs compiled kernels: {cpu.unavailable()}")


def compare(pairs, batches, before=lambda number, optimizer: None):
    losses = [
        networks.run(pair, wrap, batches, before) for pair, wrap in zip(pairs, (tg.capture, lambda f: f), strict=True)
    ]
    assert [loss.tobytes() for loss in losses[0]] == [loss.tobytes() for loss in losses[1]]
    networks.assert_same_bits(*(networks.everything(*pair) for pair in pairs))
    gradients = [[p.grad.tobytes() for p in model.parameters()] for model, _ in pairs]
    assert gradients[0] == gradients[1]


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
    compare(networks.twins(name, dtype, **options), networks.batches(dtype=dtype), before)


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
    data = [(rng.standard_normal((n, inputs), np.float32), rng.integers(0, outputs, n)) for _ in range(networks.STEPS)]
    compare([pair(), pair()], data)


def test_weight_decay_and_scales_may_change_between_steps():
    def before(number, optimizer):
        optimizer.weight_decay = 0.1 * number
        weight = optimizer._model[0].weight
        weight.lr_scale, weight.decay = 1.0 / (number + 1), number % 2 == 0

    for name in networks.OPTIMIZERS:
        compare(networks.twins(name), networks.batches(), before)


def test_frozen_and_tied_parameters():
    def pair():
        model = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3))
        model[2].weight = model[0].weight
        model[0].bias.requires_grad = False
        return model, optim.AdamW(model, lr=0.1)

    found = []
    for wrap in (tg.capture, lambda f: f):
        model, optimizer = pair()
        networks.run((model, optimizer), wrap, networks.batches())
        found.append(networks.everything(model, optimizer))
        assert optimizer.steps_of(model[0].bias) == 0
    networks.assert_same_bits(*found)


@pytest.mark.parametrize("pattern", ["ecececec", "ceeeccce", "cccceeee"])
def test_plain_and_captured_steps_mix(pattern):
    (model, optimizer), plain = networks.twins("adamw", lr=lambda step: 0.01 / (step + 1))
    eager = networks.stepper(model, optimizer)
    captured = tg.capture(eager)
    data = networks.batches(steps=len(pattern))
    losses = [
        {"e": eager, "c": captured}[which](x, y).numpy().tobytes() for which, (x, y) in zip(pattern, data, strict=True)
    ]
    assert losses == [loss.tobytes() for loss in networks.run(plain, lambda f: f, data)]
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_a_last_short_batch_goes_through_the_plain_step():
    (model, optimizer), plain = networks.twins()
    eager = networks.stepper(model, optimizer)
    captured = tg.capture(eager)
    data = networks.batches()
    data[2] = data[5] = networks.batch(7, seed=9)
    for x, y in data:
        (captured if len(x) == 16 else eager)(x, y)
    networks.run(plain, lambda f: f, data)
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_two_captured_steps_share_a_model():
    (model, optimizer), plain = networks.twins()
    steps = {n: tg.capture(networks.stepper(model, optimizer)) for n in (16, 9)}
    data = [networks.batch(n, seed=i) for i, n in enumerate((16, 9, 9, 16, 9, 16))]
    for x, y in data:
        steps[len(x)](x, y)
    networks.run(plain, lambda f: f, data)
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
        for x, y in networks.batches():
            assert step(x, y) is None
        found.append(networks.everything(model) | {"m": optimizers[0].state["m"].copy()})
    networks.assert_same_bits(*found)


def test_a_rate_that_fails_in_a_replay_leaves_every_optimizer_as_it_was():
    def rate(steps):
        if fails:
            raise RuntimeError("no rate today")
        return 0.1 / (1 + steps)

    model, fails = networks.network(), False
    optimizers = [optim.Adam(model[0], lr=0.1), optim.SGD(model[4], lr=0.2), optim.RMSprop(model[1], lr=rate)]

    @tg.capture
    def step(x, y):
        for optimizer in optimizers:
            optimizer.zero_grad()
        F.softmax_cross_entropy(model(x), y).backward()
        for optimizer in optimizers:
            optimizer.step()

    for x, y in networks.batches():
        step(x, y)
    before = [networks.everything(model)] + [optimizer.state_dict() for optimizer in optimizers]
    fails = True
    with pytest.raises(RuntimeError, match="no rate today"):
        step(*networks.batch())
    after = [networks.everything(model)] + [optimizer.state_dict() for optimizer in optimizers]
    networks.assert_same_bits(after[0], before[0])
    assert [(a["steps_taken"], a["steps"]) for a in after[1:]] == [(b["steps_taken"], b["steps"]) for b in before[1:]]
    fails = False
    step(*networks.batch())
    assert [optimizer.steps_taken for optimizer in optimizers] == [networks.STEPS + 1] * 3


def test_a_counter_does_not_wrap_in_a_replay():
    (model, optimizer), _ = networks.twins()
    step = tg.capture(networks.stepper(model, optimizer))
    step(*networks.batch())
    counter = model[3].counter
    counter.value = 2**32 - 2
    step(*networks.batch())
    before = networks.everything(model, optimizer)
    with pytest.raises(ValueError, match=r"a counter holds .* 4294967295 cannot advance by 1"):
        step(*networks.batch())
    networks.assert_same_bits(networks.everything(model, optimizer), before)


def test_two_backward_passes_in_one_step():
    def stepper(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            for _ in range(2):
                F.softmax_cross_entropy(model(x), y).backward()
            optimizer.step()

        return step

    found = []
    for pair, wrap in zip(networks.twins(), (tg.capture, lambda f: f), strict=True):
        step = wrap(stepper(*pair))
        for x, y in networks.batches():
            step(x, y)
        found.append(networks.everything(*pair))
    networks.assert_same_bits(*found)
    assert found[0]["counter 3.counter"] == 2 * networks.STEPS


def test_gradients_are_there_after_a_replay_whatever_was_zeroed_outside():
    (model, optimizer), plain = networks.twins()
    step = tg.capture(networks.stepper(model, optimizer))
    eager = networks.stepper(*plain)
    for x, y in networks.batches():
        for do, opt in ((step, optimizer), (eager, plain[1])):
            opt.zero_grad()
            do(x, y)
            opt.step()
    assert all(p.grad is not None for p in model.parameters())
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_state_loaded_between_replays_is_used():
    (model, optimizer), plain = networks.twins("sgd")
    other = networks.network(seed=5).state_dict()
    step, eager = tg.capture(networks.stepper(model, optimizer)), networks.stepper(*plain)
    for number, (x, y) in enumerate(networks.batches()):
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
    for x, _ in networks.batches():
        assert forward(x).numpy().tobytes() == model(x).numpy().tobytes()
    networks.assert_same_bits(networks.everything(model), before)
    networks.train(model.train(), networks.OPTIMIZERS["sgd"](model), 1)
    model.eval()
    x, _ = networks.batch()
    assert forward(x).numpy().tobytes() == model(x).numpy().tobytes()


def test_a_step_that_only_computes_gradients():
    (model, optimizer), plain = networks.twins()

    def gradients(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            loss = F.softmax_cross_entropy(model(x), y)
            loss.backward()
            return loss

        return step

    captured, eager = tg.capture(gradients(model, optimizer)), gradients(*plain)
    for x, y in networks.batches():
        captured(x, y), eager(x, y)
        optimizer.step(), plain[1].step()
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(*plain))


def test_a_backward_pass_after_a_replay_is_refused():
    (model, optimizer), _ = networks.twins()
    step = tg.capture(networks.stepper(model, optimizer))
    x, y = networks.batch()
    step(x, y)
    early = F.softmax_cross_entropy(model(x), y)
    step(x, y)
    with pytest.raises(tg.AutodiffError, match="overwritten"):
        early.backward()
