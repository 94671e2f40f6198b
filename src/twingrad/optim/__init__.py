"""Optimizers: flat state and a pure update rule of `twingrad.functional` each; schedules of their learning rate;
exponentially weighted averages; the curvature of a cost.

"The course" is that of `twingrad.functional`.
"""

from twingrad.optim import schedules
from twingrad.optim.adam import Adam, AdamW
from twingrad.optim.curvature import Curvature, curvature
from twingrad.optim.ewa import EWA
from twingrad.optim.optimizer import Optimizer
from twingrad.optim.rmsprop import RMSprop
from twingrad.optim.sgd import SGD

__all__ = ["EWA", "SGD", "Adam", "AdamW", "Curvature", "Optimizer", "RMSprop", "curvature", "schedules"]
