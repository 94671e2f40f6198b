"""What all optimizers share: arguments, binding, which parameters take part, and state that follows the model."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.kernels import cpu

import networks

NAN, INF = float("nan"), float("inf")
CLASSES = {"SGD": optim.SGD, "RMSprop": optim.RMSprop, "Adam": optim.Adam, "AdamW": optim.AdamW}


@pytest.fixture(params=CLASSES)
def kind(request):
    return CLASSES[request.param]


@pytest.mark.parametrize("name", ["lr", "weight_decay", "l1"])
@pytest.mark.parametrize("value", [NAN, INF, -INF, -1e-3])
def test_rates_must_be_finite_and_not_negative(kind, name, value):
    with pytest.raises(ValueError, match=f"{name} must be a finite number of at least 0, got {value}"):
        kind(**{name: value})


@pytest.mark.parametrize("value", [None, "fast", True, [0.1, 0.2]])
def test_a_rate_that_is_no_number_is_refused_by_name(kind, value):
    with pytest.raises(TypeError, match="lr must be a number, got"):
        kind(lr=value)


@pytest.mark.parametrize("name", ["clip_value", "clip_norm"])
@pytest.mark.parametrize("value", [NAN, 0.0, -1.0])
def test_limits_must_be_positive(kind, name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive, or None for no clipping; got {value}"):
        kind(**{name: value})


BAD = {
    "momentum of 1": (lambda: optim.SGD(momentum=1.0), r"momentum must be in \[0, 1\), got 1\.0"),
    "form": (lambda: optim.SGD(momentum=0.9, form="keras"), "form is one of pytorch, course; got 'keras'"),
    "nesterov alone": (lambda: optim.SGD(nesterov=True), "nesterov does not apply without momentum; give momentum=0.9"),
    "correction alone": (lambda: optim.SGD(bias_correction=True), "bias_correction does not apply without momentum"),
    "nesterov, corrected": (
        lambda: optim.SGD(momentum=0.9, nesterov=True, bias_correction=True),
        "bias_correction of Nesterov's momentum is not defined",
    ),
    "alpha": (lambda: optim.RMSprop(alpha=1.0), r"alpha must be in \[0, 1\), got 1\.0"),
    "eps of RMSprop": (lambda: optim.RMSprop(eps=-1.0), "eps must be a finite number of at least 0"),
    "eps_form": (lambda: optim.RMSprop(eps_form="hat"), "eps_form is one of outside, inside; got 'hat'"),
    "eps_form of Adam": (lambda: optim.AdamW(eps_form="hat"), "eps_form is one of outside, inside; got 'hat'"),
    "centered, corrected": (
        lambda: optim.RMSprop(centered=True, bias_correction=True),
        "bias_correction of the centered form is not defined",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_options_that_do_not_go(case):
    make, rule = BAD[case]
    with pytest.raises(ValueError, match=rule):
        make()


def test_an_unknown_option_is_refused(kind):
    with pytest.raises(TypeError, match="dampening"):
        kind(dampening=0.9)


@pytest.mark.parametrize("name", ["sgd", "momentum", "course momentum", "rmsprop", "adam"])
def test_l1_gives_exact_zeros_where_a_penalty_does_not(name):
    """A linear model of which 45 of 50 true weights are 0: the course's claim holds for the proximal step."""
    rng = np.random.default_rng(0)
    x, true = rng.standard_normal((200, 50)), np.zeros((1, 50))
    true[0, :5] = (3, -2, 1.5, 2, -1)
    y = x @ true.T
    zeros = {}
    for l1 in (0.0, 0.1):
        model = nn.Linear(50, 1, dtype="float64")
        optimizer = networks.OPTIMIZERS[name](model, lr=0.05, l1=l1, weight_decay=0.0)
        for _ in range(600):
            optimizer.zero_grad()
            tg.functional.mean_squared_error(model(x), y).backward()
            optimizer.step()
        zeros[l1] = model.sparsity()["total"] * 50
    assert zeros[0.0] == 0
    assert zeros[0.1] == pytest.approx(45, abs=1)


def test_clipping_and_the_norm_it_found():
    model = nn.Linear(2, 1, dtype="float64")
    optimizer = optim.SGD(model, lr=1.0, clip_norm=1.0)
    assert optimizer.grad_norm is None
    model.weight, model.bias = np.zeros((1, 2)), np.zeros(1)
    for parameter, grad in ((model.weight, [[3.0, 0.0]]), (model.bias, [4.0])):
        parameter.grad = np.asarray(grad)
    optimizer.step()
    assert optimizer.grad_norm == 5.0
    assert np.allclose(model.weight.numpy(), [[-0.6, 0.0]], atol=1e-6)
    assert optim.SGD(model).grad_norm is None
    with pytest.raises(AttributeError):
        optimizer.grad_norm = 1.0


def test_a_gradient_left_out_does_not_count_for_the_norm():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = optim.SGD(model, lr=0.1, clip_norm=1e6)
    for parameter in model.parameters():
        parameter.grad = np.ones(parameter.shape, np.float32)
    optimizer.step()
    assert optimizer.grad_norm == pytest.approx(12**0.5)
    model[0].weight.requires_grad = False
    optimizer.step()
    assert optimizer.grad_norm == pytest.approx(8**0.5)


def test_a_norm_that_is_nan_is_handed_on():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model, clip_norm=1.0)
    model.weight.grad = np.asarray([[np.nan, 1.0]], np.float32)
    optimizer.step()
    assert np.isnan(optimizer.grad_norm)
    assert np.isnan(model.weight.numpy()).all()


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("beta1", 1.0, r"beta1 must be in \[0, 1\), got 1\.0"),
        ("beta2", -0.1, r"beta2 must be in \[0, 1\), got -0\.1"),
        ("beta2", NAN, r"beta2 must be in \[0, 1\), got nan"),
        ("eps", -1e-8, "eps must be a finite number of at least 0, got -1e-08"),
        ("eps", NAN, "eps must be a finite number"),
    ],
)
def test_adams_arguments(kind, name, value, rule):
    with pytest.raises(ValueError, match=rule):
        kind(**{name: value})


def test_the_rate_is_checked_when_it_is_set(kind):
    optimizer = kind(lr=0.5)
    with pytest.raises(ValueError, match="lr must be a finite number of at least 0, got nan"):
        optimizer.lr = NAN
    assert optimizer.lr == 0.5
    optimizer.lr = np.float32(0.25)
    assert optimizer.lr == 0.25


def test_a_function_that_gives_a_bad_rate_changes_nothing(kind):
    rates = iter([0.1, NAN, 0.1])
    model = networks.network()
    optimizer = kind(model, lr=lambda step: next(rates))
    networks.train(model, optimizer, 1)
    model.eval()
    model(networks.batch()[0]).sum().backward()
    before = networks.everything(model, optimizer)
    with pytest.raises(ValueError, match="lr must be a finite number of at least 0, got nan"):
        optimizer.step()
    networks.assert_same_bits(networks.everything(model, optimizer), before)
    optimizer.step()
    assert optimizer.steps_taken == 2


def test_a_rate_function_gets_the_number_of_steps_taken(kind):
    seen = []
    model = networks.network()
    networks.train(model, kind(model, lr=lambda step: seen.append(step) or 0.1), 3)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("use", ["step", "zero_grad"])
def test_an_optimizer_without_a_model_says_so(kind, use):
    with pytest.raises(ValueError, match=rf"this {kind.__name__} has no model; pass one to it, or call bind\(model\)"):
        getattr(kind(), use)()


def test_binding(kind):
    model, other = networks.network(), networks.network()
    optimizer = kind()
    assert optimizer.bind(model) is optimizer
    assert optimizer.bind(model) is optimizer
    with pytest.raises(ValueError, match=f"this {kind.__name__} has a model already; make another optimizer"):
        optimizer.bind(other)
    with pytest.raises(TypeError, match=f"{kind.__name__} optimizes a Module, got a list"):
        kind(model.parameters())


def test_a_late_bound_optimizer_does_as_one_made_with_its_model(kind):
    first, second = networks.network(), networks.network()
    optimizers = [kind(first, lr=0.1), kind(lr=0.1).bind(second)]
    for model, optimizer in zip((first, second), optimizers, strict=True):
        networks.train(model, optimizer, 2)
    networks.assert_same_bits(networks.everything(second), networks.everything(first))


def test_the_base_class_has_no_rule():
    model = nn.Linear(2, 2)
    optimizer = optim.Optimizer(model, lr=0.1)
    model(np.ones((1, 2), np.float32)).sum().backward()
    with pytest.raises(TypeError, match=r"Optimizer defines no row\(\.\.\.\)"):
        optimizer.step()


def test_steps_without_gradients_change_nothing(kind):
    model = networks.network()
    optimizer = kind(model, weight_decay=0.5)
    before = model.flat().theta.copy()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.step()
    assert model.flat().theta.tobytes() == before.tobytes()
    assert {optimizer.steps_of(p) for p in model.parameters()} == {0}


def test_a_model_without_parameters_is_refused(kind):
    with pytest.raises(ValueError, match=r"has nothing to train: this Sequential has no parameters; assign layers"):
        kind(nn.Sequential(nn.ReLU()))


def test_frozen_parameters_keep_their_values_and_moments(kind):
    model = networks.network()
    optimizer = kind(model, weight_decay=0.1)
    networks.train(model, optimizer, 2)
    frozen = model[0].weight
    frozen.requires_grad = False
    before = networks.everything(model, optimizer)
    networks.train(model, optimizer, 2, first=2)
    offset, length = model.flat().segments[frozen.segment]
    after = networks.everything(model, optimizer)
    for name in ("theta", *(f"optimizer {state}" for state in optimizer.state)):
        assert after[name][offset : offset + length].tobytes() == before[name][offset : offset + length].tobytes(), name
        assert (after[name][offset + length :] != before[name][offset + length :]).any(), name
    assert optimizer.steps_of(frozen) == 2
    assert optimizer.steps_of(model[0].bias) == 4


def test_the_padding_between_segments_stays_zero(kind):
    model = networks.network()
    optimizer = kind(model, weight_decay=0.1)
    networks.train(model, optimizer, 3)
    inside = np.zeros(len(model.flat().theta), bool)
    for offset, length in model.flat().segments:
        inside[offset : offset + length] = True
    assert not inside.all()
    for array in (model.flat().theta, *optimizer.state.values()):
        assert not array[~inside].any()


def test_decay_is_for_weights_unless_a_parameter_says_otherwise():
    model = networks.network()
    assert [p.decay for p in model.parameters()] == [True, False, False, False, True, False]
    model[0].weight.decay, model[4].bias.decay = False, True
    model[4].bias = np.ones(3)
    optimizer = optim.AdamW(model, lr=0.1, weight_decay=0.5)
    before = [p.data.copy() for p in model.parameters()]
    for p in model.parameters():
        p.grad = np.zeros(p.shape, np.float32)
    optimizer.step()
    for old, p in zip(before, model.parameters(), strict=True):
        np.testing.assert_allclose(p.data, old * (0.95 if p.decay else 1.0), rtol=1e-6)


def test_settings_may_change_between_steps(kind):
    model, grad = nn.Linear(2, 2), np.zeros((2, 2), np.float32)
    model.weight = np.ones((2, 2))
    optimizer = kind(model, lr=0.1, weight_decay=0.0)
    moves = []
    for setting in (
        lambda: None,
        lambda: setattr(optimizer, "weight_decay", 0.5),
        lambda: setattr(model.weight, "decay", False),
        lambda: setattr(model.weight, "decay", True),
        lambda: setattr(model.weight, "lr_scale", 0.0),
    ):
        setting()
        model.weight.grad, before = grad, model.weight.data.copy()
        optimizer.step()
        moves.append(bool((model.weight.data != before).any()))
    expected = [False, True, kind is optim.Adam, True, False]  # Adam goes on by its first moment
    assert moves == expected


def test_two_optimizers_share_a_model(kind):
    model, plain = networks.network(p=0.0), networks.network(p=0.0)
    first, second = kind(model[0], lr=0.1), kind(model[4], lr=0.2)
    whole = kind(plain, lr=0.1)
    for parameter in plain[4].parameters():
        parameter.lr_scale = 2.0
    for p in (*plain[1].parameters(), *model[1].parameters()):
        p.requires_grad = False
    for i in range(3):
        networks.train(plain, whole, 1, first=i)
        loss = tg.functional.softmax_cross_entropy(model(networks.batch(seed=i)[0]), networks.batch(seed=i)[1])
        first.zero_grad()
        second.zero_grad()
        loss.backward()
        first.step()
        second.step()
    networks.assert_same_bits(networks.everything(model), networks.everything(plain))
    assert first.steps_of(model[0].weight) == 3
    assert first.steps_of(model[4].weight) == 0


def test_zero_grad_of_a_part_leaves_the_other_gradients():
    model = networks.network()
    model(networks.batch()[0]).sum().backward()
    optim.SGD(model[0]).zero_grad()
    assert model[0].weight.grad is None
    assert model[4].weight.grad is not None


def test_a_backward_pass_after_a_step_is_refused(kind):
    model = networks.network()
    x, y = networks.batch()
    early = tg.functional.softmax_cross_entropy(model(x), y)
    networks.train(model, kind(model), 1)
    with pytest.raises(tg.AutodiffError, match="overwritten"):
        early.backward()


@pytest.mark.skipif(not cpu.available(), reason=f"compares with compiled kernels: {cpu.unavailable()}")
@pytest.mark.parametrize("name", networks.OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fused_and_reference_updates_give_the_same_bits(name, dtype):
    """The gradients of both come from the fused path: the rule alone is compared."""
    models = [networks.network(dtype), networks.network(dtype)]
    optimizers = [networks.OPTIMIZERS[name](model) for model in models]
    rng = np.random.default_rng(0)
    for _ in range(10):
        for i in range(len(models[0].parameters())):
            grad = rng.standard_normal(models[0].parameters()[i].shape).astype(dtype)
            for model in models:
                model.parameters()[i].grad = grad
        for optimizer, mode in zip(optimizers, ("require", "never"), strict=True):
            with tg.fused(mode):
                optimizer.step()
    networks.assert_same_bits(*(networks.everything(m, o) for m, o in zip(models, optimizers, strict=True)))


@pytest.mark.parametrize("name", ["clip_value", "clip_norm"])
def test_an_infinite_limit_is_no_clipping(name: str) -> None:
    weights = []
    for limit in (np.inf, None):
        model = nn.Sequential(nn.Linear(2, 1), seed=0)
        optimizer = optim.SGD(model, lr=0.1, **{name: limit})
        model(np.ones((1, 2), np.float32)).sum().backward()
        optimizer.step()
        assert getattr(optimizer, name) is None
        weights.append(model.state_dict())
    for path, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][path])


@pytest.mark.parametrize("name", ["clip_norm", "clip_value", "weight_decay", "l1"])
def test_what_is_set_later_is_checked_as_at_first(name):
    optimizer = optim.SGD(lr=0.1)
    for bad, kind in ((-1.0, ValueError), ("x", TypeError), (True, TypeError)):
        with pytest.raises(kind, match=f"^{name} must be"):
            setattr(optimizer, name, bad)
    setattr(optimizer, name, 2)
    assert getattr(optimizer, name) == 2.0


LATER = {
    "beta1": (optim.Adam, 1.0, ValueError),
    "eps": (optim.AdamW, -1.0, ValueError),
    "eps_form": (optim.Adam, "hat", ValueError),
    "alpha": (optim.RMSprop, float("nan"), ValueError),
    "form": (optim.SGD, "keras", ValueError),
    "nesterov": (optim.SGD, "no", TypeError),
    "decoupled": (optim.SGD, 1, TypeError),
    "bias_correction": (optim.RMSprop, None, TypeError),
}


@pytest.mark.parametrize("name", LATER)
def test_what_an_optimizer_alone_has_is_checked_later_too(name):
    kind, value, error = LATER[name]
    optimizer = kind(lr=0.1)
    before = getattr(optimizer, name)
    with pytest.raises(error, match=f"^{name} "):
        setattr(optimizer, name, value)
    with pytest.raises(error, match=f"^{name} "):
        kind(**{name: value})
    assert getattr(optimizer, name) == before


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [(optim.SGD, "momentum", 0.9), (optim.RMSprop, "momentum", 0.9), (optim.RMSprop, "centered", True)],
)
def test_what_needs_moments_that_were_not_made_is_refused(make, name, value):
    with pytest.raises(ValueError, match=f"{name} of this {make.__name__} cannot become {value}: it was made with"):
        setattr(make(lr=0.1), name, value)
    optimizer = make(lr=0.1, **{name: value})
    setattr(optimizer, name, value)
    with pytest.raises(ValueError, match="make another optimizer"):
        setattr(optimizer, name, type(value)(0))


def test_a_boolean_is_no_learning_rate():
    with pytest.raises(TypeError, match="lr must be a number, got True"):
        optim.SGD(lr=True)


def test_an_optimizer_shows_its_options():
    given = optim.SGD(lr=optim.schedules.InverseTime(0.1, decay=1.0), momentum=0.9, clip_norm=2.0)
    assert repr(given) == (
        "SGD(lr=InverseTime(lr=0.1, decay=1.0), momentum=0.9, form='pytorch', nesterov=False, bias_correction=False, "
        "weight_decay=0.0, decoupled=False, l1=0.0, clip_norm=2.0, loss_scale=1.0)"
    )
