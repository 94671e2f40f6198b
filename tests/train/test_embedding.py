"""Models that begin with an Embedding: whole numbers reach it as they are; what it lacks is told before training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.data import Dataset

WORDS, LENGTH, N = 40, 3, 240
OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 32, "device": "cpu", "keep": "last"}


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(0, WORDS, (N, LENGTH))


@pytest.fixture
def y(x) -> np.ndarray:
    return np.asarray(np.isin(x, [3, 5, 7, 11, 13]).any(axis=1), np.int64)


def network(dtype: str = "float32") -> nn.Sequential:
    layers = nn.Embedding(WORDS, 4, dtype=dtype), nn.Flatten(), nn.Linear(4 * LENGTH, 1, dtype=dtype)
    return nn.Sequential(*layers, seed=2)


def bits(model: nn.Module) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.state_dict().items()}


@pytest.mark.oracle
@pytest.mark.parametrize("capture", ["never", "auto"])
def test_descent_on_all_examples_is_that_of_pytorch(x, y, capture):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle; it comes with the extra `oracle`")
    model = network("float64")
    embedding, linear = torch.nn.Embedding(WORDS, 4), torch.nn.Linear(4 * LENGTH, 1)
    peer = torch.nn.Sequential(embedding, torch.nn.Flatten(), linear).double()
    peer.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})
    options = OPTIONS | {"epochs": 30, "batch_size": N, "capture": capture}
    tg.fit(model, Dataset(x, y), optimizer=optim.SGD(lr=0.5, momentum=0.9), **options)
    rule = torch.optim.SGD(peer.parameters(), lr=0.5, momentum=0.9)
    for _ in range(30):
        rule.zero_grad()
        target = torch.tensor(y[:, None], dtype=torch.float64)
        torch.nn.functional.binary_cross_entropy_with_logits(peer(torch.tensor(x)), target).backward()
        rule.step()
    for name, array in model.state_dict().items():
        assert np.allclose(array, peer.state_dict()[name].numpy(), rtol=1e-11, atol=1e-12)


def test_it_learns_from_any_integers_wherever_they_are_to_the_same_bits(x, y, tmp_path):
    expected = network()
    history = tg.fit(expected, Dataset(x, y), capture="require", **OPTIONS)
    np.save(tmp_path / "x.npy", x.astype(np.uint8))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for given in (Dataset(x.astype(np.uint8), y), Dataset(x.astype(np.int32), y), Dataset(mapped, y)):
        for resident in (None, False):
            model = network()
            found = tg.fit(model, given, capture="require", resident=resident, **OPTIONS)
            assert found.records == history.records
            assert bits(model) == bits(expected)


def test_batches_of_the_user(x, y):
    batches = [(x[start : start + 60], y[start : start + 60]) for start in range(0, N, 60)]
    history = tg.fit(network(), batches, optimizer=optim.Adam(lr=0.05), **OPTIONS | {"epochs": 60})
    assert history[-1].train_accuracy > 0.95


def test_predict_evaluate_ensemble_and_model_file_take_them_too(x, y, tmp_path):
    model, data = network(), Dataset(x, y)
    tg.fit(model, data, **OPTIONS)
    tg.train.save_model(model, tmp_path / "model.safetensors")
    again = tg.train.load_model(tmp_path / "model.safetensors")
    expected = tg.train.evaluate(model, data)
    assert tg.train.evaluate(again, data) == expected
    found = tg.train.predict(tg.train.Ensemble([model, again]), x.astype(np.uint8))
    assert np.array_equal(found, tg.train.predict(model, x))
    assert np.array_equal(found, tg.train.predict(model, x.tolist()))
    assert expected.accuracy == (found == y).mean()


@pytest.mark.parametrize("kind", ["in memory", "on the disk"])
@pytest.mark.parametrize("value", [WORDS, -1])
def test_a_number_that_the_embedding_lacks_is_told_before_training(x, y, kind, value, tmp_path):
    x[N - 1, 1] = value
    if kind == "on the disk":
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = network()
    before = bits(model)
    with pytest.raises(ValueError, match=rf"data set 'data' .*embedding of 40 rows takes integers in .*, got {value}"):
        tg.fit(model, Dataset(x, y), **OPTIONS)
    assert bits(model) == before


def test_numbers_with_fractions_and_a_preprocessing_are_refused(x, y):
    with pytest.raises(TypeError, match=r"embedding takes integers, the numbers of rows, got float32"):
        tg.fit(network(), Dataset(x.astype(np.float32), y), **OPTIONS)
    with pytest.raises(ValueError, match=r"looks whole numbers up in an Embedding, .*leave preprocessing out"):
        tg.fit(network(), Dataset(x, y), preprocessing="auto", **OPTIONS)


def test_a_module_of_ones_own_says_that_it_takes_integers(x, y):
    class Bag(nn.Module):
        takes_integers = True

        def __init__(self) -> None:
            self.table, self.out = nn.Embedding(WORDS, 4), nn.Linear(4, 1)

        def forward(self, words: Any) -> Any:
            return self.out(tg.xp.mean(self.table(words), axis=1))

    model = Bag()
    history = tg.fit(model, Dataset(x, y), optimizer=optim.Adam(lr=0.05), **OPTIONS | {"epochs": 40})
    assert history[-1].train_accuracy > 0.95
