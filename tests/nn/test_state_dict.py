"""`state_dict` and `load_state_dict`: PyTorch's names and shapes, and all or nothing."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn

import networks


def torch_network(torch, dtype):
    return torch.nn.Sequential(
        torch.nn.Linear(networks.IN, networks.HIDDEN),
        torch.nn.BatchNorm1d(networks.HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.0),
        torch.nn.Linear(networks.HIDDEN, networks.OUT),
    ).to(dtype)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the oracle of this test; it comes with the extra `oracle`")


@pytest.mark.oracle
def test_names_order_shapes_and_dtypes_are_pytorchs(torch):
    theirs = torch_network(torch, torch.float32).state_dict()
    ours = networks.network().state_dict()
    assert list(ours) == list(theirs)
    assert {k: v.shape for k, v in ours.items()} == {k: tuple(v.shape) for k, v in theirs.items()}
    assert {k: str(v.dtype) for k, v in ours.items()} == {k: str(v.numpy().dtype) for k, v in theirs.items()}


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_pytorchs_state_gives_pytorchs_outputs_and_gradients(torch, name, tolerance):
    torch.manual_seed(0)
    theirs = torch_network(torch, getattr(torch, name))
    with torch.no_grad():
        for value in theirs.state_dict().values():
            value.copy_(torch.rand(value.shape) + 0.5) if value.is_floating_point() else value.fill_(7)
    ours = networks.network(name, p=0.0)
    ours.load_state_dict(theirs.state_dict())
    assert ours[1].num_batches_tracked.value == 7
    x, y = networks.batch(11, name)
    for mode in (False, True):
        theirs.train(mode), ours.train(mode)
        with torch.no_grad():
            expected = theirs(torch.from_numpy(x)).numpy()
        with tg.no_grad():
            np.testing.assert_allclose(ours(x).numpy(), expected, rtol=tolerance, atol=tolerance)
        torch.nn.functional.cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        F.softmax_cross_entropy(ours(x), y).backward()
        for path, parameter in theirs.named_parameters():
            np.testing.assert_allclose(
                ours.named_parameters()[path].grad, parameter.grad.numpy(), rtol=tolerance, atol=tolerance, err_msg=path
            )
            parameter.grad = None
        ours.flat().zero_grad()
    for path, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[path], value.numpy(), rtol=tolerance, err_msg=path)


def test_a_state_goes_round():
    trained, fresh = networks.network(seed=1), networks.network(seed=2)
    networks.train(trained, networks.OPTIMIZERS["adam"](trained))
    state = trained.state_dict()
    fresh.load_state_dict(state)
    networks.assert_same_bits(fresh.state_dict(), state)
    networks.assert_on_the_flat_buffer(fresh)


def test_the_state_is_a_copy():
    model = networks.network()
    before = model.state_dict()
    kept = {k: v.copy() for k, v in before.items()}
    networks.train(model, networks.OPTIMIZERS["sgd"](model), 1)
    networks.assert_same_bits(before, kept)
    before["0.weight"][...] = 0
    assert model[0].weight.data.any()


def good_state():
    return networks.network(seed=9).state_dict()


def without(name):
    return lambda state: state.pop(name)


def replaced(name, value):
    return lambda state: state.update({name: value})


class Unreadable:
    """As PyTorch's bfloat16 tensors are."""

    def __array__(self, *args, **kwargs):
        raise TypeError("got unsupported ScalarType BFloat16")


BAD_STATES = {
    "missing": (without("4.bias"), ValueError, r"missing 4\.bias; unexpected nothing"),
    "unexpected": (replaced("5.weight", np.zeros(3)), ValueError, r"missing nothing; unexpected 5\.weight"),
    "shape": (replaced("4.bias", np.zeros(4)), ValueError, r"4\.bias has shape \(3,\) in the model and \(4,\)"),
    "transposed": (
        replaced("4.weight", np.zeros((networks.HIDDEN, networks.OUT))),
        ValueError,
        r"4\.weight has shape \(3, 7\) in the model and \(7, 3\)",
    ),
    "text": (replaced("4.bias", np.asarray(["a", "b", "c"])), (TypeError, ValueError), r"4\.bias"),
    "complex": (replaced("4.bias", np.zeros(3, complex)), (TypeError, ValueError), r"4\.bias"),
    "object": (replaced("4.bias", np.asarray([None] * 3)), (TypeError, ValueError), r"4\.bias"),
    "bfloat16": (
        replaced("4.bias", Unreadable()),
        TypeError,
        r"4\.bias of the state does not turn .* ScalarType BFloat16",
    ),
    "counter": (replaced("1.num_batches_tracked", np.asarray(-1)), ValueError, r"1\.num_batches_tracked"),
    "fractional counter": (replaced("1.num_batches_tracked", np.asarray(2.5)), (TypeError, ValueError), "1.num_batch"),
}


def test_a_state_that_is_no_dict():
    with pytest.raises(TypeError, match=r"Sequential loads a dict of arrays by path, .*; got list"):
        networks.network().load_state_dict([1])


@pytest.mark.parametrize("case", BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(case):
    spoil, error, message = BAD_STATES[case]
    model, state = networks.network(seed=1), good_state()
    spoil(state)
    before = networks.everything(model)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    networks.assert_same_bits(networks.everything(model), before)


def test_a_part_of_a_model_loads_a_state_of_its_own():
    model, other = networks.network(seed=1), networks.network(seed=2)
    before = model.state_dict()
    model[4].load_state_dict(other[4].state_dict())
    after = model.state_dict()
    assert after["4.weight"].tobytes() == other.state_dict()["4.weight"].tobytes()
    assert after["0.weight"].tobytes() == before["0.weight"].tobytes()


def test_loading_casts_to_the_models_dtype():
    model, state = networks.network(), networks.network(np.float64, seed=3).state_dict()
    model.load_state_dict(state)
    assert model[0].weight.dtype == np.float32
    assert model.state_dict()["0.weight"].tobytes() == state["0.weight"].astype(np.float32).tobytes()


def test_a_backward_pass_refuses_parameters_loaded_after_the_forward():
    model = networks.network()
    x, y = networks.batch()
    loss = F.softmax_cross_entropy(model(x), y)
    model.load_state_dict(good_state())
    with pytest.raises(tg.AutodiffError, match="overwritten"):
        loss.backward()


SUMMARY = """\
layer                 parameters
0      Linear(5, 7)           42
1      BatchNorm(7)           14
2      ReLU()                  0  in the pass of 1
3      Dropout(0.25)           0  in the pass of 1
4      Linear(7, 3)           24
total                         80
0: bias=False is enough, for 1 subtracts the mean and adds a bias of its own"""


def test_the_summary_lists_layers_and_their_parameters():
    assert networks.network().summary() == SUMMARY


def test_the_summary_counts_tied_weights_once():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert model.summary().endswith(" 24")
