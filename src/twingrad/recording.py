"""What a captured step writes down while it runs: the launches of compiled kernels, and the counters they read; and
what a checkpointed function has to find again when it is computed a second time.

Only kernels know how to be replayed. Every other operation asks `refuse_while_recording` first, so that nothing runs
during a capture that a replay would leave out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twingrad.errors import AutodiffError, CaptureError

if TYPE_CHECKING:
    from twingrad.random.counter import Counter


class Recording:
    """What one step does, in order, and what a replay of it has to look after.

    launches: kernels with their arguments, to be run again as they are.
    advances: how often each counter advanced.
    before_replay, after_replay: the host's work around the launches, such as an optimizer's bias corrections; that
    before returns what takes it back, for where a later one raises.
    guards: each returns why the recording no longer holds, or None.
    undo: what puts things back where the step fails while it is recorded.
    at_end: what is to be done once the step has been recorded.
    mirrors: the arrays of the host that a GPU reads in each replay, by id, with their copies there.
    constants: arrays that the step only reads, by id, such as the data set that it gathers from.
    memory: where a GPU's kernels put their results, which a replay fills again.
    watch: the guard of the modules that the step called, where it called any.
    seen: the modules and buffers met so far, for whoever has to do a thing once.
    """

    def __init__(self) -> None:
        self.launches: list[Any] = []
        self.advances: dict[Counter, int] = {}
        self.before_replay: list[Callable[[], Callable[[], None]]] = []
        self.after_replay: list[Callable[[], None]] = []
        self.guards: list[Callable[[], str | None]] = []
        self.undo: list[Callable[[], None]] = []
        self.at_end: list[Callable[[], None]] = []
        self.mirrors: dict[int, tuple[Any, Any]] = {}
        self.constants: dict[int, Any] = {}
        self.memory: Any = None
        self.watch: Any = None
        self.seen: set[Any] = set()

    def finish(self) -> None:
        """Do what was left for the end of the step."""
        for finish in self.at_end:
            finish()

    def put_back(self) -> None:
        """Put back what the step changed, as far as it is not a kernel's scratch."""
        for undo in reversed(self.undo):
            undo()

    def mirror(self, host: Any, upload: Callable[[Any], Any]) -> Any:
        """The copy of the NumPy array `host` on a GPU, made by `upload` once and refreshed before every replay."""
        if id(host) not in self.mirrors:
            self.mirrors[id(host)] = host, upload(host)
        return self.mirrors[id(host)][1]

    def advance(self, counter: Counter) -> int:
        """The number of times that `counter` was advanced before in this step; counts one more."""
        before = self.advances.get(counter, 0)
        self.advances[counter] = before + 1
        return before


class Journal:
    """The advances of counters while a function runs, which are given again when it runs again.

    `with journal:` notes them, `with journal.replayed():` gives them again in the same order, advancing nothing.
    """

    def __init__(self) -> None:
        self.ticks: list[Any] = []
        self._given: Iterator[Any] | None = None
        self._outer: Journal | None = None

    def __enter__(self) -> Journal:
        self._outer, _local.journal = _local.journal, self
        return self

    def __exit__(self, *failure: Any) -> None:
        _local.journal, self._outer = self._outer, None

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Give what was noted once more, from the start."""
        again = Journal()
        again._given = iter(self.ticks)
        with again:
            yield

    def advance(self, counter: Counter, advance: Callable[[], Any]) -> Any:
        """The value of an advance of `counter`, that of the first time in a replay."""
        if self._given is not None:
            tick = next(self._given, None)
            if tick is None or tick.counter is not counter:
                raise AutodiffError(
                    "a checkpointed function advances other counters when it is computed again than at first: "
                    "its layers or their modes were changed before backward()"
                )
            return tick
        outer, _local.journal = self._outer, self._outer
        try:
            tick = advance() if outer is None else outer.advance(counter, advance)
        finally:
            _local.journal = self
        self.ticks.append(tick)
        return tick


def journal() -> Journal | None:
    """What notes or gives again the advances of counters in this thread, or None."""
    return _local.journal


def computing_again() -> bool:
    """Whether a checkpointed function is being computed again, so that running averages are up to date."""
    found = _local.journal
    while found is not None:
        if found._given is not None:
            return True
        found = found._outer
    return False


class _Local(threading.local):
    journal: Journal | None = None
    recording: Recording | None = None


_local = _Local()
under_way: list[Recording] = []
"""The recordings of all threads: while it is empty, no operation need ask whether it may run."""


def current() -> Recording | None:
    """The recording under way in this thread, or None."""
    return _local.recording


SUM = "the sum of gradients"
bound: dict[str, Callable[..., Any]] = {}
"""What a replay can repeat, registered by the kernels: functions of `twingrad.xp` by name, and SUM of two gradients."""


WHY = {
    "matmul": "NumPy's BLAS adds in an order that its threads decide, which a replay does not have; functional.linear "
    "multiplies x (N, K) by a weight (M, K) with the same bits in both"
}
"""Why a function has no bound form, where there is more to say."""


def bound_form(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of xp.`name` by kernels, if a step is being captured in this thread, else None.

    Raises CaptureError naming the function where it has no bound form.
    """
    if _local.recording is None:
        return None
    if name not in bound:
        known, why = ", ".join(sorted(known for known in bound if known != SUM)), WHY.get(name, "it has no bound form")
        raise CaptureError(
            f"{name if name == SUM else f'xp.{name}'} cannot be captured: {why}; a captured step "
            f"computes with twingrad.functional, and of twingrad.xp with {known}"
        )
    return bound[name](*args, **kwargs)


def refuse_while_recording(operation: str, why: str) -> None:
    """Raise CaptureError naming `operation` if a step is being captured in this thread."""
    if _local.recording is not None:
        raise CaptureError(f"{operation} cannot be captured: {why}")


@contextmanager
def record() -> Iterator[Recording]:
    """Record the launches of this thread; where the block fails, what it changed is put back."""
    if _local.recording is not None:
        raise CaptureError("a step is already being captured in this thread; captures do not nest")
    recording = _local.recording = Recording()
    under_way.append(recording)
    try:
        yield recording
    except BaseException:
        recording.put_back()
        raise
    finally:
        _local.recording = None
        under_way.remove(recording)
        recording.undo.clear()
