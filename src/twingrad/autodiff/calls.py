"""One call of a function that is being differentiated: what the transforms share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from twingrad.autodiff import tape, walk
from twingrad.autodiff.tensor import Tensor, made

_enclosing: ContextVar[frozenset[int]] = ContextVar("arguments of enclosing transforms", default=frozenset())


def _no_rule(node: tape.Node, grad: Any, into: Any) -> list[Any]:
    return [grad]


ALIAS = tape.Operation("alias", _no_rule)


class Call:
    """`function(*args, **kwargs)`, run with those of its arguments that `argnums` names on the tape.

    value: what it returned. targets: the arguments as it saw them, after the tape's number `since`. on_tape: whether
    the results are Tensors: an argument was one, or the value depends on an argument of an enclosing transform.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: int | tuple[int, ...],
    ) -> None:
        positions = argnums if isinstance(argnums, tuple) else (argnums,)
        _check_positions(positions, len(args))
        chosen = {position % len(args) for position in positions}
        self.since = next(tape.numbers)
        inputs = [leaf(a) if i in chosen else a for i, a in enumerate(args)]
        self.targets: list[Tensor] = [inputs[position] for position in positions]
        self.outside = tape.enabled.get()
        outer = _enclosing.get()
        token = _enclosing.set(outer | {id(target) for target in self.targets})
        try:
            with tape.recording_on():
                self.value = function(*inputs, **kwargs)
        finally:
            _enclosing.reset(token)
        self.on_tape = any(isinstance(a, Tensor) for a in args) or self._depends_on(outer)

    def _depends_on(self, outer: frozenset[int]) -> bool:
        results = self.value if isinstance(self.value, tuple | list) else [self.value]
        return bool(outer) and any(isinstance(r, Tensor) and walk.depends_on(r, outer) for r in results)

    def pull(self, roots: Sequence[Tensor], seeds: Sequence[Any]) -> list[Any]:
        """The gradients of the targets, plain or as Tensors; again and again if need be."""
        recorded = (self.on_tape and self.outside) or tape.is_recording(seeds)
        with tape.recording_on():
            found = walk.pull_back(roots, seeds, self.targets, since=self.since, create_graph=recorded)
        return [made(g) if self.on_tape and not isinstance(g, Tensor) else g for g in found]

    def given_back(self, value: Any) -> Any:
        """A result as the caller gets it: a Tensor where the call is on the tape, else its array."""
        if not isinstance(value, Tensor):
            return value
        if not self.on_tape:
            return value.data
        return value if self.outside else value.detach()


def _check_positions(positions: tuple[int, ...], count: int) -> None:
    for position in positions:
        if not isinstance(position, int):
            raise TypeError(f"argnums is the position of an argument or a tuple of positions, got {position!r}")
        if not -count <= position < count:
            raise ValueError(
                f"argnums {position} of a call with {count} positional arguments; "
                "what is differentiated by must be given by position"
            )


def is_argument(tensor: Tensor) -> bool:
    """Whether a transform at work differentiates by this tensor."""
    return id(tensor) in _enclosing.get()


def leaf(value: Any) -> Tensor:
    """A tensor to differentiate by: a new leaf, or for a recorded tensor an alias that stays on the outer tape."""
    if not isinstance(value, Tensor):
        array = np.asarray(value, dtype=np.float64) if isinstance(value, int | float) else value
        return Tensor(array, requires_grad=True)
    if value.requires_grad:
        tensor = made(value.data, tape.recorded(ALIAS, None, (value,), None))
    else:
        tensor = Tensor(value.data, requires_grad=True)
    tensor.memory = value.shared_memory()
    return tensor
