"""Claims about learning, measured over seeds that were fixed beforehand, with 95% intervals.

    python -m twingrad.benchmarks.claims                     # the names of all claims
    python -m twingrad.benchmarks.claims NAME ...            # measure them; JSON goes to benchmarks/results/claims
    python -m twingrad.benchmarks.claims NAME --seeds 3 --out /tmp/try

A claim NAME is a module `rows/NAME.py` with a `CLAIM`; its experiment is a function of an example.
"""

from twingrad.benchmarks.claims.claim import Claim, Statement, at_least, at_most, example, less
from twingrad.benchmarks.claims.intervals import Interval, interval, paired

__all__ = ["Claim", "Interval", "Statement", "at_least", "at_most", "example", "interval", "less", "paired"]
