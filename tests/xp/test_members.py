"""What the namespace offers besides rules: its list of names, creation, dtypes, functions without a gradient."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, use_device, xp

X = np.asarray([[-1.5, 0.0, 2.5], [np.nan, np.inf, -0.0]])
INTEGERS = np.asarray([6, 5, 12], np.int64)


def test_all_names_what_the_namespace_has() -> None:
    assert sorted(xp.__all__) == sorted(set(xp.__all__))
    missing = [name for name in xp.__all__ if not hasattr(xp, name)]
    assert missing == []
    public = {n for n in vars(xp) if not n.startswith("_")}
    modules = {n for n in public if isinstance(getattr(xp, n), types.ModuleType)}
    assert public - set(xp.__all__) - modules == set()
    assert {"linalg", "fft"} <= set(xp.__all__)


ONE = (
    "sign floor ceil round trunc isfinite isinf isnan signbit argsort argmax argmin all any logical_not bitwise_invert"
)
TWO = """floor_divide equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift"""


@pytest.mark.parametrize("name", f"{ONE} {TWO}".split())
def test_function_without_a_gradient(name: str) -> None:
    logical = name.startswith("logical") or name in ("all", "any")
    first: Any = INTEGERS if name.startswith(("bitwise", "floor_divide")) else (X > 0 if logical else X[0])
    count = 2 if name in TWO.split() else 1
    plain = [first, first[::-1]][:count]
    expected = getattr(np, name)(*plain)
    assert np.array_equal(getattr(xp, name)(*plain), expected)
    tensors = [Tensor(a, requires_grad=a.dtype == np.float64) for a in plain]
    found = getattr(xp, name)(*tensors)
    assert isinstance(found, Tensor)
    assert not found.requires_grad
    assert np.array_equal(found.data, expected)


CREATED = {
    "zeros": ((2, 3),), "ones": ((2,),), "full": ((2,), 3.0), "arange": (1, 7, 2), "linspace": (0.0, 1.0, 5),
    "eye": (3,),
}  # fmt: skip


@pytest.mark.parametrize("name", CREATED)
def test_creation_gives_tensors(name: str) -> None:
    for options in ({}, {"dtype": xp.float32}, {"device": "cpu"}):
        with use_device("cpu"):
            found = getattr(xp, name)(*CREATED[name], **options)
        expected = getattr(np, name)(*CREATED[name], dtype=options.get("dtype"))
        assert isinstance(found, Tensor)
        assert found.dtype == expected.dtype
        assert np.array_equal(found.data, expected)


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "full_like"])
def test_creation_like_an_array_stays_with_it(name: str, library: Any) -> None:
    x = library.asarray([[1.0, 2.0]])
    arguments = (x, 3.0) if name == "full_like" else (x,)
    plain = getattr(xp, name)(*arguments)
    tensor = getattr(xp, name)(Tensor(x), *arguments[1:])
    assert isinstance(tensor, Tensor)
    assert not isinstance(plain, Tensor)
    for found in (plain, tensor):
        assert library.numpy(found).shape == (1, 2)
        assert str(library.numpy(found).dtype) == library.floats[-1]


def test_asarray_keeps_a_tensor_on_the_tape() -> None:
    t = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    xp.sum(xp.asarray(t, dtype=np.float32, device="cpu") * 2).backward()
    assert np.array_equal(t.grad, [2.0, 2.0])


@pytest.mark.parametrize("obj", [3.0, [1.0, 2.0], np.arange(3), np.float32(1)], ids=lambda o: type(o).__name__)
def test_asarray_of(obj: Any) -> None:
    found = xp.asarray(obj)
    assert isinstance(found, Tensor)
    assert np.array_equal(found.data, np.asarray(obj))


def test_asarray_joins_tensors_on_the_tape() -> None:
    t = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    joined = xp.asarray([[t[0], 3.0], (t[1] * 2, t[0])], dtype=np.float32)
    assert np.array_equal(joined.data, np.asarray([[1.0, 3.0], [4.0, 1.0]], np.float32))
    xp.sum(joined).backward()
    assert np.array_equal(t.grad, [2.0, 2.0])


def test_dtypes_of_every_library(library: Any) -> None:
    t = Tensor(library.asarray([1.0]))
    assert xp.isdtype(t.dtype, "real floating")
    assert not xp.isdtype(t.dtype, ("integral", "bool"))
    assert xp.finfo(t).bits == (64 if library.floats[-1] == "float64" else 32)
    assert xp.iinfo(Tensor(library.asarray([1]))).max == 2**63 - 1
    assert xp.result_type(t, t.data, t.dtype) == t.dtype
    assert xp.result_type(2.0, t.dtype) == t.dtype
    assert xp.result_type(1.0, t, 3) == t.dtype
    assert xp.can_cast(t, t.dtype)
    assert not xp.can_cast(t, library.asarray([1]).dtype)


BY_DTYPE = {
    "astype": lambda x, dtype: xp.astype(x, dtype),
    "asarray": lambda x, dtype: xp.asarray(x, dtype=dtype),
    "sum": lambda x, dtype: xp.sum(x, dtype=dtype),
    "prod": lambda x, dtype: xp.prod(x, axis=0, dtype=dtype),
    "cumulative_sum": lambda x, dtype: xp.cumulative_sum(x, axis=0, dtype=dtype),
    "cumulative_prod": lambda x, dtype: xp.cumulative_prod(x, axis=1, dtype=dtype),
    "trace": lambda x, dtype: xp.linalg.trace(x, dtype=dtype),
    "ones_like": lambda x, dtype: xp.ones_like(x, dtype=dtype),
    "full_like": lambda x, dtype: xp.full_like(x, 2, dtype=dtype),
}


@pytest.mark.parametrize("dtype", [xp.float32, np.dtype("float32"), xp.int64], ids=str)
@pytest.mark.parametrize("name", BY_DTYPE)
def test_dtypes_of_this_namespace_for_arrays_of_every_library(name: str, dtype: Any, library: Any) -> None:
    values = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    expected = BY_DTYPE[name](Tensor(values), dtype).data
    array = library.asarray(values)
    for x in (array, Tensor(array), Tensor(array, requires_grad=True)):
        found = library.numpy(BY_DTYPE[name](x, dtype))
        assert found.dtype == np.dtype(dtype)
        assert np.array_equal(found, expected)


def test_facts_of_this_namespace_s_dtypes_for_every_library(library: Any) -> None:
    x = Tensor(library.asarray([1.0]))
    assert xp.isdtype(x.dtype, (getattr(xp, library.floats[-1]), "integral"))
    assert not xp.isdtype(x.dtype, xp.int32)
    assert xp.result_type(x, xp.float32) == xp.result_type(xp.float32, x.dtype, 1.0) == x.dtype
    assert xp.can_cast(xp.float32, x.dtype)
    assert not xp.can_cast(x, xp.int32)


def test_dtypes_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's dtypes need PyTorch; it comes with the extra `oracle`")
    assert xp.isdtype(torch.float32, "real floating")
    assert xp.finfo(Tensor(torch.ones(1))).bits == 32


def test_a_tensor_names_this_namespace() -> None:
    assert Tensor(X).__array_namespace__() is xp
    assert xp.__array_api_version__ >= "2024.12"
