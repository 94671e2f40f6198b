"""The mathematics, stateless: one file for each operation, array API only, any backend.

Where a docstring says "the course", it is "Improving Deep Neural Networks" (deeplearning.ai, taught by Andrew Ng).
"""

from twingrad.functional.adam import adam_segments, adam_update, adamw_update
from twingrad.functional.batch_norm import batch_norm
from twingrad.functional.binary_cross_entropy import binary_cross_entropy
from twingrad.functional.clip import clip_segments
from twingrad.functional.dropout import dropout
from twingrad.functional.embedding import embedding
from twingrad.functional.gather import gather
from twingrad.functional.layer_norm import layer_norm
from twingrad.functional.leaky_relu import leaky_relu
from twingrad.functional.linear import linear
from twingrad.functional.mean_absolute_error import mean_absolute_error
from twingrad.functional.mean_squared_error import mean_squared_error
from twingrad.functional.one_hot import hardmax, one_hot, smooth_labels
from twingrad.functional.relu import relu
from twingrad.functional.rmsprop import rmsprop_segments, rmsprop_update
from twingrad.functional.sgd import momentum_update, sgd_segments, sgd_update
from twingrad.functional.sigmoid import sigmoid
from twingrad.functional.softmax import softmax
from twingrad.functional.softmax_cross_entropy import softmax_cross_entropy
from twingrad.functional.storage import narrow, widen
from twingrad.functional.tail import Mask, Tail
from twingrad.functional.tanh import tanh

__all__ = [
    "Mask",
    "Tail",
    "adam_segments",
    "adam_update",
    "adamw_update",
    "batch_norm",
    "binary_cross_entropy",
    "clip_segments",
    "dropout",
    "embedding",
    "gather",
    "hardmax",
    "layer_norm",
    "leaky_relu",
    "linear",
    "mean_absolute_error",
    "mean_squared_error",
    "momentum_update",
    "narrow",
    "one_hot",
    "relu",
    "rmsprop_segments",
    "rmsprop_update",
    "sgd_segments",
    "sgd_update",
    "sigmoid",
    "smooth_labels",
    "softmax",
    "softmax_cross_entropy",
    "tanh",
    "widen",
]
