"""Layers: thin classes that hold parameters and call `twingrad.functional`."""

from twingrad.nn import init
from twingrad.nn.flat import FlatParameters
from twingrad.nn.layers import BatchNorm, Dropout, Linear, ReLU
from twingrad.nn.module import Module
from twingrad.nn.parameter import Parameter
from twingrad.nn.sequential import Sequential

__all__ = ["BatchNorm", "Dropout", "FlatParameters", "Linear", "Module", "Parameter", "ReLU", "Sequential", "init"]
