"""`python -m twingrad.kernels.cuda`: compiles every kernel for every GPU type, without a GPU; what each takes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from twingrad.kernels.cuda import build
from twingrad.kernels.cuda.nvrtc import Nvrtc, NvrtcError, Usage, find, usage

CAPABILITIES = (75, 80, 90, 100, 120)
"""The GPU types that kernels are checked for: Turing, Ampere, Hopper and the two Blackwells."""


def table(nvrtc: Nvrtc, names: Sequence[str] = ()) -> list[str]:
    """A line for each kernel of these sources, all by default.

    Bytes of shared memory, then for each GPU type the registers, with "!" and the bytes that are spilled, if any.
    """
    rows: dict[str, list[Usage]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(name, capability) for name in names or build.names() for capability in CAPABILITIES]
        for found in pool.map(lambda job: _usage(job[0], job[1], nvrtc), jobs):
            for kernel, used in found.items():
                rows.setdefault(kernel, []).append(used)
    width = max(map(len, rows), default=0) + 2
    head = f"{'registers':<{width}}{'shared':>8}" + "".join(f"{f'sm_{capability}':>8}" for capability in CAPABILITIES)
    return [head, *(f"{kernel:<{width}}{_line(found)}" for kernel, found in sorted(rows.items()))]


def _usage(name: str, capability: int, nvrtc: Nvrtc) -> dict[str, Usage]:
    return usage(build.compile(name, f"sm_{capability}", nvrtc, ("-Xptxas", "-v")).log)


def _line(found: list[Usage]) -> str:
    spilled = [used.spill_stores + used.spill_loads for used in found]
    cells = [f"{used.registers}{f'!{bytes_}' if bytes_ else ''}" for used, bytes_ in zip(found, spilled, strict=True)]
    return f"{max(used.shared for used in found):>8}" + "".join(f"{cell:>8}" for cell in cells)


def main() -> int:
    """Print the table; 1 where there is no compiler."""
    try:
        print("\n".join(table(find())))
    except NvrtcError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
