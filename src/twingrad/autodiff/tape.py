"""The tape: which operation made which tensor. `walk.py` goes back over it.

There is no global tape. Each recorded result holds its `Node`, each node its inputs, and numbers given in the order of
recording sort them: an operation is always recorded after those that made its inputs. Writes in place take numbers too,
so that a backward pass can tell whether an array was overwritten after an operation had used it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from twingrad.errors import AutodiffError

numbers = itertools.count(1)
enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)
_new = object.__new__


class Destination(NamedTuple):
    """Where a gradient goes: into `array` (added to it if `accumulate`), or into a fresh array where that is None."""

    array: Any
    accumulate: bool


FRESH = Destination(None, False)
PASSING = Destination(None, False)
"""As FRESH, told apart by identity: only the kernel that made the input will see this gradient, or a sum with it."""


class Memory:
    """Memory that tensors share: how often it was written in place, and the number of the last write.

    before: a weak reference to the tensor as it was before a recorded write, which gave it this memory; since: the
    number of that write.
    """

    any_before = False
    """Whether there ever was a recorded write: only then a backward pass looks for tensors as they were before."""
    writes = 0
    written = 0
    since = 0
    before: Callable[[], OnTape | None] | None = None

    def write(self) -> None:
        """Count one write, now."""
        self.writes += 1
        self.written = next(numbers)


class Operation:
    """What all results of one function share.

    pull(node, grad, into) -> a gradient for each of the node's inputs, None where into[i] is None; `grad` is a plain
    array, or a Tensor where the gradient is itself to be differentiated. fresh: each is an array made for it, neither
    a view nor given twice, so that a leaf can keep it without a copy.
    """

    __slots__ = ("fresh", "name", "pull")

    def __init__(self, name: str, pull: Callable[..., Sequence[Any]], *, fresh: bool = False) -> None:
        self.name, self.pull, self.fresh = name, pull, fresh


class OnTape:
    """The base of Tensor: what the tape needs to know of an array."""

    __slots__ = ()
    data: Any
    requires_grad: bool
    node: Node | None
    memory: Memory | None

    def last_write(self) -> int:
        """The number of the last write in place, 0 before the first."""
        return 0 if self.memory is None else self.memory.written

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        raise NotImplementedError


class Node:
    """One recorded operation: `out`, an array, was made of `inputs` and `keywords`.

    The tensor that it made is not held, for that would be a cycle. memory: that of the result, once it is shared or
    written. inputs is None once the node was freed. Made by `recorded`.
    """

    __slots__ = ("inputs", "keywords", "memory", "number", "operation", "out")
    inputs: Any
    keywords: Any
    memory: Memory | None
    number: int
    operation: Operation
    out: Any

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name

    def check(self) -> None:
        """Raise AutodiffError if this node was freed, or an input or the result overwritten since it was recorded."""
        if self.inputs is None:
            raise AutodiffError(
                f"backward through {self.name} a second time, but its tape was freed by the first; "
                "compute the loss anew, or add the losses before one backward()"
            )
        position = 0
        for given in self.inputs:
            if isinstance(given, OnTape) and given.memory is not None and given.last_write() > self.number:
                self._complain(f"input {position} of {self.name}, of shape {given.shape}, was")
            position += 1  # noqa: SIM113  enumerate would cost a third of this loop
        if self.memory is not None and self.memory.written > self.number:
            self._complain(f"the result of {self.name} was")

    def _complain(self, what: str) -> None:
        raise AutodiffError(
            f"{what} overwritten in place after {self.name} was recorded, so its gradient cannot be computed; "
            "call backward() before the write, or write to a copy"
        )

    def free(self) -> None:
        """Drop what the node holds, so that arrays are released while the walk goes on."""
        self.inputs = self.keywords = self.out = None


def recorded(operation: Operation, out: Any, inputs: tuple[Any, ...], keywords: Any) -> Node:
    """A node that knows that `operation` made the array `out` of `inputs`."""
    node = _new(Node)
    node.number = next(numbers)
    node.operation = operation
    node.inputs = inputs
    node.keywords = keywords
    node.out = out
    node.memory = None
    return node


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing within a `with` block.

    >>> import numpy as np
    >>> from twingrad.autodiff import Tensor
    >>> w = Tensor(np.asarray(3.0), requires_grad=True)
    >>> with no_grad():
    ...     (w * w).requires_grad
    False
    """
    token = enabled.set(False)
    try:
        yield
    finally:
        enabled.reset(token)


@contextmanager
def recording_on() -> Iterator[bool]:
    """Record within a `with` block, even inside `no_grad`; gives whether that was so outside."""
    outside = enabled.get()
    token = enabled.set(True)
    try:
        yield outside
    finally:
        enabled.reset(token)


def is_recording(inputs: Sequence[Any]) -> bool:
    """Whether an operation on `inputs` belongs on the tape."""
    for given in inputs:
        if isinstance(given, OnTape) and given.requires_grad:
            return enabled.get()
    return False


def is_complex(array: Any) -> bool:
    """Whether the elements are complex numbers, whatever the library calls its dtypes."""
    kind = getattr(array.dtype, "kind", None)
    return kind == "c" if kind is not None else "complex" in str(array.dtype)
