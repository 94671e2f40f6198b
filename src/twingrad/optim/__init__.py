"""Optimizers: flat state and a pure update rule of `twingrad.functional` each."""

from twingrad.optim.adam import Adam, AdamW
from twingrad.optim.optimizer import Optimizer
from twingrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
