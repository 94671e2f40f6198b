"""Functions of the standard that give tuples, integers or facts, on every library: Tensors in, Tensors of it out."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as reference
import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, use_device, xp

X = np.asarray([[3.0, -1.0, 2.0], [2.0, 0.0, 3.0]])
SORTED = np.asarray([-2.0, 0.5, 2.0, 9.0])

CALLS: dict[str, Any] = {
    "argsort": lambda xp, x, s: xp.argsort(x, axis=1),
    "argsort descending": lambda xp, x, s: xp.argsort(x, axis=0, descending=True),
    "argmax": lambda xp, x, s: xp.argmax(x, axis=1, keepdims=True),
    "argmin of all": lambda xp, x, s: xp.argmin(x),
    "all": lambda xp, x, s: xp.all(x, axis=0),
    "any kept": lambda xp, x, s: xp.any(x, axis=(0, 1), keepdims=True),
    "count_nonzero": lambda xp, x, s: xp.count_nonzero(x, axis=1),
    "count_nonzero of all": lambda xp, x, s: xp.count_nonzero(x),
    "nonzero": lambda xp, x, s: xp.nonzero(x),
    "searchsorted": lambda xp, x, s: xp.searchsorted(s, x[0, :], side="right"),
    "searchsorted by a sorter": lambda xp, x, s: xp.searchsorted(xp.flip(s), x[0, :], sorter=xp.argsort(xp.flip(s))),
    "unique_all": lambda xp, x, s: xp.unique_all(x),
    "unique_counts": lambda xp, x, s: xp.unique_counts(x),
    "unique_inverse": lambda xp, x, s: xp.unique_inverse(x),
    "unique_values": lambda xp, x, s: xp.unique_values(x),
    "unstack": lambda xp, x, s: xp.unstack(x, axis=1),
    "broadcast_arrays": lambda xp, x, s: xp.broadcast_arrays(x, x[:1, :]),
    "meshgrid": lambda xp, x, s: xp.meshgrid(s, x[0, :]),
    "eigh": lambda xp, x, s: xp.linalg.eigh(x @ x.mT),
    "qr": lambda xp, x, s: xp.linalg.qr(x.mT),
    "slogdet": lambda xp, x, s: xp.linalg.slogdet(x @ x.mT),
    "svd": lambda xp, x, s: xp.linalg.svd(x),
    "matrix_rank": lambda xp, x, s: xp.linalg.matrix_rank(x),
    "matrix_power": lambda xp, x, s: xp.linalg.matrix_power(x @ x.mT, 0),
    "vector_norm": lambda xp, x, s: xp.linalg.vector_norm(x, ord=0),
    "pinv": lambda xp, x, s: xp.linalg.pinv(x, rtol=1e-9),
}  # fmt: skip


def parts(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple | list) else [found]


@pytest.mark.parametrize("label", CALLS)
def test_tensors_give_what_arrays_give(label: str, library: Any) -> None:
    call = CALLS[label]
    expected = call(reference, X, SORTED)
    for wanted in (False, True):
        x, s = (Tensor(library.asarray(a), requires_grad=wanted) for a in (X, SORTED))
        found = call(xp, x, s)
        names = getattr(found, "_fields", None)
        assert names == getattr(expected, "_fields", None)
        for part, reference_part in zip(parts(found), parts(expected), strict=True):
            assert isinstance(part, Tensor)
            values = library.numpy(part)
            assert values.dtype.kind == np.asarray(reference_part).dtype.kind
            assert np.allclose(values, reference_part, rtol=library.tolerance(), atol=library.tolerance())
            assert not part.requires_grad or values.dtype.kind == "f"


@pytest.mark.parametrize("label", CALLS)
def test_arrays_give_arrays(label: str) -> None:
    found, expected = CALLS[label](xp, X, SORTED), CALLS[label](reference, X, SORTED)
    for part, reference_part in zip(parts(found), parts(expected), strict=True):
        assert not isinstance(part, Tensor)
        assert np.array_equal(part, reference_part)


def test_arrays_of_two_libraries_are_named() -> None:
    import array_api_strict as strict

    with pytest.raises(TypeError, match=r"searchsorted.*numpy.*array_api_strict"):
        xp.searchsorted(Tensor(SORTED), Tensor(strict.asarray([1.0])))
    with pytest.raises(TypeError, match=r"take.*numpy.*array_api_strict"):
        xp.take(Tensor(SORTED), strict.asarray([0]))
    with pytest.raises(TypeError, match=r"solve.*array_api_strict.*numpy"):
        xp.linalg.solve(Tensor(strict.asarray(np.eye(2))), np.eye(2))


def test_a_write_to_an_unstacked_part_is_seen() -> None:
    x, w = Tensor(X.copy()), Tensor(np.ones(3), requires_grad=True)
    loss = xp.sum(x * w)
    xp.unstack(x)[0][0] = 5.0
    with pytest.raises(Exception, match="overwritten in place"):
        loss.backward()


@pytest.mark.parametrize("given", [np.arange(3.0), Tensor(np.arange(3.0))], ids=["array", "tensor"])
def test_from_dlpack(given: Any) -> None:
    found = xp.from_dlpack(given)
    assert isinstance(found, Tensor)
    assert np.array_equal(found.data, [0.0, 1.0, 2.0])
    assert np.shares_memory(found.data, getattr(given, "data", given) if isinstance(given, Tensor) else given)
    copied = xp.from_dlpack(given, device="cpu", copy=True)
    assert not np.shares_memory(copied.data, found.data)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_write_to_memory_shared_by_dlpack_is_seen(device: Any) -> None:
    x, w = Tensor(np.ones(3)), Tensor(np.ones(3), requires_grad=True)
    loss, copied = xp.sum(x * w), xp.sum(x * w)
    xp.from_dlpack(x, copy=True)[0] = 5.0
    copied.backward()
    xp.from_dlpack(x, device=device)[0] = 5.0
    with pytest.raises(AutodiffError, match=r"input 0 of multiply.*overwritten in place"):
        loss.backward()


def test_the_namespace_tells_of_itself() -> None:
    info = xp.__array_namespace_info__()
    with use_device("cpu"):
        assert info.default_device() == "cpu"
        assert info.default_dtypes()["real floating"] == np.float64
    assert "cpu" in info.devices()
    assert info.capabilities()["boolean indexing"]
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert info.dtypes(device="cpu", kind=("bool", "complex floating"))["complex64"] == np.complex64


def test_the_namespace_tells_of_the_device_of_another_library(library: Any) -> None:
    info, theirs = xp.__array_namespace_info__(), library.xp.__array_namespace_info__()
    device = library.asarray([1.0]).device
    assert info.default_dtypes(device=device) == theirs.default_dtypes(device=library.device)
    assert info.dtypes(device=device, kind="real floating") == theirs.dtypes(device=device, kind="real floating")


@pytest.mark.parametrize("dtype", [xp.float32, xp.float64, xp.complex64, "float32"], ids=str)
def test_limits_are_python_numbers(dtype: Any) -> None:
    found, expected = xp.finfo(np.dtype(dtype)), np.finfo(np.dtype(dtype))
    for name in ("eps", "max", "min", "smallest_normal"):
        assert type(getattr(found, name)) is float
        assert getattr(found, name) == getattr(expected, name)
    assert (found.bits, found.dtype) == (expected.bits, expected.dtype)
