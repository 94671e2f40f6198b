"""The walk back over the tape, from a result to the gradients of what it was computed of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from twingrad.autodiff.tape import FRESH, PASSING, Destination, Memory, Node, OnTape, is_complex
from twingrad.errors import AutodiffError
from twingrad.namespace import namespace_of
from twingrad.recording import SUM, bound_form, refuse_while_recording, under_way

if TYPE_CHECKING:
    from twingrad.autodiff.tensor import Tensor


def backward(root: Tensor, seed: Any) -> None:
    """Add the gradient of `root` to every leaf that requires one, freeing the tape on the way."""
    if not root.requires_grad:
        raise AutodiffError("backward() of a tensor that does not require a gradient: nothing was recorded")
    cotangent = seed_of(root, seed.data if isinstance(seed, OnTape) else seed)
    if root.node is None:
        root.receive_grad(cotangent, FRESH)
        return
    pending = {root.node: cotangent}
    for node in reversed(_behind([root])):
        node.check()
        into = tuple([_destination(i) if isinstance(i, OnTape) and i.requires_grad else None for i in node.inputs])
        found, fresh = node.operation.pull(node, pending.pop(node), into), node.operation.fresh
        for given, gradient, place in zip(node.inputs, found, into, strict=True):
            if place is None:
                continue
            source = given.node
            if source is None:
                given.receive_grad(gradient, Destination(gradient, False) if fresh and place is FRESH else place)
            elif source in pending:
                _add(pending, source, gradient)
            else:
                pending[source] = gradient
        node.free()


def gradients(root: Tensor, targets: Sequence[Tensor], seed: Any = None, *, create_graph: bool = False) -> list[Any]:
    """The gradient of `root` with respect to each of `targets`: plain arrays, or recorded Tensors with `create_graph`.

    Leaves' `.grad` are not touched and the tape is kept. A target that `root` does not depend on gets zeros. Targets
    are independent variables: of two that depend on each other, neither gets what reaches it through the other.
    """
    seed = seed.data if isinstance(seed, OnTape) and not create_graph else seed
    return pull_back([root], [seed_of(root, seed)], targets, create_graph=create_graph)


def pull_back(
    roots: Sequence[Tensor],
    seeds: Sequence[Any],
    targets: Sequence[Tensor],
    *,
    since: int = 0,
    create_graph: bool = False,
) -> list[Any]:
    """Like `gradients`, for the sum of several roots, each with its cotangent of the root's shape.

    since: a number given before anything was recorded that depends on the targets.
    """
    from twingrad.autodiff.tensor import made

    refuse_while_recording("a gradient of a function", "the copy that it gives has no bound form yet")
    found: dict[int, Any] = {id(target): None for target in targets}
    useful = _leading_to(found, _behind(roots, found, since))
    pending: dict[Any, Any] = {}

    def distribute(tensor: Tensor, gradient: Any) -> None:
        if id(tensor) in found:
            held = found[id(tensor)]
            found[id(tensor)] = gradient if held is None else held + gradient
        elif tensor.node in useful:
            _add(pending, tensor.node, gradient)  # type: ignore[arg-type]

    for root, seed in zip(roots, seeds, strict=True):
        distribute(root, made(seed) if create_graph and not isinstance(seed, OnTape) else seed)
    for node in reversed(useful):
        grad = pending.pop(node)
        node.check()
        into = tuple([FRESH if _wants(i) and (id(i) in found or i.node in useful) else None for i in node.inputs])
        for given, gradient, place in zip(node.inputs, node.operation.pull(node, grad, into), into, strict=True):
            if place is not None:
                distribute(given, gradient)
    return [_finished(t, found[id(t)], create_graph) for t in targets]


def depends_on(root: Tensor, ids: Collection[int]) -> bool:
    """Whether a recorded tensor whose id is among `ids` stands behind `root`."""
    if id(root) in ids:
        return True
    return any(id(given) in ids for node in _behind([root]) for given in node.inputs or () if _wants(given))


def sources(root: Tensor, since: int) -> list[Any]:
    """The tensors behind `root` that require a gradient and were there before the number `since` was given, leaves
    among them, each once.
    """
    nodes = _behind([root], since=since)
    behind = [given for node in nodes for given in node.inputs or ()] if nodes else [root]
    old = [i for i in behind if _wants(i) and (i.node is None or i.node.number < since)]
    return list({id(tensor): tensor for tensor in old}.values())


def _behind(roots: Sequence[Any], stop_at: Collection[int] = (), since: int = 0) -> list[Node]:
    """The nodes behind `roots`, first recorded first, neither walking through tensors whose ids are in `stop_at` nor to
    what was recorded before the number `since` was given.
    """
    found: set[Node] = set()
    stack = list(roots)
    while stack:
        given = stack.pop()
        if not isinstance(given, OnTape) or not given.requires_grad or id(given) in stop_at:
            continue
        node = given.node
        if node is not None and node not in found and node.number > since:
            found.add(node)
            if Memory.any_before and node.inputs is not None:
                node.inputs = tuple([_as_of(i, node.number) for i in node.inputs])
            stack.extend(node.inputs or ())
    return sorted(found, key=attrgetter("number"))


def _as_of(given: Any, number: int) -> Any:
    """An input as it was when the number was given, where the writes since then were recorded."""
    while isinstance(given, OnTape) and given.memory is not None and given.memory.since > number:
        before = given.memory.before() if given.memory.before is not None else None
        if before is None:
            break
        given = before
    return given


def _leading_to(targets: Collection[int], nodes: Sequence[Node]) -> dict[Any, None]:
    """Those of `nodes`, which are in the order of recording, behind which one of `targets` stands; freed ones too, so
    that they are complained about.
    """
    useful: dict[Any, None] = {}
    for node in nodes:
        if node.inputs is None or any(_wants(i) and (id(i) in targets or i.node in useful) for i in node.inputs):
            useful[node] = None
    return useful


def _wants(given: Any) -> bool:
    return isinstance(given, OnTape) and given.requires_grad


def _destination(given: Any) -> Destination:
    if given.node is not None:
        return PASSING if given.node.operation.fresh else FRESH
    place: Destination = given.grad_destination()
    return place


def _add(pending: dict[Any, Any], node: Node, gradient: Any) -> None:
    held = pending.get(node)
    pending[node] = gradient if held is None else _sum(held, gradient)


def _sum(held: Any, gradient: Any) -> Any:
    """The sum of two gradients; by a kernel, that a replay repeats, while a step is captured."""
    if under_way and (form := bound_form(SUM, (held, gradient), {})) is not None:
        return form
    return held + gradient


def seed_of(root: Tensor, seed: Any, name: str = "the seed of backward()") -> Any:
    """The cotangent that a walk back from `root` starts with: `seed`, a number or 1 for a scalar; a recorded one stays.

    name: what errors call it.
    """
    if is_complex(root.data):
        raise AutodiffError("a gradient of a complex tensor is not defined here: take xp.real, xp.imag or xp.abs first")
    xp = namespace_of(root.data)
    if seed is None:
        if root.shape != ():
            raise AutodiffError(
                f"backward() of a tensor of shape {root.shape} needs a seed of that shape; "
                "without one the loss must be a scalar: take .sum() or .mean() first"
            )
        return xp.ones_like(root.data)
    if root.shape == () and isinstance(seed, int | float):
        return xp.full_like(root.data, seed)
    if isinstance(seed, OnTape) and not seed.requires_grad:
        seed = seed.data
    namespace_of(root.data, seed.data if isinstance(seed, OnTape) else seed)
    if not hasattr(seed, "shape") or seed.shape != root.shape:
        given = f"shape {seed.shape}" if hasattr(seed, "shape") else f"type {type(seed).__name__}"
        raise ValueError(f"{name} has {given}; an array of shape {root.shape} is needed, as the result's is")
    return seed if seed.dtype == root.dtype else namespace_of(seed).astype(seed, root.dtype)


def _finished(target: Tensor, gradient: Any, create_graph: bool) -> Any:
    from twingrad.autodiff.tensor import made

    xp = namespace_of(target.data)
    if gradient is None:
        gradient = made(xp.zeros_like(target.data)) if create_graph else xp.zeros_like(target.data)
    return gradient if isinstance(gradient, OnTape) else xp.asarray(gradient, copy=True)  # rules give views and aliases
