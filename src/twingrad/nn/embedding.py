"""`Embedding`, which looks up rows, and `Flatten`, which puts them side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.namespace import Array, namespace_of
from twingrad.nn.init import normal
from twingrad.nn.layers import positive, refuse_device
from twingrad.nn.module import Module
from twingrad.nn.parameter import Parameter


class Embedding(Module):
    """A row of `weight` for each integer; see `twingrad.functional.embedding`.

    num_embeddings: V, the integers are in [0, V). embedding_dim: D. weight: (V, D).
    init: draws the weight; standard normal by default, as in PyTorch.

    >>> import numpy as np
    >>> from twingrad import nn
    >>> model = nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(12, 2), seed=0)
    >>> model(np.asarray([[7, 0, 49], [1, 1, 2]])).shape
    (2, 2)
    """

    weight: Parameter
    takes_integers = True

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        init: Callable[..., Any] = normal(1.0),  # noqa: B008
        dtype: Any = np.float32,
    ) -> None:
        positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(shape=(num_embeddings, embedding_dim), dtype=dtype, draw=init)

    def forward(self, x: Array) -> Tensor:
        """x: any shape of integers -> (*x.shape, embedding_dim)."""
        indices = x if isinstance(x, Tensor) else Tensor(x)
        if type(indices.data) is not type(self.weight.data):
            refuse_device(self, indices, self.weight)
        return F.embedding(indices, self.weight)  # type: ignore[no-any-return]

    def describe(self) -> str:
        return f"Embedding({self.num_embeddings}, {self.embedding_dim})"


class Flatten(Module):
    """All that an example holds in one row: images, or the rows of an `Embedding`, for a Linear."""

    def forward(self, x: Array) -> Array:
        """x: (N, ...) -> (N, D)."""
        xp = namespace_of(x)
        return xp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def describe(self) -> str:
        return "Flatten()"
