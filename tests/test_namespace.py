"""Which namespace computes with an array, which backend's kernels take it, and PyTorch on the reference path."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

from twingrad import FusedError, Tensor, fused, fused_report, xp
from twingrad import functional as F
from twingrad.fusable import clear_fused_report
from twingrad.namespace import backend_of, namespace_of

from numerics import relative_error

TENSOR = Tensor(np.ones(2))
FOUND = {
    "array": ((np.ones(2),), np),
    "numpy scalar": ((np.float32(1),), np),
    "subclass": ((np.ma.masked_array([1.0]),), np),
    "memory map": ((np.ones(2).view(np.memmap),), np),
    "strict": ((strict.ones(2),), strict),
    "tensor": ((TENSOR,), xp),
    "scalars are passed over": ((1, 2.0, True, 1j, None, np.ones(2)), np),
    "scalars behind": ((strict.ones(2), 3.0, None), strict),
    "tensor wins on the right": ((np.ones(2), TENSOR), xp),
    "tensor wins on the left": ((TENSOR, np.ones(2), np.float32(1)), xp),
    "numpy's own kinds": ((np.ones(2), np.float32(1), np.int64(3)), np),
}


@pytest.mark.parametrize("label", FOUND)
def test_namespace(label: str) -> None:
    arrays, expected = FOUND[label]
    assert namespace_of(*arrays) is expected
    assert namespace_of(*arrays) is expected, "the second call reads the cache"


MIXED = [
    ((np.ones(2), strict.ones(2)), "numpy and array_api_strict"),
    ((strict.ones(2), np.ones(2)), "array_api_strict and numpy"),
    ((strict.ones(2), 1.0, np.float64(2)), "array_api_strict and numpy"),
]


@pytest.mark.parametrize(("arrays", "named"), MIXED, ids=[row[1] for row in MIXED])
def test_two_libraries_do_not_mix(arrays: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"two libraries in one operation: {named}"):
        namespace_of(*arrays)


MIXED_CALLS = {
    "tensor + array": lambda: Tensor(strict.ones(2)) + np.ones(2),
    "array + tensor": lambda: np.ones(2) + Tensor(strict.ones(2)),
    "two tensors": lambda: Tensor(np.ones(2)) * Tensor(strict.ones(2)),
    "where": lambda: xp.where(np.asarray([True, False]), Tensor(strict.ones(2)), 0.0),
    "concat": lambda: xp.concat([Tensor(strict.ones(2)), np.ones(2)]),
    "linear": lambda: F.linear(np.ones((2, 2)), strict.ones((2, 2))),
    "batch norm": lambda: F.batch_norm(strict.ones((2, 2)), *np.ones((4, 2)), training=False),
    "sgd": lambda: F.sgd_update(strict.ones(2), np.ones(2), lr=0.1),
}


@pytest.mark.parametrize("label", MIXED_CALLS)
def test_operations_on_two_libraries_say_so(label: str) -> None:
    with pytest.raises((TypeError, ValueError), match=r"numpy|float64"):
        MIXED_CALLS[label]()


@pytest.mark.parametrize("given", [[1.0], "text", {}, object()], ids=lambda g: type(g).__name__)
def test_what_is_no_array(given: Any) -> None:
    with pytest.raises(TypeError, match=f"expected an array.*got {type(given).__name__}"):
        namespace_of(given)
    with pytest.raises(TypeError, match=f"got {type(given).__name__}"):
        namespace_of(np.ones(2), given)


def test_no_array_at_all() -> None:
    with pytest.raises(TypeError, match="got nothing"):
        namespace_of()
    with pytest.raises(TypeError, match="got float, NoneType"):
        namespace_of(1.0, None)


class Ours:
    """An array of a library that nobody has heard of."""

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return strict


class Derived(np.ndarray):
    """A subclass of a user's."""


Derived.__module__ = "somebody.arrays"
BACKENDS = [
    (np.ones(2), "cpu"), (np.float64(1), "cpu"), (strict.ones(2), None), (Ours(), None), (TENSOR, None), (1.0, None),
    (np.ones(2).view(Derived), None),
]  # fmt: skip


@pytest.mark.parametrize(("array", "backend"), BACKENDS, ids=[type(row[0]).__name__ for row in BACKENDS])
def test_backend(array: Any, backend: str | None) -> None:
    assert backend_of(array) == backend


def test_any_conforming_namespace_is_asked_for() -> None:
    assert namespace_of(Ours()) is strict


def test_subclasses_take_the_reference_path() -> None:
    x = np.asarray([-1.0, 2.0]).view(Derived)
    assert F.relu(x).tolist() == [0.0, 2.0]
    with fused("require"), pytest.raises(FusedError, match="Derived"):
        F.relu(x)


def test_looking_for_a_namespace_imports_no_library() -> None:
    code = (
        "import sys, numpy as np, twingrad as tg\n"
        "from twingrad.namespace import namespace_of\n"
        "namespace_of(np.ones(2)); tg.functional.relu(np.ones(2)); tg.grad(lambda x: x * x)(2.0)\n"
        "found = {'torch', 'cupy', 'jax', 'array_api_strict', 'array_api_compat'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch's tensors on the reference path need it; see extra `oracle`")


def torch_calls(torch: Any) -> dict[str, tuple[Any, list[Any]]]:
    """Operations with inputs as NumPy arrays; the rest is made of what the call is given."""
    rng = np.random.default_rng(1)
    x, weight, bias, vector = (rng.normal(size=s) for s in ((5, 3), (4, 3), (4,), (3,)))
    like: Any = lambda a, values: torch.tensor(values) if isinstance(a.data, torch.Tensor) else np.asarray(values)  # noqa: E731
    return {
        "linear": (F.linear, [x, weight, bias]),
        "relu": (F.relu, [x]),
        "batch norm, training": (
            lambda x, w, b: F.batch_norm(x, w, b, like(x, np.zeros(3)), like(x, np.ones(3)), training=True),
            [x, vector, vector],
        ),
        "batch norm, evaluation": (
            lambda x, w, b: F.batch_norm(x, w, b, like(x, np.zeros(3)), like(x, np.ones(3)), training=False),
            [x, vector, vector],
        ),
        "softmax cross-entropy": (lambda z: F.softmax_cross_entropy(z, like(z, np.asarray([0, 1, 2, 1, 0]))), [x]),
        "expression": (lambda x, y: xp.mean(xp.exp(x) * 2.0 - x**2 / (1.0 + abs(y))), [x, x[:1]]),
        "shapes": (lambda x: xp.stack([xp.reshape(x, (3, 5)), x.T])[:, 1:, ::2], [x]),
    }


LABELS = [
    "linear", "relu", "batch norm, training", "batch norm, evaluation", "softmax cross-entropy", "expression", "shapes",
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", LABELS)
def test_torch_tensors_run_on_the_reference_path(label: str, dtype: str, torch: Any) -> None:
    function, arrays = torch_calls(torch)[label]
    inputs = [Tensor(torch.tensor(a, dtype=getattr(torch, dtype)), requires_grad=True) for a in arrays]
    wide = [Tensor(a, requires_grad=True) for a in arrays]
    out, expected = function(*inputs), function(*wide)
    assert isinstance(out.data, torch.Tensor)
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    assert relative_error(out.data.numpy(), expected.data) <= tolerance
    out.backward(torch.ones(tuple(out.shape), dtype=out.dtype))
    expected.backward(np.ones(expected.shape))
    for tensor, reference in zip(inputs, wide, strict=True):
        assert isinstance(tensor.grad, torch.Tensor)
        assert np.allclose(tensor.grad.numpy(), reference.grad, rtol=0, atol=10 * tolerance)


@pytest.mark.oracle
def test_torch_is_counted_and_required_kernels_refuse_it(torch: Any) -> None:
    clear_fused_report()
    F.relu(torch.ones(2))
    (row,) = fused_report()
    assert (row["operation"], row["backend"], row["count"]) == ("relu", "torch", 1)
    with fused("require"), pytest.raises(FusedError, match="no kernels for arrays of type Tensor"):
        F.relu(torch.ones(2))
    clear_fused_report()
