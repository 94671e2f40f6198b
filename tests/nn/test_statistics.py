"""Statistics of batch normalisation recomputed over the training set, the advice of `summary`, dropout turned off."""

from __future__ import annotations

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.random import normal

from libraries import LIBRARIES


def network(dropout: float = 0.0) -> nn.Sequential:
    layers = [nn.Linear(4, 6), nn.BatchNorm(6), nn.ReLU(), nn.Dropout(dropout), nn.Linear(6, 5), nn.BatchNorm(5)]
    return nn.Sequential(*layers, nn.Tanh(), nn.Linear(5, 3), seed=3)


def batches(*sizes: int) -> list[np.ndarray]:
    return [normal((n, 4), seed=9, stream=i).astype(np.float32) * 3 + i for i, n in enumerate(sizes)]


@pytest.mark.oracle
def test_statistics_are_those_of_pytorchs_update_bn() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    ours, given = network(), batches(16, 16, 7)
    theirs = torch.nn.Sequential(
        *(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Dropout(0.0)),
        *(torch.nn.Linear(6, 5), torch.nn.BatchNorm1d(5), torch.nn.Tanh(), torch.nn.Linear(5, 3)),
    )
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    torch.optim.swa_utils.update_bn([torch.from_numpy(x) for x in given], theirs)
    nn.recompute_statistics(ours, given)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=2e-6, atol=1e-7, err_msg=name)


def test_one_batch_of_all_examples_gives_a_test_the_statistics_of_training() -> None:
    model, (x,) = network(dropout=0.5), batches(50)
    nn.recompute_statistics(model, [(x, "targets are not looked at")])
    layer = model[1]
    z = model[0](x).numpy()
    np.testing.assert_allclose(layer.running_mean, z.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.running_var, z.var(axis=0, ddof=1), rtol=1e-5)
    assert layer.num_batches_tracked.value == 1
    assert layer.momentum == 0.1
    with nn.without_dropout(model.train()):
        biased = model(x).numpy()
    np.testing.assert_allclose(model.eval()(x).numpy(), biased, atol=0.1)  # sigma^2 over n - 1 there


@pytest.mark.parametrize("library", LIBRARIES[2:], ids=repr)
def test_statistics_of_other_libraries(library) -> None:
    here, given = network(), batches(16, 9)
    there = network().to(like=library.asarray(given[0], "float32"))
    nn.recompute_statistics(here, given)
    nn.recompute_statistics(there, [library.asarray(x, "float32") for x in given])
    for name, value in there.state_dict().items():
        np.testing.assert_allclose(value, here.state_dict()[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_modes_and_dropout_masks_stay() -> None:
    model = network(dropout=0.5)
    model[5].eval()
    before = {path: module.training for path, module in model.modules()}
    nn.recompute_statistics(model, batches(8))
    assert {path: module.training for path, module in model.modules()} == before
    assert model[3].counter.value == 0


def failing():
    yield from batches(8)
    raise OSError("the disk is gone")


BAD = {
    "no batches": (network, [], ValueError, "no batches"),
    "no batch norm": (lambda: nn.Sequential(nn.Linear(4, 2)), batches(4), ValueError, "has no BatchNorm"),
    "one example": (network, batches(8, 1), ValueError, "more than one example"),
    "batches that fail": (network, failing(), OSError, "the disk is gone"),
}


@pytest.mark.parametrize("case", BAD)
def test_where_it_fails_nothing_changes(case: str) -> None:
    make, given, error, message = BAD[case]
    model = make()
    before = model.state_dict()
    with pytest.raises(error, match=message):
        nn.recompute_statistics(model, given)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(before[name], value)


def test_summary_names_biases_that_do_nothing_and_keeps_them() -> None:
    model = nn.Sequential(
        nn.Linear(4, 6),
        nn.BatchNorm(6),
        nn.ReLU(),
        nn.Linear(6, 5, bias=False),
        nn.BatchNorm(5),
        nn.Sequential(nn.Linear(5, 5), nn.BatchNorm(5), nn.Linear(5, 2), nn.LayerNorm(2)),
    )
    assert [line for line in model.summary().splitlines() if "bias=False is" in line] == [
        "0: bias=False is enough, for 1 subtracts the mean and adds a bias of its own",
        "5.0: bias=False is enough, for 5.1 subtracts the mean and adds a bias of its own",
    ]
    assert model[0].bias is not None
    x = normal((8, 4), seed=1, stream=0)
    model = model.to(dtype=np.float64)
    before = model(x).numpy()
    model[0].bias = np.full(6, 7.0)
    np.testing.assert_allclose(model(x).numpy(), before, atol=1e-12)


def test_without_dropout_a_step_lowers_the_cost_and_no_mask_is_drawn() -> None:
    model = nn.Sequential(nn.Linear(4, 50), nn.ReLU(), nn.Dropout(0.8), nn.Linear(50, 3), nn.Dropout(0.3), seed=1)
    x, y = batches(30)[0], np.arange(30) % 3
    optimizer, costs = tg.optim.SGD(model, lr=0.01), []
    model[4].eval()
    with nn.without_dropout(model):
        for _ in range(20):
            loss = F.softmax_cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            costs.append(float(loss))
    assert (np.diff(costs) < 0).all()
    assert model[2].counter.value == 0
    assert [layer.training for layer in model] == [True, True, True, True, False]
