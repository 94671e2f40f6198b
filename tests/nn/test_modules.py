"""The tree of modules: custom ones, ties, edits after use, moves."""

import gc

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.nn import flat, module

import networks


class Net(nn.Module):
    """A custom module with a parameter and a buffer of its own."""

    def __init__(self, width=4):
        self.hidden = nn.Linear(3, width)
        self.out = nn.Linear(width, 2)
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.register_buffer("table", np.arange(3))
        self.note = "mine"

    def forward(self, x, double=False):
        y = self.out(F.relu(self.hidden(x))) * self.scale
        return y + y if double else y


X = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)


def test_a_custom_module():
    net = Net()
    assert list(net.named_parameters()) == ["scale", "hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert list(net.state_dict()) == ["scale", "table", "hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert net.note == "mine"
    np.testing.assert_array_equal(net(X, double=True).numpy(), 2 * net(X).numpy())
    net(X).sum().backward()
    networks.assert_on_the_flat_buffer(net)
    assert all(p.grad is not None for p in net.parameters())


def test_integer_buffers_keep_their_dtype():
    net = Net().to(dtype=np.float64)
    assert net.table.dtype == np.int64
    assert net(X.astype(np.float64)).dtype == np.float64
    assert net.state_dict()["table"].tolist() == [0, 1, 2]


def test_states_are_c_contiguous():
    net = nn.Linear(2, 2)
    net.register_buffer("extra", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert all(array.flags.c_contiguous for array in net.state_dict().values())


def test_unknown_attributes_raise():
    with pytest.raises(AttributeError, match="Net has no attribute 'missing'"):
        _ = Net().missing


def tied():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    return model


def test_tied_weights_are_one_segment_with_summed_gradients():
    model, plain = tied(), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    plain[2].weight = model[0].weight.numpy()
    plain[0].weight = model[0].weight.numpy()
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    for net in (model, plain):
        net(x).sum().backward()
    assert len(model.parameters()) == 3
    assert len(model.flat().segments) == 3
    np.testing.assert_allclose(model[0].weight.grad, plain[0].weight.grad + plain[2].weight.grad, rtol=1e-6)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    optim.SGD(model, lr=0.5).step()
    assert model[0].weight is model[2].weight


def test_a_tie_survives_the_state():
    model, other = tied(), tied()
    model[0].weight = np.full((4, 4), 0.5)
    other.load_state_dict(model.state_dict())
    assert other[2].weight.numpy().tobytes() == model[0].weight.numpy().tobytes()
    assert other[0].weight is other[2].weight


def test_one_layer_in_two_places_is_one_set_of_parameters():
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(model.parameters()) == 2
    model(X).sum().backward()
    assert model[0].weight.grad is not None


EDITS = {
    "replace a layer": lambda model: setattr(model, "4", nn.Linear(networks.HIDDEN, 4)),
    "add a layer": lambda model: setattr(model, "5", nn.Linear(networks.OUT, 4)),
    "remove a layer": lambda model: delattr(model, "4"),
    "replace a parameter": lambda model: setattr(
        model[4], "weight", nn.Parameter(np.ones((networks.OUT, networks.HIDDEN), np.float32))
    ),
    "add a bias": lambda model: setattr(model[0], "extra", nn.Parameter(np.ones(2, np.float32))),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_after_use_keep_the_rest_and_its_moments(edit):
    model = networks.network()
    optimizer = optim.Adam(model)
    networks.train(model, optimizer, 3)
    first, moment = model[0].weight.data.copy(), optimizer.state["v"][: first_size()].copy()
    old = {id(p) for p in model.parameters()}
    EDITS[edit](model)
    networks.assert_on_the_flat_buffer(model)
    assert model[0].weight.data.tobytes() == first.tobytes()
    assert optimizer.steps_of(model[0].weight) == 3
    assert moment.any()
    offset = model.flat().segments[model[0].weight.segment, 0]
    assert optimizer.state["v"][offset : offset + first_size()].tobytes() == moment.tobytes()
    x, _ = networks.batch()
    model(x).sum().backward()
    optimizer.step()
    assert optimizer.steps_of(model[0].weight) == 4
    fresh = [p for p in model.parameters() if id(p) not in old]
    assert len(fresh) == {"replace a layer": 2, "add a layer": 2, "remove a layer": 0}.get(edit, 1)
    assert [optimizer.steps_of(p) for p in fresh] == [int(p.grad is not None) for p in fresh]


def first_size():
    return networks.IN * networks.HIDDEN


def test_a_parameter_takes_the_place_of_a_missing_bias():
    layer = nn.Linear(2, 2, bias=False)
    assert layer.describe() == "Linear(2, 2, bias=False)"
    layer(np.ones((1, 2), np.float32))
    layer.bias = nn.Parameter(np.asarray([3.0, 4.0], np.float32))
    layer.weight = np.zeros((2, 2))
    assert layer(np.ones((1, 2), np.float32)).numpy().tolist() == [[3.0, 4.0]]
    layer.bias = None
    assert layer(np.ones((1, 2), np.float32)).numpy().tolist() == [[0.0, 0.0]]
    assert list(layer.state_dict()) == ["weight"]


def test_a_replaced_layer_is_a_model_of_its_own():
    model = networks.network()
    old = model[4]
    networks.train(model, networks.OPTIMIZERS["adam"](model), 1)
    setattr(model, "4", nn.Linear(networks.HIDDEN, 4))
    before = model.flat().theta.copy()
    assert old.root() is old
    optimizer = optim.SGD(old, lr=1.0)
    old(np.ones((2, networks.HIDDEN), np.float32)).sum().backward()
    optimizer.step()
    networks.assert_on_the_flat_buffer(old)
    assert model.flat().theta.tobytes() == before.tobytes()


def test_setting_none_or_deleting_takes_a_layer_away():
    for take in (lambda net: setattr(net, "out", None), lambda net: delattr(net, "out")):
        net = Net()
        net(X)
        gone = net.out
        take(net)
        assert gone.root() is gone
        assert list(net.named_parameters()) == ["scale", "hidden.weight", "hidden.bias"]
        assert getattr(net, "out", None) is None
    with pytest.raises(AttributeError):
        del net.out


def test_a_layer_outlives_its_model():
    def inner():
        model = networks.network()
        networks.train(model, networks.OPTIMIZERS["sgd"](model), 1)
        return model[4]

    layer = inner()
    gc.collect()
    optimizer = optim.SGD(layer, lr=1.0)
    optimizer.zero_grad()
    layer(np.ones((2, networks.HIDDEN), np.float32)).sum().backward()
    before = layer.bias.data.copy()
    optimizer.step()
    np.testing.assert_allclose(before - layer.bias.data, 2.0, rtol=1e-6)


def test_a_layer_shared_by_two_models_trains_in_both():
    encoder = nn.Linear(3, 4)
    models = [nn.Sequential(encoder, nn.Linear(4, width)) for width in (1, 2)]
    optimizers = [optim.SGD(model, lr=1.0) for model in models]
    for _ in range(2):
        for model, optimizer in zip(models, optimizers, strict=True):
            before = encoder.weight.data.copy()
            optimizer.zero_grad()
            model(X).sum().backward()
            expected = before - encoder.weight.grad
            optimizer.step()
            np.testing.assert_allclose(encoder.weight.data, expected, rtol=1e-6)
            assert model(X).shape == (5, model[1].out_features)


def mixed():
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, dtype=np.float64))


def test_mixed_dtypes_raise_until_they_are_made_one():
    with pytest.raises(TypeError, match=r"share one dtype, got float32 and float64; .* call model\.to\(dtype=\.\.\.\)"):
        mixed()(X[:, :2])
    with pytest.raises(TypeError, match="share one dtype"):
        mixed().to("cpu")
    model = mixed().to(dtype=np.float32)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model(X[:, :2]).dtype == np.float32


BAD_MOVES = {
    "unknown device": (lambda model: model.to("gpu"), tg.DeviceError, 'did you mean "cuda"'),
    "integers": (lambda model: model.to(dtype=np.int32), TypeError, "floating dtype.*int32"),
    "like integers": (lambda model: model.to(like=np.zeros(2, np.int64)), TypeError, "floating dtype.*int64"),
    "part": (lambda model: model[0].to(dtype=np.float64), ValueError, "move the whole model: '0' is part of a Sequent"),
}


@pytest.mark.parametrize("case", BAD_MOVES)
def test_a_move_that_fails_changes_nothing(case):
    move, error, message = BAD_MOVES[case]
    model = networks.network()
    optimizer = networks.OPTIMIZERS["adam"](model)
    networks.train(model, optimizer, 1)
    before, flat = networks.everything(model, optimizer), model.flat()
    with pytest.raises(error, match=message):
        move(model)
    assert model.flat() is flat
    networks.assert_same_bits(networks.everything(model, optimizer), before)


@pytest.mark.parametrize("fails_at", range(1, 15))
def test_a_move_that_runs_out_of_memory_halfway_changes_nothing(monkeypatch, fails_at):
    model = networks.network()
    optimizer = networks.OPTIMIZERS["adam"](model)
    networks.train(model, optimizer, 1)
    before, held, plain, calls = networks.everything(model, optimizer), model.flat(), flat.moved, []

    def moved(*args, **kwargs):
        calls.append(None)
        if len(calls) == fails_at:
            raise MemoryError
        return plain(*args, **kwargs)

    for where in (flat, module):
        monkeypatch.setattr(where, "moved", moved)
    with pytest.raises(MemoryError):
        model.to(dtype=np.float64)
    monkeypatch.undo()
    assert model.flat() is held
    networks.assert_same_bits(networks.everything(model, optimizer), before)
    networks.assert_on_the_flat_buffer(model)


def test_cuda_without_a_gpu_is_refused_by_name():
    if tg.devices.probe().reason is None:
        pytest.skip("there is a GPU here: its move is tested by the tests marked gpu")
    with pytest.raises(tg.DeviceError, match="the device 'cuda' cannot be used"):
        networks.network().to("cuda")


def test_a_backward_pass_across_a_change_of_dtype_is_refused():
    model = networks.network()
    x, y = networks.batch()
    loss = F.softmax_cross_entropy(model(x), y)
    model.to(dtype=np.float64)
    with pytest.raises(tg.AutodiffError, match="overwritten"):
        loss.backward()


def test_assignment_checks_the_shape_and_keeps_the_rest():
    model = networks.network()
    with pytest.raises(ValueError, match=r"shape \(7, 5\) cannot take a value of shape \(5, 7\)"):
        model[0].weight = np.ones((5, 7))
    model[0].weight = np.ones((7, 5))
    model[0].bias = [0.5] * 7
    assert model[0].weight.dtype == np.float32
    assert model[0].bias.numpy().tolist() == [0.5] * 7
    networks.assert_on_the_flat_buffer(model)


def test_counters_take_numbers():
    model = networks.network()
    model[1].num_batches_tracked = 7
    assert model.state_dict()["1.num_batches_tracked"] == 7
    with pytest.raises(ValueError, match="counter"):
        model[1].num_batches_tracked = -1


def test_modules_tell_what_they_are():
    assert repr(networks.network()[4]) == "Linear(7, 3)"
    inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    assert repr(nn.Sequential(inner, nn.Linear(2, 1))) == (
        "Sequential(\n  (0): Sequential(\n    (0): Linear(2, 2)\n    (1): ReLU()\n  )\n  (1): Linear(2, 1)\n)"
    )
    assert [m.describe() for m in networks.network()] == [
        "Linear(5, 7)",
        "BatchNorm(7)",
        "ReLU()",
        "Dropout(0.25)",
        "Linear(7, 3)",
    ]
    assert len(networks.network()) == 5


@pytest.mark.parametrize("take_away", [lambda net: delattr(net, "again"), lambda net: setattr(net, "again", nn.ReLU())])
def test_a_layer_under_two_names_that_loses_one_stays_in_its_model(take_away):
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), seed=7)
    net.again = net[1]
    take_away(net)
    assert net[1].root() is net
    twin = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), seed=7)
    np.testing.assert_array_equal(net[1](np.ones((4, 3))), twin[1](np.ones((4, 3))))
    lone = net[1]
    delattr(net, "1")
    assert lone.root() is lone


HIDDEN = {
    "list": lambda: [nn.Linear(3, 3)],
    "tuple": lambda: (nn.ReLU(),),
    "dict": lambda: {"a": 1, "b": nn.Linear(3, 3)},
    "nested": lambda: [[1, {"deep": nn.Linear(3, 3)}]],
    "parameter": lambda: [nn.Parameter(np.ones(2))],
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_layers_in_a_list_are_refused_with_the_cure(kind):
    net = Net()
    with pytest.raises(
        TypeError, match=r"Net\.layers is a \w+ that holds a \w+, which would neither train.*Sequential"
    ):
        net.layers = HIDDEN[kind]()
    assert "layers" not in vars(net)


@pytest.mark.parametrize("name", ["forward", "flat", "train", "path", "seed", "options"])
def test_a_name_that_the_module_has_for_something_else_is_refused(name):
    net = Net()
    with pytest.raises(ValueError, match=f"Net has an attribute '{name}' of its own, .* the Linear of that name"):
        setattr(net, name, nn.Linear(3, 3))
    net(X)


def test_a_module_within_itself_is_refused():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    for inner, outer in ((net, net), (net[0], net), (net[0][0], net)):
        with pytest.raises(ValueError, match=r"\.again would hold the module that it is part of"):
            inner.again = outer
    assert net(np.ones((1, 2), np.float32)).shape == (1, 2)


@pytest.mark.parametrize("kind", HIDDEN)
def test_layers_appended_later_are_refused_at_the_first_use(kind):
    net = Net()
    net.layers = []
    net.layers.append(HIDDEN[kind]())
    with pytest.raises(TypeError, match=r"Net\.layers is a list that holds"):
        net(X)


def test_a_list_of_layers_that_are_in_the_tree_as_well_is_fine():
    net = Net()
    net.order, net.sizes, net.arrays = [net.hidden, net.out, net.scale], (3, 4), {"x": X}
    assert len(net.parameters()) == 5
    assert net(X).shape == (5, 2)
