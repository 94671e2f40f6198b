"""What the contenders of a workload must agree on before they are timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Checks = Mapping[str, Sequence[float]]
"""The numbers that each contender computed, by its name."""


def updates(case: object, checks: Checks) -> None:
    """Fused and reference to the bit, the others within the rounding of their own order of operations."""
    seen = {who: np.asarray(found) for who, found in checks.items() if found}
    if {"fused", "reference"} <= seen.keys():
        np.testing.assert_array_equal(seen["fused"], seen["reference"])
    first, *rest = seen
    for who in rest:
        np.testing.assert_allclose(seen[who], seen[first], rtol=2e-6, atol=2e-6, err_msg=f"{first} and {who}")


def losses(checks: Checks, rtol: float) -> None:
    """Everyone's losses as close as `rtol` says, and each contender's lower in the end.

    Those near 0 as close as float32 rounds the probabilities near 1 behind them, four times.
    """
    first, *rest = checks
    rounding = 4 * float(np.finfo(np.float32).eps)
    for who in rest:
        np.testing.assert_allclose(checks[who], checks[first], rtol, rounding, err_msg=f"losses of {first} and {who}")
    for who, found in checks.items():
        assert found[-1] < found[0], f"{who} does not learn: {found}"
