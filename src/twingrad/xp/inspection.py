"""What the namespace tells of itself: devices, dtypes and capabilities."""

from __future__ import annotations

from typing import Any

from twingrad.namespace import library_of
from twingrad.xp.creation import place


class Info:
    """The inspection functions of the array API standard, answered by the libraries of twingrad's devices."""

    def capabilities(self) -> dict[str, Any]:
        """What depends on the library: indexing by masks, shapes that depend on values, the most axes."""
        return dict(_of(None).capabilities())

    def default_device(self) -> Any:
        """The device of arrays that are created without naming one."""
        from twingrad import devices

        return devices.resolve()

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of arrays that are created without naming one, by kind."""
        return dict(_of(device).default_dtypes(device=_own(device)))

    def devices(self) -> list[Any]:
        """The devices that can be used here."""
        from twingrad import devices

        return list(devices.available())

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes by name, of `kind` where one is given: a kind of `isdtype`, or a tuple of these."""
        return dict(_of(device).dtypes(device=_own(device), kind=kind))


def _of(device: Any) -> Any:
    from twingrad import backends

    return (library_of(device) or backends.get(place(device)).namespace()).__array_namespace_info__()


def _own(device: Any) -> Any:
    """The device for a library that has devices of its own."""
    return device if library_of(device) is not None else None


def __array_namespace_info__() -> Info:
    """The namespace's description of itself."""
    return Info()
