"""The captured step: run a training step once, then replay its kernels without Python."""

from __future__ import annotations

import functools
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad.autodiff import Tensor
from twingrad.capture.arguments import copy_of, described, shown, signature
from twingrad.capture.program import program
from twingrad.capture.results import copied, detached
from twingrad.errors import CaptureError
from twingrad.fusable import fused_mode
from twingrad.recording import Recording, record, refuse_while_recording


def capture(step: Callable[..., Any], *, fallback: bool = False) -> CapturedStep:
    """A function that records `step` at its first call and replays the recording at every later one.

    What is frozen: every Python value that the step computes or reads, other than the arrays it is given, parameters,
    running averages, random counters, learning rates and step numbers, keeps the value of the first call. A Python
    `if`, a loop count, a float taken from outside: all as they were then. And what NumPy does with an array that is no
    Tensor, such as `tensor.data` or one taken from outside, is done once and left out of the replays. The first call
    ends with a rehearsal, one replay from the state before it, and refuses the step where that leaves other bits; what
    NumPy only reads stays unseen.

    step: takes arrays as arguments of their own, and others that must stay as they were: numbers and texts equal, any
    other object the same one. While it is recorded its arrays arrive as Tensors, so that what NumPy would compute with
    them is refused instead of frozen; they are copies, so writing into them is refused too. It returns a Tensor, a
    tuple, list or dict of them, or None. Where it trains, it calls `zero_grad()`, `backward()` and then `step()` of
    each optimizer once.
    Each call, the first included, does one step: n captured steps leave the same bits as n plain ones, given arrays in
    C order. (Others are copied into that order here; plain steps take them on the reference path, to other bits.) The
    results are copies. On the CPU a replay is one call into the compiled library over the arrays of the first call, on
    a GPU one CUDA graph, launched on CuPy's current stream: one for all calls, or wait for the last before another.
    Threads that call one captured step take turns.

    fallback: where a call cannot be captured or replayed, run the plain step, which leaves the same bits, instead of
    raising CaptureError: always, if the recording was refused (told once by a CaptureWarning), or for that call.

    Of `twingrad.xp` it holds + - * / of equal shapes and of numbers, changes of shape, and on the CPU `sum` and `mean`
    over axes side by side, all to the library's bits. `matmul` it does not hold: NumPy's BLAS decides by its threads
    how to add, and a replay's products are the kernels'; `functional.linear` multiplies matrices in both.

    Raises CaptureError where an operation of the step has no compiled kernel (it is named, and the model is left as it
    was), where the step reads a value (`float(loss)`, `bool`, `item`, `numpy`), and at a replay whose array shapes,
    dtypes or devices, other arguments, train or eval mode, model layout, or options of a layer, such as the p of a
    dropout (`nn.Module.options`), are not those of the recording.

    >>> import numpy as np
    >>> from twingrad import nn, optim, functional as F
    >>> model = nn.Sequential(nn.Linear(2, 2))
    >>> optimizer = optim.SGD(model, lr=0.1)
    >>> def step(x, y):
    ...     loss = F.softmax_cross_entropy(model(x), y)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> captured = capture(step)
    >>> x, y = np.ones((4, 2), np.float32), np.asarray([0, 1, 0, 1])
    >>> captured(x, y).shape                                                                # doctest: +SKIP
    ()
    """
    if not callable(step):
        raise TypeError(f"capture takes a function, the step; got {step!r}")
    return CapturedStep(step, fallback)


class CaptureWarning(UserWarning):
    """A step runs uncaptured, for the reason given."""


class CapturedStep:
    """A step and, after its first call, its recording; see `capture`. A copy, or what is unpickled, records its own.

    refused: why the step cannot be captured at all, where `fallback` runs the plain one; else None.
    """

    def __init__(self, step: Callable[..., Any], fallback: bool) -> None:
        self._step = step
        self._fallback = fallback
        self.refused: str | None = None
        self._recording: Recording | None = None
        self._lock = threading.RLock()
        _steps.add(self)
        functools.update_wrapper(self, step)

    def __call__(self, *args: Any) -> Any:
        refuse_while_recording("a captured step", "captures do not nest")
        if not self._fallback:
            with self._lock:
                return self._captured(args)
        if self.refused is None:
            try:
                with self._lock:
                    return self._captured(args)
            except CaptureError as error:
                if self._recording is None:
                    self.refused = str(error)
                    warnings.warn(f"the plain step runs instead: {error}", CaptureWarning, stacklevel=2)
        return self._step(*args)

    @property
    def recorded(self) -> bool:
        """Whether there is a recording to replay."""
        return self._recording is not None

    def __reduce__(self) -> Any:
        return CapturedStep, (self._step, self._fallback)

    def __repr__(self) -> str:
        state = "refused" if self.refused else "not yet called" if self._recording is None else "captured"
        return f"<CapturedStep of {getattr(self._step, '__qualname__', type(self._step).__name__)}, {state}>"

    def _captured(self, args: tuple[Any, ...]) -> Any:
        if self._recording is None:
            return self._record(args)
        self._check(args)
        for buffer, value in zip(self._buffers, args, strict=True):
            if buffer is not None:
                buffer[...] = value.data if isinstance(value, Tensor) else value
        self._replay(self._recording)
        return copied(self._result)

    def _record(self, args: tuple[Any, ...]) -> Any:
        from twingrad.kernels.cpu import overrides  # noqa: F401  registers what a replay can repeat

        given, buffers = [signature(a) for a in args], [copy_of(a) for a in args]
        fed = [a if buffer is None else shown(buffer) for a, buffer in zip(args, buffers, strict=True)]
        with record() as recording:
            self._result = detached(self._step(*fed))
            self._program = program(recording)
            self._rehearse(recording)
        self._given, self._buffers = given, buffers
        self._kept = [a for a, buffer in zip(args, buffers, strict=True) if buffer is None]  # so that ids stay taken
        self._recording = recording
        return copied(self._result)

    def _rehearse(self, recording: Recording) -> None:
        """Do the step once more by a replay from where it started; CaptureError unless it leaves the same bits.

        What nothing writes to stays out: the inputs, and the data set that a step gathers from.
        """
        arrays = [array for array in self._program.arrays if id(array) not in recording.constants]
        left_by_the_step = [array.copy() for array in arrays]
        recording.put_back()
        self._replay(recording)
        if any(not _same_bits(a, b) for a, b in zip(arrays, left_by_the_step, strict=True)):
            raise CaptureError(
                "a replay would not do what the step does: besides its kernels the step changes an array with its "
                "library, NumPy or CuPy, through tensor.data or an array from outside; do that with operations on "
                "Tensors, or outside the step"
            )

    def _replay(self, recording: Recording) -> None:
        done: list[Callable[[], None]] = []
        try:
            for prepare in recording.before_replay:
                done.append(prepare())
        except BaseException:
            while done:
                done.pop()()
            raise
        self._program.run()
        for work in recording.after_replay:
            work()

    def _check(self, args: tuple[Any, ...]) -> None:
        """Raise CaptureError where the recording does not hold for this call."""
        if fused_mode() == "never":
            raise CaptureError(
                'a replay runs the compiled kernels, and fused("never") forbids them; call the plain step'
            )
        if [signature(a) for a in args] != self._given:
            was, is_now = ", ".join(map(described, self._given)), ", ".join(described(signature(a)) for a in args)
            raise CaptureError(
                f"this step was captured for ({was}) and is called with ({is_now}); "
                "call the plain step for these, which capture(step, fallback=True) does by itself, or capture another"
            )
        for counter, times in self._recording.advances.items():  # type: ignore[union-attr]
            counter.check_room(times)
        for guard in self._recording.guards:  # type: ignore[union-attr]
            reason = guard()
            if reason is not None:
                raise CaptureError(f"the captured step no longer holds: {reason}; capture it again")


_steps: weakref.WeakSet[CapturedStep] = weakref.WeakSet()


def _unlock() -> None:
    """In a forked process, where no thread is left that would release a lock."""
    for step in _steps:
        step._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def _same_bits(a: Any, b: Any) -> bool:
    unit = np.uint64 if a.nbytes % 8 == 0 else np.uint8
    words = [array.reshape(-1).view(unit) for array in (a, b)]
    return bool((words[0] == words[1]).all())
