"""Layers: thin classes that hold parameters and call `twingrad.functional`, which says what "the course" is."""

from twingrad.nn import init
from twingrad.nn.activations import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from twingrad.nn.embedding import Embedding, Flatten
from twingrad.nn.flat import FlatParameters
from twingrad.nn.functional_call import functional_call
from twingrad.nn.layers import BatchNorm, Dropout, LayerNorm, Linear
from twingrad.nn.module import Module
from twingrad.nn.parameter import Parameter
from twingrad.nn.sequential import Sequential
from twingrad.nn.statistics import recompute_statistics
from twingrad.nn.switches import without_dropout
from twingrad.nn.transfer import freeze, replace_last, scale_lr

__all__ = [
    "BatchNorm",
    "Dropout",
    "Embedding",
    "FlatParameters",
    "Flatten",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "freeze",
    "functional_call",
    "init",
    "recompute_statistics",
    "replace_last",
    "scale_lr",
    "without_dropout",
]
