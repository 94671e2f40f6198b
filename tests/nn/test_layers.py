"""What layers take and refuse: constructor arguments, inputs, modes."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn

import networks

BAD_ARGUMENTS = {
    "no inputs": (lambda: nn.Linear(0, 3), ValueError, "Linear needs in_features to be a positive integer, got 0"),
    "negative": (lambda: nn.Linear(3, -1), ValueError, "Linear needs out_features to be a positive integer, got -1"),
    "fraction": (lambda: nn.Linear(2.5, 3), ValueError, r"Linear needs in_features .* got 2\.5"),
    "a boolean": (lambda: nn.Linear(True, 3), ValueError, "Linear needs in_features .* got True"),
    "mode": (lambda: nn.ReLU().train("eval"), TypeError, "train takes True for training or False .* got 'eval'"),
    "imaginary": (
        lambda: nn.Linear(1, 1).weight.assign(np.ones((1, 1), complex)),
        TypeError,
        "cannot take a value of co",
    ),
    "gradient": (
        lambda: setattr(nn.Linear(1, 1).weight, "grad", np.ones(2)),
        ValueError,
        r"a parameter of shape \(1, 1\) cannot have a gradient of shape \(2,\)",
    ),
    "no features": (lambda: nn.BatchNorm(0), ValueError, "BatchNorm needs num_features .* got 0"),
    "eps": (lambda: nn.BatchNorm(3, eps=0.0), ValueError, r"BatchNorm needs eps > 0 .* got eps 0\.0"),
    "eps nan": (lambda: nn.BatchNorm(3, eps=float("nan")), ValueError, "BatchNorm needs eps > 0 .* got eps nan"),
    "momentum": (lambda: nn.BatchNorm(3, momentum=1.5), ValueError, r"momentum in \[0, 1\], got .* momentum 1\.5"),
    "p as text": (lambda: nn.Dropout("0.5"), TypeError, r"p of Dropout must be a number, got '0\.5'"),
    "momentum as text": (
        lambda: nn.BatchNorm(3, momentum="a"),
        TypeError,
        "momentum of BatchNorm must be a number, got",
    ),
    "eps as text": (lambda: nn.BatchNorm(3, eps="a"), TypeError, "eps of BatchNorm must be a number, got 'a'"),
    "eps of LayerNorm": (lambda: nn.LayerNorm(3, eps=None), TypeError, "eps of LayerNorm must be a number, got None"),
    "slope as text": (lambda: nn.LeakyReLU("a"), TypeError, "negative_slope of LeakyReLU must be a number, got 'a'"),
    "seed as text": (lambda: nn.Sequential(seed="7"), TypeError, r"seed must be an integer in .* got '7'"),
    "p of 1": (lambda: nn.Dropout(1.0), ValueError, r"p in \[0, 1\), got 1\.0; keep_prob of other texts is 1 - p"),
    "p below 0": (lambda: nn.Dropout(-0.1), ValueError, r"p in \[0, 1\), got -0\.1"),
    "p nan": (lambda: nn.Dropout(float("nan")), ValueError, r"p in \[0, 1\), got nan"),
    "not a layer": (
        lambda: nn.Sequential(nn.ReLU(), np.tanh),
        TypeError,
        "layer 1 of Sequential is a ufunc, not a Mod",
    ),
    "a class": (lambda: nn.Sequential(nn.ReLU), TypeError, "layer 0 of Sequential is a type, not a Module"),
    "seed": (lambda: nn.Sequential(seed=-1), ValueError, r"seed must be an integer in \[0, 2\*\*64\), got -1"),
    "wide seed": (lambda: nn.Sequential(seed=1 << 64), ValueError, "seed must be an integer"),
    "fractional seed": (lambda: nn.Sequential(seed=1.5), TypeError, "integer"),
    "integer weights": (lambda: nn.Linear(2, 2, dtype=np.int32), TypeError, "floating dtype.*int32"),
    "no forward": (lambda: nn.Module()(1), TypeError, r"Module defines no forward\(\.\.\.\)"),
    "nothing drawn": (lambda: nn.Parameter(), TypeError, "a Parameter is made of data, or of a shape and a draw"),
    "integers": (lambda: nn.Parameter(np.arange(3)), TypeError, "floating"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments(case):
    make, error, message = BAD_ARGUMENTS[case]
    with pytest.raises(error, match=message):
        make()


LAYERS = {"Linear(4, 2)": lambda **k: nn.Linear(4, 2, **k), "BatchNorm(4)": lambda **k: nn.BatchNorm(4, **k)}
X = np.linspace(-1, 1, 12).reshape(3, 4)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("given", ["float64", "float32", "float16"])
@pytest.mark.parametrize("own", ["float64", "float32"])
def test_floating_input_is_cast_to_the_parameters_dtype(name, own, given):
    x = X.astype(given)
    layer, cast = LAYERS[name](dtype=own), LAYERS[name](dtype=own)
    out = layer(x)
    assert out.dtype == own
    assert out.numpy().tobytes() == cast(x.astype(own)).numpy().tobytes()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex128"])
def test_other_input_raises_naming_the_layer_and_the_cure(name, dtype):
    message = rf"{name.replace('(', '.').replace(')', '.')} takes floating input, got {dtype}; cast it to float32"
    with pytest.raises(TypeError, match=message):
        LAYERS[name]()(np.ones((3, 4), dtype))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("Linear(4, 2)", (3, 5)), ("BatchNorm(4)", (3, 5)), ("Linear(4, 2)", (4,)), ("BatchNorm(4)", (4,))],
)
def test_a_wrong_feature_count_names_both(name, shape):
    with pytest.raises(ValueError, match=rf"\(N, 4\), got \({shape[0]}, ?{shape[1] if len(shape) > 1 else ''}\)"):
        LAYERS[name]()(np.ones(shape, np.float32))


@pytest.mark.parametrize("make", [nn.BatchNorm, nn.LayerNorm])
@pytest.mark.parametrize("backwards", [1, 2])
def test_one_parameter_as_both_gamma_and_beta_gets_the_sum_of_the_gradients(make, backwards):
    def gradient(tied, mode):
        layer = make(70, dtype=np.float64)
        if tied:
            layer.bias = layer.weight
        layer.weight = np.linspace(0.5, 2, 70)
        x = np.random.default_rng(1).standard_normal((9, 70))
        with tg.fused(mode):
            for _ in range(backwards):
                (layer(x) * x * x).sum().backward()
        return layer.weight.grad if tied else layer.weight.grad + layer.bias.grad

    expected = gradient(False, "never")
    for mode in ("never", "auto"):
        np.testing.assert_allclose(gradient(True, mode), expected, rtol=1e-10, atol=1e-10)


def test_batch_norm_of_one_example_raises_and_changes_nothing():
    model = networks.network()
    before = networks.everything(model)
    with pytest.raises(ValueError, match=r"batch norm in training needs more than one example .*; use a larger batch"):
        model(np.ones((1, networks.IN), np.float32))
    networks.assert_same_bits(networks.everything(model), before)
    assert model.eval()(np.ones((1, networks.IN), np.float32)).shape == (1, networks.OUT)


def inputs():
    x, y = networks.batch(8)
    locked, backwards, wide = x.copy(), np.asfortranarray(x), np.zeros((16, 2 * networks.IN), np.float32)
    locked.flags.writeable = False
    wide[::2, ::2] = x
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    swapped = x.astype(">f4")
    return {
        "read-only": locked,
        "columns first": backwards,
        "strided": wide[::2, ::2],
        "unaligned": unaligned,
        "big-endian": swapped,
        "tensor": tg.Tensor(x),
        "plain": x,
    }, y


@pytest.mark.parametrize("kind", inputs()[0])
def test_the_layout_of_the_input_does_not_matter(kind):
    given, y = inputs()
    plain, model = networks.network(), networks.network()
    for net, x in ((plain, given["plain"]), (model, given[kind])):
        loss = tg.functional.softmax_cross_entropy(net(x), y)
        loss.backward()
    np.testing.assert_allclose(model.flat().grad, plain.flat().grad, rtol=2e-6, atol=2e-7)
    for name, array in plain.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], array, rtol=2e-6, err_msg=name)


def test_the_input_is_not_written():
    x, y = networks.batch(8)
    kept = x.copy()
    model = networks.network()
    networks.stepper(model, networks.OPTIMIZERS["adam"](model))(x, y)
    assert x.tobytes() == kept.tobytes()


def test_input_that_is_no_array_raises():
    with pytest.raises(TypeError, match=r"numpy\.asarray"):
        nn.Linear(2, 2)([[1.0, 2.0]])


def test_modes_reach_every_layer():
    model = nn.Sequential(nn.Sequential(nn.Dropout(0.5)), nn.BatchNorm(4))
    assert model.eval() is model
    assert not any(module.training for _, module in model.modules())
    assert model.train() is model
    assert all(module.training for _, module in model.modules())


def test_evaluation_neither_drops_nor_updates():
    model = networks.network()
    networks.train(model, networks.OPTIMIZERS["sgd"](model), 2)
    model.eval()
    before = networks.everything(model)
    x, _ = networks.batch(1)
    assert model(x).numpy().tobytes() == model(x).numpy().tobytes()
    networks.assert_same_bits(networks.everything(model), before)


def test_dropout_in_training():
    layer, x = nn.Dropout(0.25), np.ones((100, 100), np.float32)
    first, second = layer(x), layer(x)
    assert set(np.unique(first).tolist()) == {0.0, float(np.float32(1 / 0.75))}
    assert abs((first == 0).mean() - 0.25) < 0.02
    assert (first != second).any()
    assert layer.counter.value == 2
    layer.counter = 0
    assert layer(x).tobytes() == first.tobytes()


def test_dropout_of_zero_passes_on():
    layer, x = nn.Dropout(0.0), np.ones((2, 2), np.float32)
    assert layer(x) is x
    assert layer.counter.value == 0


def test_masks_depend_on_the_path_and_the_seed():
    x = np.ones((50, 50), np.float32)
    masks = [
        nn.Sequential(nn.ReLU(), nn.Dropout(0.5), seed=0)(x),
        nn.Sequential(nn.Dropout(0.5), nn.ReLU(), seed=0)(x),
        nn.Sequential(nn.ReLU(), nn.Dropout(0.5), seed=1)(x),
    ]
    assert len({np.asarray(mask).tobytes() for mask in masks}) == 3
    again = nn.Sequential(nn.ReLU(), nn.Dropout(0.5), seed=0)(x)
    assert again.tobytes() == masks[0].tobytes()


def test_running_averages_follow_the_course_example():
    layer = nn.BatchNorm(1)
    layer(np.asarray([[1.0], [2.0], [3.0], [4.0]], np.float32))
    np.testing.assert_allclose([layer.running_mean[0], layer.running_var[0]], [0.25, 16 / 15], rtol=1e-6)
    assert layer.num_batches_tracked.value == 1


def test_no_grad_records_nothing():
    model = networks.network()
    with tg.no_grad():
        assert not model(networks.batch()[0]).requires_grad
    assert model(networks.batch()[0]).requires_grad
