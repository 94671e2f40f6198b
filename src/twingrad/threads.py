"""How many threads share the work of the CPU kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twingrad.functional.checks import integer


@contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Share the work of the CPU kernels and of their matrix products among `threads` threads within a `with` block.

    1 to 256, the calling one among them; 1 starts none. It holds for the whole process, and for nothing but twingrad's
    own kernels: NumPy's threads stay as they are. Results do not depend on it. Outside of such a block
    TWINGRAD_NUM_THREADS counts, else OMP_NUM_THREADS, else the processors that the process may use.
    Where there are no compiled kernels, nothing changes.
    Raises ValueError outside of that range, TypeError for no integer.

    >>> import numpy as np
    >>> from twingrad import functional as F
    >>> with use_threads(1):
    ...     F.relu(np.asarray([-1.0, 2.0]))
    array([0., 2.])
    """
    from twingrad.kernels import cpu

    if not 1 <= (threads := integer("use_threads: threads", threads)) <= 256:
        raise ValueError(f"the kernels run on 1 to 256 threads, got {threads}")
    if not cpu.available():
        yield
        return
    before = cpu.threads()
    cpu.set_threads(threads)
    try:
        yield
    finally:
        cpu.set_threads(before)
