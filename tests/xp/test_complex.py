"""Complex arrays compute as the library does; a backward pass through them raises and names the operation."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy as reference
import numpy as np
import pytest

from twingrad import AutodiffError, Tensor, no_grad, xp

X = np.asarray([1.0, -2.0, 0.5, 3.0])
Z = X + 1j * X[::-1]
M = np.asarray([[2.0, 1.0j], [-1.0j, 3.0]])

COMPUTED = {
    "multiply": lambda xp, z: z * z, "abs": lambda xp, z: xp.abs(z), "conj": lambda xp, z: xp.conj(z),
    "real": lambda xp, z: xp.real(z), "imag": lambda xp, z: xp.imag(z), "exp": lambda xp, z: xp.exp(z),
    "sum": lambda xp, z: xp.sum(z), "prod": lambda xp, z: xp.prod(z), "sqrt": lambda xp, z: xp.sqrt(z),
    "cumulative_prod": lambda xp, z: xp.cumulative_prod(z), "vecdot": lambda xp, z: xp.vecdot(z, z),
    "vector_norm": lambda xp, z: xp.linalg.vector_norm(z), "diff": lambda xp, z: xp.diff(z),
    "take": lambda xp, z: xp.take(z, xp.asarray([0, 0])), "unique": lambda xp, z: xp.unique_values(z),
}  # fmt: skip
OF_MATRICES = {
    "inv": lambda xp, m: xp.linalg.inv(m), "det": lambda xp, m: xp.linalg.det(m),
    "eigh": lambda xp, m: xp.linalg.eigh(m).eigenvalues, "svd": lambda xp, m: xp.linalg.svd(m).S,
    "cholesky": lambda xp, m: xp.linalg.cholesky(m), "solve": lambda xp, m: xp.linalg.solve(m, m),
    "pinv": lambda xp, m: xp.linalg.pinv(m), "matrix_norm": lambda xp, m: xp.linalg.matrix_norm(m),
    "matrix_power": lambda xp, m: xp.linalg.matrix_power(m, 3), "qr": lambda xp, m: xp.linalg.qr(m).R,
}  # fmt: skip
CASES: dict[str, tuple[Any, Any]] = {
    **{k: (f, Z) for k, f in COMPUTED.items()},
    **{k: (f, M) for k, f in OF_MATRICES.items()},
}


@pytest.mark.parametrize("label", CASES)
def test_complex_arrays_compute(label: str) -> None:
    f, z = CASES[label]
    found = f(xp, Tensor(z))
    assert isinstance(found, Tensor)
    assert not found.requires_grad
    assert np.allclose(found.data, f(reference, z), rtol=1e-15)


@pytest.mark.parametrize("label", CASES)
def test_a_gradient_through_complex_numbers_raises(label: str) -> None:
    f, z = CASES[label]
    x = Tensor(np.real(z) + 1.0, requires_grad=True)
    found = f(xp, x + 1j * np.imag(z))
    assert np.allclose(found.data, f(reference, z + 1.0), rtol=1e-14)
    with pytest.raises(AutodiffError, match=r"takes or gives complex numbers.*real and imaginary parts"):
        xp.sum(xp.abs(found)).backward()
    assert x.grad is None


ROUND_TRIPS = {
    "real": lambda x: xp.real(x * (1.0 + 2.0j)),
    "astype": lambda x: xp.abs(xp.astype(x, xp.complex128)),
    "fft.irfft": lambda x: xp.fft.irfft(xp.fft.rfft(x)),
    "fft.irfftn": lambda x: xp.fft.irfftn(xp.fft.rfftn(x)),
    "fft.hfft": lambda x: xp.fft.hfft(xp.fft.ihfft(x)),
    "fft.fftn": lambda x: xp.abs(xp.fft.fftn(x)),
    "fft.ifftn": lambda x: xp.abs(xp.fft.ifftn(x)),
    "fft.fft": lambda x: xp.abs(xp.fft.fft(x)),
    "fft.ifft": lambda x: xp.abs(xp.fft.ifft(x)),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_a_real_loss_by_way_of_complex_numbers_names_where_it_stops(name: str) -> None:
    x = Tensor(X, requires_grad=True)
    loss = xp.sum(ROUND_TRIPS[name](x))
    with pytest.raises(AutodiffError, match=f"^{name} takes or gives complex numbers"):
        loss.backward()
    with no_grad():
        assert not ROUND_TRIPS[name](x).requires_grad


def test_what_does_not_depend_on_complex_numbers_has_its_gradient_beside_them() -> None:
    x = Tensor(X, requires_grad=True)
    spectrum = xp.fft.rfft(x)
    xp.sum(x * xp.abs(spectrum.detach())[0]).backward()
    assert np.array_equal(x.grad, np.full(4, abs(np.sum(X))))


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies(name: str) -> None:
    found = getattr(xp.fft, name)(6, d=0.5, dtype=xp.float32, device="cpu")
    assert found.dtype == np.float32
    assert np.array_equal(found.data, getattr(np.fft, name)(6, d=0.5).astype(np.float32))
