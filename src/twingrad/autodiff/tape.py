"""The tape: which operation made which tensor, and the walk back over it.

There is no global tape. Each recorded result holds its `Node`, each node its inputs, and numbers given in the order of
recording sort them: an operation is always recorded after those that made its inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of
from twingrad.recording import refuse_while_recording

if TYPE_CHECKING:
    from twingrad.autodiff.tensor import Tensor

_numbers = itertools.count()
_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)


class Destination(NamedTuple):
    """Where a gradient goes: into `array` (added to it if `accumulate`), or into a fresh array where that is None."""

    array: Any
    accumulate: bool


FRESH = Destination(None, False)


class OnTape:
    """The base of Tensor: what the tape needs to know of an array."""

    __slots__ = ()
    data: Any
    requires_grad: bool
    node: Node | None
    writes: list[int]

    @property
    def version(self) -> int:
        """How often the data were overwritten in place."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        raise NotImplementedError


class Node:
    """One recorded operation.

    result: the tensor that it made; not held, for that would be a cycle: only the count of writes to its memory is.
    backward(grad, into) -> a gradient for each input, None where into[i] is None; `grad` is a plain array, or a Tensor
    where the gradient is itself to be differentiated.
    """

    __slots__ = ("backward", "inputs", "name", "number", "versions", "writes", "written")

    def __init__(
        self, name: str, result: OnTape, inputs: tuple[Any, ...], backward: Callable[..., Sequence[Any]]
    ) -> None:
        self.number = next(_numbers)
        self.name = name
        self.inputs = inputs
        self.backward: Callable[..., Sequence[Any]] | None = backward
        self.versions = tuple([i.version if isinstance(i, OnTape) else 0 for i in inputs])
        self.writes, self.written = result.writes, result.writes[0]

    def check(self) -> None:
        """Raise AutodiffError if this node was freed, or an input or the result overwritten since it was recorded."""
        if self.backward is None:
            raise AutodiffError(
                f"backward through {self.name} a second time, but its tape was freed by the first; "
                "compute the loss anew, or add the losses before one backward()"
            )
        for position, (given, version) in enumerate(zip(self.inputs, self.versions, strict=True)):
            if isinstance(given, OnTape) and given.version != version:
                raise AutodiffError(
                    f"input {position} of {self.name}, of shape {given.shape}, was overwritten in place after "
                    f"{self.name} was recorded, so its gradient cannot be computed; "
                    "call backward() before the write, or write to a copy"
                )
        if self.writes[0] != self.written:
            raise AutodiffError(
                f"the result of {self.name} was overwritten in place after {self.name} was recorded, so its gradient "
                "cannot be computed; call backward() before the write, or write to a copy"
            )

    def free(self) -> None:
        """Drop what the node holds, so that arrays are released while the walk goes on."""
        self.backward = None
        self.inputs = ()
        self.versions = ()


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
    token = _enabled.set(False)
    try:
        yield
    finally:
        _enabled.reset(token)


@contextmanager
def recording_on() -> Iterator[bool]:
    """Record within a `with` block, even inside `no_grad`; gives whether that was so outside."""
    outside = _enabled.get()
    token = _enabled.set(True)
    try:
        yield outside
    finally:
        _enabled.reset(token)


def is_recording(inputs: Sequence[Any]) -> bool:
    """Whether an operation on `inputs` belongs on the tape."""
    for given in inputs:
        if isinstance(given, OnTape) and given.requires_grad:
            return _enabled.get()
    return False


def record(
    name: str, out: Any, inputs: tuple[Any, ...], backward: Callable[..., Sequence[Any]], *, view_of: Any = None
) -> Tensor:
    """The array `out` as a Tensor that knows that operation `name` made it of `inputs`.

    view_of: the tensor whose memory it shares, where it does.
    """
    from twingrad.autodiff.tensor import Tensor

    result = Tensor(out)
    if isinstance(view_of, OnTape):
        result.writes = view_of.writes
    result.requires_grad = True
    result.node = Node(name, result, inputs, backward)
    return result


def backward(root: Tensor, seed: Any) -> None:
    """Add the gradient of `root` to every leaf that requires one, freeing the tape on the way."""
    if not root.requires_grad:
        raise AutodiffError("backward() of a tensor that does not require a gradient: nothing was recorded")
    cotangent = _seed(root, seed)
    if root.node is None:
        root.receive_grad(cotangent, FRESH)
        return
    pending = {root.node: cotangent}
    for node in _in_reverse(root):
        grad = pending.pop(node)
        node.check()
        inputs = node.inputs
        into = tuple([_destination(i) for i in inputs])
        for given, gradient, destination in zip(inputs, node.backward(grad, into), into, strict=True):  # type: ignore[misc]
            if destination is None:
                continue
            if given.node is None:
                given.receive_grad(gradient, destination)
            else:
                _add(pending, given.node, gradient)
        node.free()


def gradients(root: Tensor, targets: Sequence[Tensor], seed: Any = None, *, create_graph: bool = False) -> list[Any]:
    """The gradient of `root` with respect to each of `targets`: plain arrays, or recorded Tensors with `create_graph`.

    Leaves' `.grad` are not touched and the tape is kept. A target that `root` does not depend on gets zeros. Targets
    are independent variables: of two that depend on each other, neither gets what reaches it through the other.
    """
    from twingrad.autodiff.tensor import Tensor

    refuse_while_recording("a gradient of a function", "the copy that it gives has no bound form yet")
    cotangent = _seed(root, seed)
    wanted: dict[int, Any] = {id(target): None for target in targets}
    pending: dict[Any, Any] = {}

    def distribute(tensor: Tensor, gradient: Any) -> None:
        if id(tensor) in wanted:
            held = wanted[id(tensor)]
            wanted[id(tensor)] = gradient if held is None else held + gradient
        elif tensor.node is not None:
            _add(pending, tensor.node, gradient)

    distribute(root, Tensor(cotangent) if create_graph else cotangent)
    for node in _in_reverse(root, wanted):
        grad = pending.pop(node, None)
        if grad is None:
            continue
        node.check()
        into = tuple([FRESH if _wants(i) else None for i in node.inputs])
        for given, gradient, destination in zip(node.inputs, node.backward(grad, into), into, strict=True):  # type: ignore[misc]
            if destination is not None:
                distribute(given, gradient)
    return [_finished(t, wanted[id(t)], create_graph) for t in targets]


def _in_reverse(root: Tensor, stop_at: Any = ()) -> list[Node]:
    """The nodes behind `root`, last recorded first, not walking through tensors whose ids are in `stop_at`."""
    if root.node is None or id(root) in stop_at:
        return []
    found = {root.node}
    stack = [root.node]
    while stack:
        for given in stack.pop().inputs:
            if not _wants(given) or id(given) in stop_at:
                continue
            if given.node is not None and given.node not in found:
                found.add(given.node)
                stack.append(given.node)
    return sorted(found, key=lambda node: node.number, reverse=True)


def _wants(given: Any) -> bool:
    return isinstance(given, OnTape) and given.requires_grad


def _destination(given: Any) -> Destination | None:
    if not _wants(given):
        return None
    return FRESH if given.node is not None else given.grad_destination()


def _add(pending: dict[Any, Any], node: Node, gradient: Any) -> None:
    held = pending.get(node)
    if held is not None:
        refuse_while_recording("a tensor used twice", "the sum of its gradients has no bound form yet")
    pending[node] = gradient if held is None else held + gradient


def _seed(root: Tensor, seed: Any) -> Any:
    xp = namespace_of(root.data)
    if seed is None:
        if root.shape != ():
            raise AutodiffError(
                f"backward() of a tensor of shape {root.shape} needs a seed of that shape; "
                "without one the loss must be a scalar: take .sum() or .mean() first"
            )
        return xp.ones_like(root.data)
    seed = seed.data if isinstance(seed, OnTape) else seed
    namespace_of(root.data, seed)
    if not hasattr(seed, "shape") or seed.shape != root.shape:
        given = f"shape {seed.shape}" if hasattr(seed, "shape") else f"type {type(seed).__name__}"
        raise ValueError(f"the seed of backward() has {given}; an array of the tensor's shape {root.shape} is needed")
    return seed if seed.dtype == root.dtype else xp.astype(seed, root.dtype)


def _finished(target: Tensor, gradient: Any, create_graph: bool) -> Any:
    from twingrad.autodiff.tensor import Tensor

    xp = namespace_of(target.data)
    if gradient is None:
        gradient = Tensor(xp.zeros_like(target.data)) if create_graph else xp.zeros_like(target.data)
    return gradient if isinstance(gradient, Tensor) else xp.asarray(gradient, copy=True)  # rules give views and aliases
