"""`python -m twingrad.kernels.cuda`: compiles every kernel for every GPU type, without a GPU; registers and spills."""

from __future__ import annotations

import sys

from twingrad.kernels.cuda import build
from twingrad.kernels.cuda.nvrtc import Nvrtc, NvrtcError, find, usage

CAPABILITIES = (75, 80, 90, 100, 120)
"""The GPU types that kernels are checked for: Turing, Ampere, Hopper and the two Blackwells."""


def table(nvrtc: Nvrtc) -> list[str]:
    """A line for each kernel: its registers on each GPU type, and the bytes that it spills there, if any."""
    rows: dict[str, list[str]] = {}
    for name in build.names():
        for capability in CAPABILITIES:
            built = build.compile(name, f"sm_{capability}", nvrtc, ("-Xptxas", "-v"))
            for kernel, used in usage(built.log).items():
                spilled = used.spill_stores + used.spill_loads
                rows.setdefault(kernel, []).append(
                    f"{used.registers} ({spilled} spilled)" if spilled else str(used.registers)
                )
    head = f"{'registers':<24}" + "".join(f"{f'sm_{capability}':>8}" for capability in CAPABILITIES)
    return [head, *(f"{kernel:<24}" + "".join(f"{cell:>8}" for cell in cells) for kernel, cells in rows.items())]


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
