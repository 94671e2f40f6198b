"""A Tensor leaves the tape by name only: `no_grad`, `detach`, `numpy`, `item`, never by accident."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, no_grad, xp
from twingrad.autodiff import is_recording

from processes import PATIENCE


def leaf(values: Any = (1.0, 2.0)) -> Tensor:
    return Tensor(np.asarray(values), requires_grad=True)


def test_no_grad_records_nothing_and_nests() -> None:
    x = leaf()
    with no_grad():
        with no_grad():
            assert not (x * x).requires_grad
        assert not (x * x).requires_grad
        assert not xp.concat([x, x]).requires_grad
    assert (x * x).requires_grad


def test_no_grad_ends_with_an_exception() -> None:
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert is_recording([leaf()])


def test_no_grad_is_of_one_thread() -> None:
    x, seen, entered, done = leaf(), [], threading.Event(), threading.Event()

    def other() -> None:
        entered.wait(PATIENCE)
        seen.append((x * x).requires_grad)
        with no_grad():
            seen.append((x * x).requires_grad)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with no_grad():
        entered.set()
        assert done.wait(PATIENCE)
        seen.append((x * x).requires_grad)
    thread.join()
    assert seen == [True, False, False]


def test_threads_record_side_by_side() -> None:
    results: dict[int, float] = {}

    def work(number: int) -> None:
        x = Tensor(np.full(50, float(number)), requires_grad=True)
        for _ in range(20):
            y = x
            for _ in range(10):
                y = y * 1.0 + x
            y.sum().backward()
        results[number] = float(x.grad[0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), 220.0)


def test_detach_shares_the_data_and_stops_the_gradient() -> None:
    x = leaf()
    (x.detach() * x).sum().backward()
    assert np.array_equal(x.grad, x.data)
    assert x.detach().data is x.data
    assert not x.detach().requires_grad


def test_numpy_is_a_read_only_view() -> None:
    data = np.asarray([1.0, 2.0])
    view = Tensor(data, requires_grad=True).numpy()
    assert np.shares_memory(view, data)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 3.0
    assert data.flags.writeable


CONVERSIONS = {
    "asarray": np.asarray,
    "array": np.array,
    "array of a list": lambda t: np.array([t, t]),
    "array with a dtype": lambda t: np.asarray(t, dtype=np.float32),
    "stack": lambda t: np.stack([t, t]),
}
NUMPY_FUNCTIONS = {
    "exp": np.exp, "add": lambda t: np.add(t, 1.0), "matmul": lambda t: np.matmul(t, t), "add.reduce": np.add.reduce,
    "into": lambda t: np.multiply(np.ones(2), 2.0, out=t), "sum": np.sum, "mean": np.mean,
}  # fmt: skip


@pytest.mark.parametrize("label", CONVERSIONS)
def test_numpy_converts_no_tensor_and_is_told_how(label: str) -> None:
    with pytest.raises(TypeError, match=r"t\.numpy\(\) gives a read-only view"):
        CONVERSIONS[label](leaf())


@pytest.mark.parametrize("label", NUMPY_FUNCTIONS)
def test_numpy_functions_take_no_tensor(label: str) -> None:
    with pytest.raises(TypeError):
        NUMPY_FUNCTIONS[label](leaf())


def test_in_place_addition_to_an_array_is_refused() -> None:
    array = np.ones(2)
    with pytest.raises(TypeError):
        array += leaf()
    assert np.array_equal(array, [1.0, 1.0])


@pytest.mark.parametrize("number", [np.float32(2), np.float64(2), np.int64(2), np.asarray([2.0, 2.0])], ids=repr)
def test_numpy_numbers_on_the_left_stay_on_the_tape(number: Any) -> None:
    x = leaf()
    for out, slope in ((number * x, 2.0), (number + x, 1.0), (number - x, -1.0)):
        x.grad = None
        assert isinstance(out, Tensor)
        out.sum().backward()
        assert np.array_equal(x.grad, [slope, slope])
    assert isinstance(number < x, Tensor)


def test_python_numbers_of_a_tensor() -> None:
    t = Tensor(np.asarray(2.5))
    assert (float(t), int(t), bool(t), complex(t), t.item()) == (2.5, 2, True, 2.5 + 0j, 2.5)
    assert [10, 20, 30][Tensor(np.asarray(1))] == 20
    assert type(Tensor(np.asarray([[3]])).item()) is int
    assert Tensor(np.asarray([True])).item() is True
    with pytest.raises(ValueError, match=r"one element, got shape \(2,\)"):
        leaf().item()
    with pytest.raises(TypeError, match=r"float of a Tensor needs a single element, got shape \(2,\); pick it"):
        float(Tensor(np.ones(2)))
    with pytest.raises(ValueError, match=r"bool of a Tensor needs a single element, got shape .*xp.any or xp.all"):
        bool(leaf())


@pytest.mark.parametrize("values", [1.5, [2.5]], ids=["0-d", "one"])
def test_item_of_every_library(values: Any, library: Any) -> None:
    assert Tensor(library.asarray(values)).item() in (1.5, 2.5)


def test_what_an_array_is() -> None:
    t = Tensor(np.zeros((2, 3), np.float32))
    assert (t.shape, t.ndim, t.size, t.dtype, t.device, len(t)) == ((2, 3), 2, 6, np.float32, "cpu", 2)
    assert (t.T.shape, t.mT.shape, t.reshape(3, 2).shape, t.reshape((6,)).shape, t.reshape([1, 6]).shape) == (
        (3, 2), (3, 2), (3, 2), (6,), (1, 6),
    )  # fmt: skip
    assert [row.shape for row in t] == [(3,), (3,)]
    with pytest.raises(ValueError, match=r"two axes, got shape \(2,\)"):
        _ = t[:, 0].T
    for of_a_row in (len, iter, list):
        with pytest.raises(TypeError, match="0-d"):
            of_a_row(Tensor(np.zeros(())))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 2)], ids=str)
def test_iteration_stays_on_the_tape(shape: tuple[int, ...], library: Any) -> None:
    x = Tensor(library.asarray(np.ones(shape)), requires_grad=True)
    rows = list(x)
    assert [row.shape for row in rows] == [shape[1:]] * shape[0]
    for row in rows:
        xp.sum(row * row).backward()
    assert not rows or np.array_equal(library.numpy(x.grad), np.full(shape, 2.0))


def test_repr_says_what_it_is() -> None:
    assert repr(leaf()) == "Tensor([1., 2.], requires_grad=True)"
    assert repr(Tensor(np.asarray([1]))) == "Tensor([1])"


def test_tensors_are_hashed_by_identity() -> None:
    x, y = leaf(), leaf()
    assert len({x, y, x}) == 2


def test_dlpack_passes_on_the_data() -> None:
    x = leaf()
    assert np.array_equal(np.from_dlpack(x), x.data)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_are_of_leaves(copied: Any) -> None:
    for tensor in (leaf(), Tensor(np.ones(2)), (leaf() * 2).detach()):
        twin = copied(tensor)
        assert twin is not tensor
        assert np.array_equal(twin.data, tensor.data)
        assert twin.requires_grad == tensor.requires_grad
    with pytest.raises(AutodiffError, match=r"made by multiply on the tape is not to be copied.*detach\(\)"):
        copied(leaf() * 2)
