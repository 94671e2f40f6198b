"""The whole dispatch: an operation is its readable reference, with a fused kernel beside it on backends that have one.

    @fusable(validate=check)
    def relu(x): ...                                            # the reference: array API only, any backend

    @relu.kernel("cpu", accepts=why_not, backward=relu_backward)
    def relu_cpu(x): return out, saved                          # the override: raw arrays in and out

Callers call `relu(x)` and never know which ran. `fused("never")` keeps to the reference, `fused("require")` raises
where a kernel refuses, and under "auto" each refusal is counted with its reason: see `fused_report`.
"""

from twingrad.fusable.kernel import PROVIDERS, Kernel
from twingrad.fusable.mode import MODES, fused, fused_mode
from twingrad.fusable.operation import Fusable, fusable, registry
from twingrad.fusable.report import clear_fused_report, fused_report, note

__all__ = [
    "MODES",
    "PROVIDERS",
    "Fusable",
    "Kernel",
    "clear_fused_report",
    "fusable",
    "fused",
    "fused_mode",
    "fused_report",
    "note",
    "registry",
]
