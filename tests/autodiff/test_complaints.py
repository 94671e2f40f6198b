"""What cannot be computed says which operation, on what, and what to do."""

from __future__ import annotations

from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import twingrad as tg
from twingrad import AutodiffError, DeviceError, Tensor, xp

DEVICE1, CPU = strict.Device("device1"), strict.Device("CPU_DEVICE")


def tensor(*shape: int) -> Tensor:
    return Tensor(np.ones(shape), requires_grad=True)


def on(device: Any, *shape: int) -> Tensor:
    return Tensor(strict.ones(shape, device=device), requires_grad=True)


BROADCAST = {
    "operator": (lambda: tensor(3) + tensor(2), "add: shapes (3,) and (2,)"),
    "array on the left": (lambda: np.ones(3) * tensor(2), "multiply: shapes (3,) and (2,)"),
    "function": (lambda: xp.maximum(tensor(2, 3), np.ones((3, 2))), "maximum: shapes (2, 3) and (3, 2)"),
    "comparison": (lambda: tensor(3) < tensor(2), "less: shapes (3,) and (2,)"),
    "three arrays": (lambda: xp.where(np.ones(3) > 0, tensor(2), 0.0), "where: shapes (3,) and (2,)"),
    "strict": (lambda: on(DEVICE1, 3) + on(DEVICE1, 2), "add: shapes (3,) and (2,)"),
    "plain": (lambda: xp.add(np.ones(3), np.ones(2)), "add: shapes (3,) and (2,)"),
}


@pytest.mark.parametrize("label", BROADCAST)
def test_shapes_that_do_not_broadcast(label: str) -> None:
    call, said = BROADCAST[label]
    with pytest.raises(ValueError, match="from the right, each pair of axes is equal, or one of them is 1") as caught:
        call()
    assert str(caught.value).startswith(f"xp.{said} do not fit; they must broadcast")
    assert caught.value.__cause__ is not None


SHAPES = {
    "product": (lambda: tensor(3, 2) @ tensor(3, 2), r"matmul: shapes \(3, 2\) and \(3, 2\).*\(..., n, k\) and"),
    "vector": (lambda: tensor(3, 2) @ tensor(3), r"matmul: shapes \(3, 2\) and \(3,\)"),
    "batches": (lambda: tensor(2, 3, 2) @ tensor(3, 2, 3), r"matmul: shapes \(2, 3, 2\) and .*broadcasting"),
    "no axes": (lambda: tensor() @ tensor(3), r"matmul: shapes \(\) and \(3,\)"),
    "concat": (lambda: xp.concat([tensor(2, 3), tensor(2, 4)]), r"concat: shapes \(2, 3\) and .*all axes but the one"),
    "stack": (lambda: xp.stack([tensor(2), tensor(3)]), r"stack: shapes \(2,\) and \(3,\) .*must be equal"),
    "reshape": (lambda: xp.reshape(tensor(2, 3), (4,)), r"xp.reshape of float64\[2, 3\]: .*\(4,\)"),
    "broadcast_to": (lambda: xp.broadcast_to(tensor(2, 3), (2,)), r"xp.broadcast_to of float64\[2, 3\]"),
    "tril": (lambda: xp.tril(tensor(3)), r"xp.tril of float64\[3\]: needs two axes"),
    "axis": (lambda: xp.sum(tensor(2, 3), axis=2), r"xp.sum of float64\[2, 3\]: axis 2 is out of bounds"),
    "linalg": (lambda: xp.linalg.solve(tensor(2, 3), tensor(2)), r"linalg.solve of float64\[2, 3\] and float64\[2\]"),
}  # fmt: skip


@pytest.mark.parametrize("label", SHAPES)
def test_other_shapes_that_do_not_fit(label: str) -> None:
    call, said = SHAPES[label]
    with pytest.raises(ValueError, match=said):
        call()


DEVICES = {
    "operator": (lambda: on(DEVICE1, 2) + on(CPU, 2), "add"),
    "plain beside it": (lambda: on(DEVICE1, 2) * strict.ones(2), "multiply"),
    "product": (lambda: on(DEVICE1, 2, 2) @ on(CPU, 2, 2), "matmul"),
    "comparison": (lambda: on(DEVICE1, 2) < on(CPU, 2), "less"),
    "three arrays": (lambda: xp.where(on(DEVICE1, 2) > 0, on(DEVICE1, 2), on(CPU, 2)), "where"),
    "joined": (lambda: xp.concat([on(DEVICE1, 2), on(CPU, 2)]), "concat"),
}


@pytest.mark.parametrize("label", DEVICES)
def test_two_devices_in_one_operation(label: str) -> None:
    call, name = DEVICES[label]
    with pytest.raises(DeviceError, match=rf"xp.{name}: arrays of two devices.*device1.* and .*CPU_DEVICE.*to_device"):
        call()


def test_two_libraries_in_one_operation() -> None:
    said = "arrays of two libraries in one operation: numpy and array_api_strict; make one of them"
    for call, name in (
        (lambda: tensor(2) - on(CPU, 2), "subtract"),
        (lambda: xp.atan2(tensor(2), strict.ones(2)), "atan2"),
        (lambda: xp.stack([tensor(2), on(CPU, 2)]), "stack"),
    ):
        with pytest.raises(TypeError, match=f"xp.{name}: {said}"):
            call()


def test_other_errors_name_the_operation_and_keep_their_kind() -> None:
    with pytest.raises(TypeError, match=r"xp.flip of float64\[2\].*nonsense"):
        xp.flip(tensor(2), nonsense=1)
    with pytest.raises(TypeError, match=r"sum\(\) got .*nonsense"):
        xp.sum(tensor(2), nonsense=1)
    with pytest.raises(IndexError, match=r"xp.getitem of float64\[2\]"):
        tensor(2)[5]
    with pytest.raises(IndexError, match=r"xp.setitem of float64\[2\]"):
        (tensor(2) * 1.0)[5] = 1.0
    with pytest.raises(TypeError, match="expected an array"):
        tensor(2) + "text"


# -- complex numbers and integers -------------------------------------------------------------------------------------

COMPLEX = {
    "times i": lambda x: xp.abs(x * 1j),
    "cast": lambda x: xp.real(xp.astype(x, xp.complex128)),
    "plus a complex array": lambda x: xp.imag(x + np.asarray([1j, 2j])),
    "transform": lambda x: xp.abs(xp.fft.fft(x)),
}


@pytest.mark.parametrize("label", COMPLEX)
def test_complex_arrays_compute_and_their_gradients_say_so(label: str) -> None:
    f, x = COMPLEX[label], np.asarray([1.0, -2.0])
    out = f(Tensor(x, requires_grad=True))
    assert np.allclose(out.data, f(x))
    with pytest.raises(AutodiffError, match=r"complex numbers here, and gradients.*real and imaginary parts"):
        tg.grad(lambda x: xp.sum(f(x)))(x)
    with pytest.raises(AutodiffError, match="complex"):
        out.backward(np.ones(2))


def test_a_complex_result_is_no_root() -> None:
    x = tensor(2)
    for walk in (lambda: (x * 1j).backward(np.ones(2)), lambda: tg.vjp(lambda x: x * 1j, np.ones(2))[1](np.ones(2))):
        with pytest.raises(AutodiffError, match=r"complex tensor is not defined here: take xp.real, xp.imag or xp.abs"):
            walk()


def test_integers_that_were_told_to_require_a_gradient() -> None:
    x = Tensor(np.asarray([1, 2]))
    x.requires_grad = True
    with pytest.raises(AutodiffError, match="reaches the int64 input of multiply; only floating tensors"):
        (x * 2.0).sum().backward()


# -- what an array of another library is ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex64"])
def test_numpy_of_every_library(library: Any, dtype: str) -> None:
    values = np.asarray([[0, 1], [2, 3]], dtype)
    array = library.asarray(values, dtype)
    found = Tensor(array).numpy()
    assert type(found) is np.ndarray
    assert np.array_equal(found, values)
    assert not found.flags.writeable


@pytest.mark.oracle
def test_torch_on_either_side_and_numpy() -> None:
    torch = pytest.importorskip("torch")
    x = Tensor(torch.ones(2), requires_grad=True)
    three = torch.full((2,), 3.0)
    for out, value in ((three * x, 3.0), (x * three, 3.0), (three - x, 2.0), (three @ x, 6.0), (x / three, 1 / 3)):
        assert isinstance(out, Tensor)
        assert np.allclose(out.numpy(), value)
    assert Tensor(torch.ones(2, requires_grad=True)).numpy().tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"xp.add: shapes \(2,\) and \(3,\)"):
        x + torch.ones(3)


def test_array_api_strict_refuses_a_tensor_on_its_right_itself() -> None:
    with pytest.raises(TypeError, match=r"Expected Array or Python scalar; got .*Tensor"):
        strict.ones(2) + on(CPU, 2)


def test_special_methods_of_the_standard() -> None:
    t = tensor(2)
    assert t.__array_namespace__() is xp
    assert all(t.__array_namespace__(api_version=v) is xp for v in ("2021.12", "2024.12", None))
    with pytest.raises(ValueError, match=r"array API standard 2024.12, not '1999.01'"):
        t.__array_namespace__(api_version="1999.01")
    assert t.to_device("cpu") is not None
    with pytest.raises(ValueError, match="takes no stream, got 3"):
        t.to_device("cpu", stream=3)
    assert t.__dlpack_device__() == t.data.__dlpack_device__()
    copied = np.from_dlpack(t, copy=True)
    assert not np.shares_memory(copied, t.data)
    assert np.shares_memory(np.from_dlpack(t, device="cpu"), t.data)
    assert f"{Tensor(np.asarray(1.25)):.1f}" == "1.2"
    assert f"{t}" == str(t)
    assert repr(on(CPU)) == f"Tensor({on(CPU).data!r}, requires_grad=True)"


def test_augmented_operators_make_new_tensors() -> None:
    x = tensor(2)
    y = x
    y += 1.0
    y *= x
    assert np.array_equal(x.data, [1.0, 1.0])
    y.sum().backward()
    assert np.array_equal(x.grad, [3.0, 3.0])
