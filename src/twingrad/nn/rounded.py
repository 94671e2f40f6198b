"""Under the precision "bf16": the copies of a model's weights that products take, and results made wide again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.namespace import Array, is_bfloat16, namespace_of
from twingrad.recording import current

if TYPE_CHECKING:
    from twingrad.nn.flat import FlatParameters


class RoundedParameters:
    """A buffer of the layout of theta, in bfloat16, whose segments are brought up to date when they are asked for.

    An optimizer that writes `array` in its own pass calls `followed`; then nothing is left to do.
    """

    def __init__(self, flat: FlatParameters, array: Array) -> None:
        self.flat, self.array = flat, array
        self.views: dict[int, Array] = {}
        self.seen: dict[int, Any] = {}

    def of(self, segment: int) -> Array:
        """The values of a segment, rounded to bfloat16, in its parameter's shape."""
        parameter, view = self.flat.parameters[segment], self.views.get(segment)
        if view is None:
            offset, length = self.flat.segments[segment].tolist()
            view = namespace_of(self.array).reshape(self.array[offset : offset + length], parameter.shape)
            self.views[segment] = view
        self._prepare_replays()
        if self.seen.get(segment) != parameter.version:
            view[...] = namespace_of(parameter.data).astype(parameter.data, view.dtype)
            self.seen[segment] = parameter.version
        return view

    def _prepare_replays(self) -> None:
        """Have the step that is being captured find the copies up to date at each replay."""
        recording = current()
        if recording is not None and self not in recording.seen:
            recording.seen.add(self)
            recording.before_replay.append(self._refresh)

    def _refresh(self) -> Callable[[], None]:
        for segment in self.views:
            self.of(segment)
        return lambda: None

    def fresh(self) -> list[int]:
        """The segments whose copies are up to date."""
        return [segment for segment, seen in self.seen.items() if seen == self.flat.parameters[segment].version]

    def followed(self, fresh: list[int]) -> None:
        """These were up to date before an optimizer's step that wrote the copies of all segments that it changed."""
        for segment in fresh:
            self.seen[segment] = self.flat.parameters[segment].version


def widened(out: Any) -> Any:
    """What a model returns, with Tensors of bfloat16 in float32: so is what is computed of it, such as a loss."""
    if isinstance(out, Tensor):
        return F.widen(out) if is_bfloat16(out.dtype) else out
    if isinstance(out, dict):
        return {key: widened(part) for key, part in out.items()}
    if type(out) in (tuple, list):
        return type(out)(map(widened, out))
    return out
