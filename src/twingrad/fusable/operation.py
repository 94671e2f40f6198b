"""An operation: its readable reference, and the choice between that and a kernel."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from numpy import ndarray

from twingrad.autodiff import Tensor, is_recording
from twingrad.autodiff.tape import Operation, enabled, recorded
from twingrad.autodiff.tensor import made
from twingrad.errors import FusedError
from twingrad.fusable.arguments import bind, by_position
from twingrad.fusable.kernel import Kernel, provider, providers, pulled
from twingrad.fusable.mode import asked
from twingrad.fusable.report import note
from twingrad.namespace import backend_of, check_one_gpu, is_bfloat16, namespace_of, real_floating
from twingrad.recording import computing_again, refuse_while_recording, under_way

registry: dict[str, Fusable] = {}
"""Every fusable operation by name: the parity tests walk it."""
STORAGE = ("narrow", "widen")
"""What changes between float32 and bfloat16; on a CPU only the reference does."""


class Fusable:
    """An operation with one reference implementation and any number of fused overrides."""

    def __init__(
        self,
        reference: Callable[..., Any],
        validate: Callable[..., None] | None,
        overwrites: Callable[..., tuple[int, ...]] | None = None,
        widens: bool = False,
        floating: bool = False,
    ) -> None:
        self.reference = reference
        self.widens, self.floating = widens, floating
        self.validate = validate
        self.overwrites = overwrites
        self.kernels: dict[str, Kernel] = {}
        self.of_few: Callable[..., Any] | None = None
        self.of_bfloat16: Callable[..., Any] | None = None
        functools.update_wrapper(self, reference)
        self.name = reference.__name__
        self.on_tape = Operation(self.name, pulled, fresh=True)
        parameters = inspect.signature(reference).parameters.values()
        self.arguments = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}

    def kernel(
        self,
        backend: str,
        *,
        accepts: Callable[..., str | None] = lambda *args, **kwargs: None,
        backward: Callable[..., tuple[Any, ...]] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the decorated function as this operation's kernel on `backend`.

        backward(saved, grad, into) -> a gradient for each argument in its destination, or where that has no array in
        one of its own, neither `grad` nor a view of it: a leaf keeps it without a copy.
        """

        def register(forward: Callable[..., Any]) -> Callable[..., Any]:
            if backend in self.kernels:
                raise ValueError(f"{self.name} already has a kernel for {backend!r}")
            self.kernels[backend] = Kernel(accepts, forward, backward)
            return forward

        return register

    def few(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register what computes one NumPy array of few elements to the bits of the kernel "cpu", and returns what that
        does, with less around it, which costs more than the arithmetic; it returns None for any other array. Under
        "require", and in a captured step, the kernel runs.
        """
        self.of_few = function
        return function

    def in_float32(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register what computes this operation where an argument is stored in bfloat16 and no kernel takes that. By
        default such arguments are widened, and the result rounded to bfloat16 where the first floating one was of them.
        """
        self.of_bfloat16 = function
        return function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.of_few is not None and len(args) == 1 and not kwargs and not under_way and asked.get() == "auto":
            out = self._by_few(args)
            if out is not None:
                return out
        if kwargs and len(args) < len(self.arguments):
            args = by_position(self.arguments, args, kwargs)
        arrays, plain = args, True
        for given in args:
            if isinstance(given, Tensor):
                arrays, plain = tuple([a.data if isinstance(a, Tensor) else a for a in args]), False
                break
        if self.validate is not None:
            self._check(arrays, kwargs)
        elif kwargs or len(args) != len(self.arguments):
            bind(self.name, self.reference, arrays, kwargs)
        if self.overwrites is not None and computing_again():
            args, arrays = self._spared(args, arrays, kwargs)
        mode = asked.get()
        if mode == "never":
            refuse_while_recording(self.name, 'fused("never") keeps to the reference path, which has no bound form')
            return self._by_reference(args, arrays, kwargs)
        kernel, reason = self._choose(arrays, kwargs)
        if kernel is None:
            self._refuse(arrays[0], reason)
            return self._by_reference(args, arrays, kwargs)
        if self.overwrites is not None:
            self._count_writes(args, kwargs)
        if kernel.backward is None:
            return kernel.forward(*arrays, **kwargs)
        out, saved = kernel.forward(*arrays, **kwargs)
        if plain:
            if under_way:
                refuse_while_recording(
                    self.name, "it is given plain arrays and gives one, with which NumPy computes unseen"
                )
            return out
        if not is_recording(args):
            return made(out)
        return made(out, recorded(self.on_tape, None, args, (kernel.backward, saved)))

    def _by_few(self, args: tuple[Any, ...]) -> Any:
        """The result by `of_few`, plain or as a Tensor as the argument is; None where that has none."""
        given = args[0]
        tensor = isinstance(given, Tensor)
        x = given.data if tensor else given
        found = self.of_few(x) if type(x) is ndarray else None  # type: ignore[misc]
        if found is None:
            return None
        out, saved = found
        if not tensor:
            return out
        if not (given.requires_grad and enabled.get()):
            return made(out)
        return made(out, recorded(self.on_tape, None, args, (self.kernels["cpu"].backward, saved)))

    def _by_reference(self, args: tuple[Any, ...], arrays: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The reference, which computes in float32 what is stored in bfloat16."""
        if backend_of(arrays[0]) == "cuda":
            check_one_gpu(*arrays, *kwargs.values(), name=self.name)
        stored = [is_bfloat16(getattr(array, "dtype", None)) for array in arrays]
        if self.floating and not real_floating(arrays[0]):
            name = next(iter(self.arguments))
            raise TypeError(f"{self.name} takes {name} of a real floating dtype, got {arrays[0].dtype}; cast it first")
        if not any(stored) or self.name in STORAGE:
            return self.reference(*args, **kwargs)
        if self.of_bfloat16 is not None:
            return self.of_bfloat16(*args, **kwargs)
        if self.overwrites is not None and any(stored[place] for place in self.overwrites(*args, **kwargs)):
            raise TypeError(f"{self.name} writes to an argument that is bfloat16; make that float32")
        narrow, widen = registry["narrow"], registry["widen"]
        out = self(*[widen(a) if low else a for a, low in zip(args, stored, strict=True)], **kwargs)
        first = next(low for a, low in zip(arrays, stored, strict=True) if low or a.dtype.kind == "f")
        return narrow(out) if first and not self.widens else out

    def _check(self, arrays: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Validate; what is no array, missing or unknown is said of the operation, not of its check."""
        try:
            self.validate(*arrays, **kwargs)  # type: ignore[misc]
        except (AttributeError, TypeError):
            bind(self.name, self.reference, arrays, kwargs)
            namespace_of(*arrays)
            raise

    def _spared(
        self, args: tuple[Any, ...], arrays: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The arguments with copies of those that are written: they were written when this was computed first."""
        places = self.overwrites(*args, **kwargs)  # type: ignore[misc]
        copies = {i: namespace_of(arrays[i]).asarray(arrays[i], copy=True) for i in places}
        return tuple([copies.get(i, a) for i, a in enumerate(args)]), tuple(
            [copies.get(i, a) for i, a in enumerate(arrays)]
        )

    def _count_writes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Tensors that a kernel is about to write count as overwritten, as the reference's own writes do."""
        for place in self.overwrites(*args, **kwargs):  # type: ignore[misc]
            if isinstance(args[place], Tensor):
                args[place].mark_written()

    def _choose(self, arrays: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Kernel | None, str]:
        backend = backend_of(arrays[0])
        if backend is None:
            return None, f"no kernels for arrays of type {type(arrays[0]).__name__}"
        refusal = (providers.get(backend) or provider(backend)).unavailable()
        kernel = self.kernels.get(backend)
        if refusal is None:
            refusal = self._no_kernel(backend) if kernel is None else kernel.accepts(*arrays, **kwargs)
        return (kernel, "") if refusal is None else (None, refusal)

    def _no_kernel(self, backend: str) -> str:
        stores = self.name in STORAGE and backend == "cpu"
        return "a CPU has no kernels that store bfloat16" if stores else f"no kernel for {backend}"

    def _refuse(self, array: Any, reason: str) -> None:
        if asked.get() == "require":
            raise FusedError(f'{self.name} would take the reference path, and fused("require") forbids it: {reason}')
        refuse_while_recording("bf16" if self.name in STORAGE else self.name, reason)
        note(self.name, backend_of(array) or type(array).__module__.partition(".")[0], reason)


def fusable(
    *,
    validate: Callable[..., None] | None = None,
    overwrites: Callable[..., tuple[int, ...]] | None = None,
    widens: bool = False,
    floating: bool = False,
) -> Callable[[Callable[..., Any]], Fusable]:
    """Make the decorated reference an operation that kernels can override, and enter it in the registry.

    validate(*args, **kwargs) raises where the arguments, as plain arrays, break the operation's rules: it runs once
    before either path, so kernels trust their caller. overwrites(*args, **kwargs) gives the places of the
    arguments that are written. widens: the result is float32 where the arguments are stored in bfloat16.
    floating: the first argument is refused unless its dtype is real floating; kernels take no other by themselves.
    """

    def decorate(reference: Callable[..., Any]) -> Fusable:
        if reference.__name__ in registry:
            raise ValueError(f"an operation named {reference.__name__} exists already")
        operation = registry[reference.__name__] = Fusable(reference, validate, overwrites, widens, floating)
        return operation

    return decorate
