"""The layers: each holds its arrays and calls one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad import functional as F
from twingrad.autodiff import Tensor
from twingrad.errors import DeviceError, PrecisionError
from twingrad.functional.checks import number
from twingrad.functional.dropout import check_probability
from twingrad.namespace import Array, backend_of, is_bfloat16, real_floating
from twingrad.nn.init import he_normal, ones, zeros
from twingrad.nn.module import Module
from twingrad.nn.parameter import Parameter
from twingrad.precision import asked_for, in_force
from twingrad.random import Counter, stream_of
from twingrad.recording import computing_again, current, refuse_while_recording


def as_input(layer: Module, x: Array, like: Parameter) -> Tensor:
    """`x` as a tensor of the dtype of the layer's parameters, under "bf16" in bfloat16: floats are cast, integers raise
    TypeError.
    """
    tensor = x if isinstance(x, Tensor) else Tensor(x)
    if not real_floating(tensor):
        raise TypeError(
            f"{layer.describe()} takes floating input, got {tensor.dtype}; cast it to {like.dtype}, "
            "and scale it (pixels: divide by 255)"
        )
    if type(tensor.data) is not type(like.data):
        refuse_device(layer, tensor, like)
    if asked_for() == "bf16":
        return _stored(layer, tensor, like)
    tensor = F.widen(tensor) if is_bfloat16(tensor.dtype) else tensor
    return tensor if tensor.dtype == like.dtype else _cast(layer, tensor, like.dtype)


def _stored(layer: Module, tensor: Tensor, like: Parameter) -> Tensor:
    """The tensor in bfloat16, where the device has that."""
    in_force(like.data)
    if like.dtype != np.float32:
        raise PrecisionError(
            f"{layer.describe()} has parameters of {like.dtype}; precision 'bf16' trains float32 ones: "
            'model.to(dtype="float32")'
        )
    if is_bfloat16(tensor.dtype):
        return tensor
    return F.narrow(tensor if tensor.dtype == np.float32 else _cast(layer, tensor, like.dtype))  # type: ignore[no-any-return]


def _cast(layer: Module, tensor: Tensor, dtype: Any) -> Tensor:
    from twingrad.xp import astype

    dtypes = f"it casts {tensor.dtype} input to its parameters' {dtype}; cast before the step"
    refuse_while_recording(layer.describe(), dtypes)
    return astype(tensor, dtype)  # type: ignore[no-any-return]


def refuse_device(layer: Module, x: Tensor, like: Parameter) -> None:
    here, there = backend_of(like.data), backend_of(x.data)
    if here != there or here is None:
        raise DeviceError(
            f"{layer.describe()} has its parameters on {here or type(like.data).__module__}, its input is on "
            f"{there or type(x.data).__module__}; move one of them: model.to({repr(there) if there else 'like=x'})"
        )


def positive(layer: str, **sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{layer} needs {name} to be a positive integer, got {value!r}")


class Linear(Module):
    """y = x W^T + b.

    in_features, out_features: the widths. bias: whether to add b. weight: (out, in), PyTorch's and the course's shape.
    init: draws the weight; he_normal by default. Biases start at 0. dtype: of the parameters.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Callable[..., Any] = he_normal,
        dtype: Any = np.float32,
    ) -> None:
        positive("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(shape=(out_features, in_features), dtype=dtype, draw=init)
        self.bias = Parameter(shape=(out_features,), dtype=dtype, draw=zeros) if bias else None

    def forward(self, x: Array) -> Tensor:
        """x: (N, in_features) -> (N, out_features)."""
        return self.followed_by(x, None)

    def followed_by(self, x: Array, tail: F.Tail | None) -> Tensor:
        """What `forward` gives, with the tail in the same pass."""
        x, weight = as_input(self, x, self.weight), self.weight
        if not is_bfloat16(x.dtype):
            return F.linear(x, weight, self.bias, tail=tail)  # type: ignore[no-any-return]
        copy = weight.rounded() if isinstance(weight, Parameter) else None
        return F.linear(x, weight, self.bias, tail=tail, copy=copy)  # type: ignore[no-any-return]

    def describe(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}{'' if 'bias' in self._parameters else ', bias=False'})"


class BatchNorm(Module):
    """Batch normalisation over the examples of a batch, for (N, C); see `twingrad.functional.batch_norm`.

    num_features: C. eps: added to the variance. momentum: the weight of a new batch in the running averages, 1 minus
    the course's beta. weight is gamma, bias is beta: PyTorch's names.
    """

    weight: Parameter
    bias: Parameter
    running_mean: Array
    running_var: Array
    num_batches_tracked: Counter
    options = ("momentum", "eps")

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1, dtype: Any = np.float32) -> None:
        positive("BatchNorm", num_features=num_features)
        self.num_features = num_features
        self.eps, self.momentum = number("eps of BatchNorm", eps), number("momentum of BatchNorm", momentum)
        if not (self.eps > 0 and 0 <= self.momentum <= 1):
            raise ValueError(f"BatchNorm needs eps > 0 and momentum in [0, 1], got eps {eps} and momentum {momentum}")
        self.weight = Parameter(shape=(num_features,), dtype=dtype, draw=ones)
        self.bias = Parameter(shape=(num_features,), dtype=dtype, draw=zeros)
        self.register_buffer("running_mean", np.zeros(num_features, dtype))
        self.register_buffer("running_var", np.ones(num_features, dtype))
        self.num_batches_tracked = Counter()

    def forward(self, x: Array) -> Tensor:
        """x: (N, num_features) -> the same shape."""
        return self.followed_by(x, None)

    def followed_by(self, x: Array, tail: F.Tail | None) -> Tensor:
        """What `forward` gives, with the tail in the same pass."""
        x = as_input(self, x, self.weight)
        out = F.batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
            tail=tail,
        )
        if self.training:
            self.num_batches_tracked.advance()
        return out  # type: ignore[no-any-return]

    def describe(self) -> str:
        return f"BatchNorm({self.num_features})"


class Dropout(Module):
    """Drop each element with probability p in training, scale the rest by 1/(1-p); in evaluation, pass x on.

    p: PyTorch's p; the course's keep_prob is 1 - p. The mask of a training forward is a function of the model's seed,
    the layer's path and `counter`, which advances by one each time.
    """

    random_names = ("mask",)
    options = ("p",)
    counter: Counter

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_probability("Dropout", p)
        self.counter = Counter()

    def forward(self, x: Array) -> Array:
        """x: any shape -> the same shape."""
        mask = self.mask()
        return x if mask is None else F.dropout(x, **mask._asdict())

    def mask(self) -> F.Mask | None:
        """The mask of the next training forward, which counts from now on; None where nothing is dropped."""
        if not self.training or self.p == 0:
            return None
        stream = stream_of(f"{self.path}.mask" if self.path else "mask")
        return F.Mask(self.p, self.root().seed, stream, self.counter.advance())

    def take_back(self) -> None:
        """Forget the last `mask`, where the forward that asked for it failed; a failed capture does so by itself, and
        what is computed again for a checkpoint counted nothing.
        """
        if current() is None and not computing_again():
            self.counter.value -= 1

    def describe(self) -> str:
        return f"Dropout({self.p})"


class LayerNorm(Module):
    """Normalisation of each example along its last axis; see `twingrad.functional.layer_norm`.

    num_features: C. eps: added to the variance. weight is gamma, bias is beta: PyTorch's names. Nothing is averaged
    over batches: training and evaluation are the same, and a batch may have one example.
    """

    weight: Parameter
    bias: Parameter
    options = ("eps",)

    def __init__(self, num_features: int, *, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        positive("LayerNorm", num_features=num_features)
        if not number("eps of LayerNorm", eps) > 0:
            raise ValueError(f"LayerNorm needs eps > 0, got {eps}")
        self.num_features, self.eps = num_features, float(eps)
        self.weight = Parameter(shape=(num_features,), dtype=dtype, draw=ones)
        self.bias = Parameter(shape=(num_features,), dtype=dtype, draw=zeros)

    def forward(self, x: Array) -> Tensor:
        """x: (..., num_features) -> the same shape."""
        return F.layer_norm(as_input(self, x, self.weight), self.weight, self.bias, eps=self.eps)  # type: ignore[no-any-return]

    def describe(self) -> str:
        return f"LayerNorm({self.num_features})"
