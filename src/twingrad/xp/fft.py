"""`twingrad.xp.fft`: the Fourier transforms of the array API standard.

A transform takes or gives complex numbers, through which no gradients are defined here: also of `irfft(rfft(x))`, which
is real at both ends, a backward pass raises AutodiffError, naming the transform.
"""

from __future__ import annotations

from typing import Any

from twingrad.autodiff.tensor import Tensor
from twingrad.namespace import dtype_in, library_of
from twingrad.xp.composed import library, through_complex
from twingrad.xp.creation import place
from twingrad.xp.primitive import primitive

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


def _along_one_axis(name: str) -> Any:
    return through_complex(f"fft.{name}", lambda x, /, *, n=None, axis=-1, norm="backward": None)


def _along_axes(name: str) -> Any:
    return through_complex(f"fft.{name}", lambda x, /, *, s=None, axes=None, norm="backward": None)


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of `fft` of n samples, d apart: a Tensor on `device`, by default the one in use."""
    return _frequencies("fftfreq", n, d, dtype, device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of `rfft` of n samples, d apart: a Tensor on `device`, by default the one in use."""
    return _frequencies("rfftfreq", n, d, dtype, device)


def _frequencies(name: str, n: int, d: float, dtype: Any, device: Any) -> Tensor:
    import array_api_compat.numpy.fft as on_host

    from twingrad import backends

    library = library_of(device, dtype)
    if library is not None:
        return Tensor(getattr(library.fft, name)(n, d=d, dtype=dtype_in(library, dtype), device=device))
    return Tensor(backends.get(place(device)).asarray(getattr(on_host, name)(n, d=d, dtype=dtype)))


fft = _along_one_axis("fft")
ifft = _along_one_axis("ifft")
rfft = _along_one_axis("rfft")
irfft = _along_one_axis("irfft")
hfft = _along_one_axis("hfft")
ihfft = _along_one_axis("ihfft")
fftn = _along_axes("fftn")
ifftn = _along_axes("ifftn")
rfftn = _along_axes("rfftn")
irfftn = _along_axes("irfftn")
fftshift = primitive(
    "fft.fftshift", lambda g, out, x, /, *, axes=None: ifftshift(g, axes=axes), implementation=library("fft.fftshift")
)
ifftshift = primitive(
    "fft.ifftshift", lambda g, out, x, /, *, axes=None: fftshift(g, axes=axes), implementation=library("fft.ifftshift")
)
