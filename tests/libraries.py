"""The array libraries that tests run over."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    import array_api_strict
except ImportError:  # tests that name it fail; those of a GPU run on a machine that has no more than CuPy and NumPy
    array_api_strict = None


class Library:
    """One kind of array to test with: `asarray` makes an input, `numpy` reads a result back."""

    def __init__(self, name: str, xp: Any, device: Any, floats: tuple[str, ...], read_only: bool = False) -> None:
        self.name, self.xp, self.device, self.floats, self.read_only = name, xp, device, floats, read_only

    def __repr__(self) -> str:
        return self.name

    def asarray(self, values: Any, dtype: str | None = None) -> Any:
        """An input array: float64 where the library has it, else float32, unless `dtype` is given."""
        plain = np.asarray(values)
        if dtype is None:
            dtype = self.floats[-1] if plain.dtype.kind == "f" else str(plain.dtype)
        plain = np.array(plain, dtype=dtype)
        if self.xp is np:
            plain.flags.writeable = not self.read_only
            return plain
        return self.xp.asarray(plain, dtype=getattr(self.xp, dtype), device=self.device)

    def writable(self, values: Any, dtype: str | None = None) -> Any:
        """Like `asarray`, for arrays that are updated in place."""
        array = self.asarray(values, dtype)
        return array.copy() if self.xp is np else array

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        """The values of a result, which must still be of this library and on this device."""
        array = getattr(array, "data", array) if hasattr(array, "requires_grad") else array
        if self.xp is np:
            return np.asarray(array)
        assert type(array).__module__.startswith("array_api_strict"), f"left the library: {type(array)}"
        assert array.device == self.device, f"left the device: {array.device}"
        return np.asarray(array._array)

    def tolerance(self) -> float:
        """Relative error that rounding explains, in the library's widest float."""
        return 1e-12 if self.floats[-1] == "float64" else 2e-6


LIBRARIES = [
    Library("numpy", np, "cpu", ("float32", "float64")),
    Library("numpy-read-only", np, "cpu", ("float32", "float64"), read_only=True),
]
if array_api_strict is not None:
    DEVICE1 = array_api_strict.Device("device1")
    NO_FLOAT64 = array_api_strict.Device("no_float64")
    LIBRARIES += [
        Library("strict-device1", array_api_strict, DEVICE1, ("float32", "float64")),
        Library("strict-no_float64", array_api_strict, NO_FLOAT64, ("float32",)),
    ]
