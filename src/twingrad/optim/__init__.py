"""Optimizers: flat state and a pure update rule of `twingrad.functional` each; and schedules of their learning rate.

"The course" is that of `twingrad.functional`.
"""

from twingrad.optim import schedules
from twingrad.optim.adam import Adam, AdamW
from twingrad.optim.optimizer import Optimizer
from twingrad.optim.rmsprop import RMSprop
from twingrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "schedules"]
