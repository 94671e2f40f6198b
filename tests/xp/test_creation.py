"""Creation functions: of every library, on the device and with the dtype that are asked for."""

from __future__ import annotations

from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

from twingrad import Tensor, grad, xp
from twingrad.xp.creation import place

DEVICE1 = strict.Device("device1")
CALLS: dict[str, Any] = {
    "zeros": lambda **how: xp.zeros((2, 3), **how),
    "ones": lambda **how: xp.ones((2, 3), **how),
    "empty": lambda **how: xp.empty((2, 3), **how),
    "full": lambda **how: xp.full((2, 3), 1.5, **how),
    "eye": lambda **how: xp.eye(2, 3, k=1, **how),
    "arange": lambda **how: xp.arange(1.0, 4.0, **how),
    "linspace": lambda **how: xp.linspace(0.0, 1.0, 5, endpoint=False, **how),
    "asarray": lambda **how: xp.asarray([[1.0, 2.0]], **how),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_device_of_another_library_makes_an_array_of_it(name: str, library: Any) -> None:
    like = library.asarray(np.ones(2))
    for dtype in (like.dtype, getattr(xp, library.floats[-1])):
        t = CALLS[name](dtype=dtype, device=like.device)
        assert isinstance(t, Tensor)
        assert (t.dtype, t.device) == (like.dtype, like.device)
        assert type(t.data) is type(like)
        if name != "empty":
            assert np.allclose(library.numpy(t), CALLS[name]().data)


def test_frequencies_on_a_device_of_another_library(library: Any) -> None:
    found = xp.fft.fftfreq(4, dtype=xp.float32, device=library.asarray(np.ones(2)).device)
    assert np.array_equal(library.numpy(found), np.asarray([0.0, 0.25, -0.5, -0.25], np.float32))


@pytest.mark.parametrize("name", CALLS)
def test_a_dtype_of_another_library_does_too(name: str) -> None:
    t = CALLS[name](dtype=strict.float32)
    assert t.dtype == strict.float32


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "full_like"])
def test_what_is_like_an_array_is_on_its_device_or_the_one_named(name: str, library: Any) -> None:
    x = Tensor(library.asarray(np.ones((2, 2))))
    fill: Any = (3.0,) if name == "full_like" else ()
    assert getattr(xp, name)(x, *fill).device == x.device
    assert getattr(xp, name)(x, *fill, device=x.device).device == x.device
    assert type(getattr(xp, name)(x.data, *fill)) is type(x.data)
    moved = getattr(xp, name)(Tensor(strict.ones(2)), *fill, device=DEVICE1)
    assert moved.device == DEVICE1


def test_to_device_within_another_library_is_recorded() -> None:
    x = Tensor(strict.asarray([1.0, 2.0]), requires_grad=True)
    for moved in (x.to_device(DEVICE1), xp.asarray(x, device=DEVICE1)):
        x.grad = None
        assert moved.device == DEVICE1
        xp.sum(moved * moved).backward()
        assert x.grad.device == x.device
        assert x.grad._array.tolist() == [2.0, 4.0]


def test_cupys_own_device_is_taken_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        id = 1

    Device.__module__ = "cupy.cuda.device"
    assert place(Device()) == "cuda:1"
    assert (place("cpu"), place(None)) == ("cpu", None)


COPIES = [("a number", 1.0), ("a list", [1.0, 2.0]), ("an array", np.ones(2)), ("a tensor", Tensor(np.ones(2)))]


@pytest.mark.parametrize(("label", "obj"), COPIES, ids=[row[0] for row in COPIES])
def test_asarray_copies_as_it_is_told(label: str, obj: Any) -> None:
    data = obj.data if isinstance(obj, Tensor) else obj
    if isinstance(data, np.ndarray):
        assert not np.shares_memory(xp.asarray(obj, copy=True).data, data)
        assert np.shares_memory(xp.asarray(obj, copy=False).data, data)
        assert np.shares_memory(xp.asarray(obj).data, data)
        with pytest.raises(ValueError, match="copy"):
            xp.asarray(obj, dtype=xp.float32, copy=False)
    else:
        with pytest.raises(ValueError, match="copy=False forbids it"):
            xp.asarray(obj, copy=False)


def test_a_sequence_of_tensors_is_joined_on_the_tape() -> None:
    found = grad(lambda x: xp.sum(xp.asarray([[x, 2.0 * x], [x * x, 1.0]]) ** 2))(3.0)
    assert float(found) == 2 * 3.0 + 8 * 3.0 + 4 * 27.0


def test_a_tensor_is_no_number_to_fill_with() -> None:
    with pytest.raises(TypeError, match="takes Python numbers, got a Tensor"):
        xp.full((2,), Tensor(np.asarray(1.0)))
