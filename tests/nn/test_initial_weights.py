"""Initial weights: functions of the outermost module's seed and the path, drawn late, with the stated moments."""

import copy
import pickle
import zlib

import numpy as np
import pytest

from twingrad import nn
from twingrad.nn import init

import networks


def weights(model):
    return {name: parameter.data.copy() for name, parameter in model.named_parameters().items()}


def test_one_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (weights(networks.network(seed=seed)) for seed in (3, 3, 4))
    networks.assert_same_bits(again, first)
    for name in ("0.weight", "4.weight"):
        assert not np.any(first[name] == other[name])


def test_layers_of_one_shape_get_different_weights():
    found = weights(nn.Sequential(*(nn.Linear(6, 6) for _ in range(4))))
    assert len({found[f"{i}.weight"].tobytes() for i in range(4)}) == 4


def test_the_weights_of_a_path_are_these():
    """Known answers: a change here changes every seeded result."""
    found = weights(networks.network(seed=0))["0.weight"]
    np.testing.assert_allclose(found[0, :2], (0.06253912, -0.28250146), rtol=1e-6)


def test_a_seed_given_after_a_look_counts():
    model = networks.network(seed=1)
    model.summary(), model.parameters()
    model.seed = 2
    networks.assert_same_bits(weights(model), weights(networks.network(seed=2)))


class Block(nn.Module):
    def __init__(self):
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.inner(x))


def test_weights_depend_on_the_path_from_the_outermost_module_and_its_seed():
    block, nested = Block(), nn.Sequential(nn.ReLU(), Block(), seed=0)
    block.seed = 7
    nested.seed = 7
    other = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(4, 4), seed=99), seed=7)
    same = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(4, 4), seed=11), seed=7)
    networks.assert_same_bits(weights(other), weights(same))
    assert weights(block)["head.weight"].tobytes() != weights(nested)["1.head.weight"].tobytes()
    again = nn.Sequential(nn.ReLU(), Block(), seed=7)
    networks.assert_same_bits(weights(again), weights(nested))


def test_other_layers_do_not_matter():
    short, long = nn.Sequential(nn.Linear(4, 4)), nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 9))
    assert weights(short)["0.weight"].tobytes() == weights(long)["0.weight"].tobytes()


LOOKS = {
    "repr": repr,
    "summary": lambda layer: layer.summary(),
    "describe": lambda layer: layer.describe(),
    "shape": lambda layer: layer.weight.shape,
    "values": lambda layer: layer.weight.numpy().sum(),
    "state_dict": lambda layer: layer.state_dict(),
    "parameters": lambda layer: layer.parameters(),
    "flat": lambda layer: layer.flat(),
    "to": lambda layer: layer.to("cpu"),
    "eval": lambda layer: layer.eval().train(),
    "copy": copy.deepcopy,
}


@pytest.mark.parametrize("look", LOOKS)
def test_looking_at_a_layer_before_it_joins_a_model_changes_nothing(look):
    expected = weights(networks.network(seed=5))
    layers = [nn.Linear(5, 7), nn.BatchNorm(7), nn.ReLU(), nn.Dropout(0.25), nn.Linear(7, 3)]
    for layer in (layers[0], layers[4]):
        LOOKS[look](layer)
    networks.assert_same_bits(weights(nn.Sequential(*layers, seed=5)), expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_of_an_unused_layer_are_drawn_for_their_own_places(copied):
    prototype = nn.Linear(4, 4)
    found = weights(nn.Sequential(*(copied(prototype) for _ in range(2))))
    expected = weights(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))
    networks.assert_same_bits(found, expected)


def assign(layer):
    layer.weight = np.full((3, 2), 0.5)


def train(layer):
    layer.weight.grad = np.ones((3, 2), np.float32)
    networks.OPTIMIZERS["adam"](layer).step()


def write(layer):
    layer.flat().theta[...] = 2


USES = {
    "called": lambda layer: layer(np.ones((1, 2), np.float32)),
    "assigned": assign,
    "assigned its own value": lambda layer: layer.weight.assign(layer.weight.numpy().copy()),
    "loaded": lambda layer: layer.load_state_dict(layer.state_dict()),
    "trained": train,
    "written": write,
}


@pytest.mark.parametrize("use", USES)
def test_a_layer_that_was_used_keeps_its_values_in_a_larger_model(use):
    layer = nn.Linear(2, 3)
    USES[use](layer)
    before = layer.weight.data.copy()
    model = nn.Sequential(nn.Linear(2, 2), layer, seed=8)
    assert model[1].weight.data.tobytes() == before.tobytes()
    model(np.ones((1, 2), np.float32))
    assert model[1].weight.data.tobytes() == before.tobytes()
    networks.assert_on_the_flat_buffer(model)


def test_a_pretrained_part_keeps_values_averages_and_counters():
    part = networks.network(seed=1)
    networks.train(part, networks.OPTIMIZERS["adam"](part), 3)
    before, counters = part.state_dict(), {k: c.value for k, c in part.counters().items()}
    model = nn.Sequential(part, nn.ReLU(), nn.Linear(networks.OUT, 2), seed=2)
    after = model.state_dict()
    networks.assert_same_bits({k: after[f"0.{k}"] for k in before}, before)
    assert {k: model.counters()[f"0.{k}"].value for k in counters} == counters
    networks.assert_on_the_flat_buffer(model)


def test_two_streams_of_one_number_raise(monkeypatch):
    monkeypatch.setattr(
        "twingrad.nn.drawing.stream_of", lambda path: 0 if "weight" in path else zlib.crc32(path.encode())
    )
    with pytest.raises(ValueError, match=r"'0\.weight' and '1\.weight' would draw the same random numbers; rename one"):
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).parameters()


def test_a_mask_and_a_weight_of_one_stream_raise(monkeypatch):
    numbers = {"0.weight": 5, "1.mask": 5}
    monkeypatch.setattr("twingrad.nn.drawing.stream_of", lambda path: numbers.get(path, zlib.crc32(path.encode())))
    with pytest.raises(ValueError, match=r"'0\.weight' and '1\.mask'"):
        nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))(np.ones((1, 2), np.float32))


OUT, IN = 300, 200
VARIANCES = {
    "lecun": 1 / IN,
    "glorot": 2 / (IN + OUT),
    "he": 2 / IN,
}


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("name", VARIANCES)
def test_moments(name, kind):
    drawn = getattr(init, f"{name}_{kind}")((OUT, IN), seed=1, stream=2)
    n, variance = OUT * IN, VARIANCES[name]
    assert drawn.shape == (OUT, IN)
    assert drawn.dtype == np.float64
    kurtosis = 3.0 if kind == "normal" else 1.8
    assert abs(drawn.mean()) < 4 * np.sqrt(variance / n)
    assert abs(drawn.var() / variance - 1) < 4 * np.sqrt((kurtosis - 1) / n)
    assert abs((drawn**4).mean() / variance**2 - kurtosis) < (0.25 if kind == "normal" else 0.03)
    if kind == "uniform":
        limit = np.sqrt(3 * variance)
        assert 0.999 * limit < np.abs(drawn).max() <= limit


def test_constants():
    assert init.zeros((2, 3), seed=0, stream=0).tolist() == [[0.0] * 3] * 2
    assert init.ones((3,), seed=0, stream=0).tolist() == [1.0] * 3


def test_the_default_is_he_with_biases_of_zero():
    layer = nn.Linear(IN, OUT)
    assert abs(layer.weight.data.var() * IN / 2 - 1) < 0.03
    assert not layer.bias.data.any()


def test_a_layer_takes_its_own_draw():
    layer = nn.Linear(3, 2, init=lambda shape, **key: np.full(shape, 0.25))
    assert layer.weight.data.tolist() == [[0.25] * 3] * 2


@pytest.mark.parametrize("shape", [(3,), (8, 3, 5, 5), (2, 0)], ids=str)
def test_only_weights_of_two_axes_tell_their_inputs(shape):
    with pytest.raises(ValueError, match=r"takes a weight of shape \(n_out, n_in\), each from 1; got \("):
        init.he_normal(shape, seed=0, stream=0)


def test_the_name_of_a_draw_is_none():
    with pytest.raises(TypeError, match=r"drawn by a function, such as nn\.init\.he_normal; got 'he'"):
        nn.Linear(3, 2, init="he")


def test_float64_weights_are_rounded_once():
    single, double = networks.network(seed=6), networks.network(np.float64, seed=6)
    assert single[0].weight.data.tobytes() == double[0].weight.data.astype(np.float32).tobytes()


OF_THE_COURSE = {
    "lecun": (init.lecun_normal, 0.009021),
    "glorot": (init.glorot_normal, 0.012745),
    "glorot uniform": (init.glorot_uniform, 0.012745),
    "he": (init.he_normal, 0.012758),
}


@pytest.mark.parametrize("name", OF_THE_COURSE)
def test_deviations_of_the_course(name):
    """W1 of 12288-25-12-6: the course's Xavier is 1/n_in, Glorot's and PyTorch's is 2/(n_in + n_out)."""
    draw, deviation = OF_THE_COURSE[name]
    drawn = draw((25, 12288), seed=0, stream=0)
    assert abs(drawn.std() / deviation - 1) < 4 / np.sqrt(2 * drawn.size)
    if name == "glorot uniform":
        assert 0.99999 * 0.0220746 < np.abs(drawn).max() <= 0.0220747


def test_the_network_of_the_course_has_307615_parameters():
    model = nn.Sequential(nn.Linear(12288, 25), nn.ReLU(), nn.Linear(25, 12), nn.ReLU(), nn.Linear(12, 6))
    assert model.summary().splitlines()[-1].split() == ["total", "307,615"]


def test_small_and_large_random():
    for std in (0.01, 10.0):
        drawn = init.normal(std)((500, 400), seed=1, stream=2)
        assert abs(drawn.std() / std - 1) < 4 / np.sqrt(2 * drawn.size)
    assert not init.zeros((3, 2)).any()
    assert (init.constant(1.5)((3, 2)) == 1.5).all()
