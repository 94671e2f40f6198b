"""Where to draw the line, when wrong alarms may not exceed a rate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from twingrad.analysis.table import flags, host


class Threshold(NamedTuple):
    """Scores from `threshold` on count as positive; the rates are those of the examples that it was chosen on."""

    threshold: float
    true_positive_rate: float
    false_positive_rate: float


def threshold_at(scores: Any, y: Any, *, false_positive_rate: float) -> Threshold:
    """The threshold that finds most positives while the share of negatives above it is at most `false_positive_rate`.

    scores: (N,), larger for what is more likely positive: a probability or a logit. y: (N,) of 0 and 1.
    Of thresholds that find as many the highest, which raises fewest wrong alarms. Where none suits it is infinity:
    nothing is taken for positive. Choose it on the dev set, and measure it on the test set.

    Raises ValueError for shapes that differ, scores that are NaN, other labels, a single class, a rate outside [0, 1].

    >>> threshold_at([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], false_positive_rate=0.0)
    Threshold(threshold=0.8, true_positive_rate=0.5, false_positive_rate=0.0)
    """
    scores, y = host(scores).astype(np.float64), flags("threshold_at: y", y)
    if scores.ndim != 1 or scores.shape != y.shape or np.isnan(scores).any():
        raise ValueError(
            f"threshold_at: scores, none of them NaN, and y must both be (N,); got {scores.shape}, {y.shape}"
        )
    positives, negatives = int(y.sum()), int((~y).sum())
    if not positives or not negatives:
        raise ValueError(f"threshold_at: both classes are needed; got {positives} positives and {negatives} negatives")
    if not 0 <= false_positive_rate <= 1:
        raise ValueError(f"threshold_at: false_positive_rate is a share in [0, 1]; got {false_positive_rate}")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # of several with one score: all or none
    found = np.cumsum(y[order])[last] / positives
    alarms = np.cumsum(~y[order])[last] / negatives
    good = np.flatnonzero(alarms <= false_positive_rate)
    if not len(good) or not found[good].max():
        return Threshold(float("inf"), 0.0, 0.0)
    best = good[np.argmax(found[good])]
    return Threshold(float(scores[order][last][best]), float(found[best]), float(alarms[best]))
