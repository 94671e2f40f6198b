"""The rows of the fidelity table: one for each kernel, with the bounds that it keeps to.

An operation with a kernel and no row fails tests/benchmarks/test_fidelity.py. The inputs are in `fidelity_inputs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from twingrad.benchmarks import fidelity_inputs as inputs
from twingrad.benchmarks.fidelity_inputs import MASK, Draw, Inputs
from twingrad.functional.adam import adam_control
from twingrad.functional.rmsprop import rmsprop_control
from twingrad.functional.sgd import sgd_control

Unit = Callable[[Inputs, Any, Any], Any]


def of_element(call: Inputs, cotangent: Any, expected: Any) -> Any:
    """The element that the reference gives."""
    return np.abs(expected)


def of_largest(call: Inputs, cotangent: Any, expected: Any) -> Any:
    """The largest of the array's, where an element is a sum of terms that may cancel."""
    return np.max(np.abs(expected), initial=0)


def of_cotangent(call: Inputs, cotangent: Any, expected: Any) -> Any:
    """The gradient that comes back, where it is multiplied by 1 - y and y is near 1."""
    return np.abs(cotangent)


def of_logits(call: Inputs, cotangent: Any, expected: Any) -> Any:
    """The largest logit, or of the array's: a loss is the difference of two of that size."""
    x = call.arrays[0]
    return max(of_largest(call, cotangent, expected), np.abs(x[np.isfinite(x)]).max(initial=0))


def of_class_gradient(call: Inputs, cotangent: Any, expected: Any) -> Any:
    """The gradient that comes to an example's loss, which p - 1 multiplies, with p near 1."""
    n = len(call.arrays[0]) if call.options["reduction"] == "mean" else 1
    return np.max(np.abs(cotangent), initial=0) / n


def of_spread(call: Inputs, cotangent: Any, expected: Any) -> Any:
    """The largest of the array's times the largest |x| over the least deviation: the mean's rounding."""
    x = np.asarray(call.arrays[0], np.float64)
    axis = 0 if len(call.arrays) == 5 else -1
    usual = np.where(np.isfinite(x), x, 0)
    factor = np.abs(usual).max() / np.sqrt(usual.var(axis) + 1e-5).min()
    return max(1.0, float(factor)) * of_largest(call, cotangent, expected)


class Row(NamedTuple):
    """calls(rng, dtype): the inputs. differentiable: so many arguments, the first, get gradients.

    bounds: the ulps allowed between kernel and reference, of results and of gradients; 0 promises the same bits.
    units: of results and of gradients, the size whose ulp counts: see `of_element` and its kin.
    """

    operation: str
    calls: Callable[[Draw, Any], Iterator[Inputs]]
    bounds: tuple[float, float]
    differentiable: int = 1
    units: tuple[Unit, Unit] = (of_element, of_element)


EPS = {"eps": 1e-3}
ADAM = {"beta1": 0.9, "beta2": 0.999, **EPS}
RMS = {"alpha": 0.9, **EPS}
Variant = tuple[str, dict[str, Any]]
UPDATES: dict[str, tuple[Callable[..., Any], tuple[Variant, ...]]] = {
    "adam_segments": (adam_control, (("mv", ADAM), ("mv", ADAM | {"eps_form": "inside"}))),
    "sgd_segments": (
        sgd_control,
        (
            ("-", {}),
            ("m", {"momentum": 0.9, "form": "course", "bias_correction": True}),
            ("m", {"momentum": 0.9, "nesterov": True}),
        ),
    ),
    "rmsprop_segments": (
        rmsprop_control,
        (
            ("v--", RMS),
            ("v--", RMS | {"eps_form": "inside", "bias_correction": True}),
            ("vm-", RMS | {"momentum": 0.8}),
            ("v-m", RMS),
            ("vmm", RMS | {"momentum": 0.8}),
        ),
    ),
}
"""The update rules: what makes their control, and variants for `fidelity_inputs.update`."""


def update_rows() -> Iterator[tuple[str, Row]]:
    """Each rule, and each with an average of the weights in the same pass."""
    for averaged, more in ((False, ""), (True, " + average")):
        for name, (make, variants) in UPDATES.items():
            calls = inputs.update(make, *variants, averaged=averaged)
            yield f"{name}{more}", Row(name, calls, (0, 0), 0, (of_largest, of_largest))


ROWS: dict[str, Row] = {
    "relu": Row("relu", inputs.elementwise(), (0, 0)),
    "leaky_relu": Row("leaky_relu", inputs.elementwise({}, {"negative_slope": 0.2}, {"negative_slope": -0.5}), (0, 0)),
    "dropout": Row("dropout", inputs.elementwise(*(MASK | {"p": p} for p in (0.0, 0.2, 0.9))), (0, 0)),
    "bias (+ relu + dropout)": Row("linear", inputs.bias, (0, 0), 0),
    "sigmoid": Row("sigmoid", inputs.elementwise(), (4, 4), 1, (of_element, of_cotangent)),
    "tanh": Row("tanh", inputs.elementwise(), (4, 8), 1, (of_element, of_cotangent)),
    "softmax": Row("softmax", inputs.rows_of(1, 0), (8, 8), 1, (of_element, of_largest)),
    "layer_norm": Row("layer_norm", inputs.rows_of(3, 2), (16, 16), 3, (of_spread, of_spread)),
    "batch_norm (+ relu + dropout)": Row("batch_norm", inputs.batch_norm, (16, 16), 3, (of_spread, of_spread)),
    "linear (+ relu + dropout)": Row("linear", inputs.linear, (8, 8), 3, (of_largest, of_largest)),
    "embedding": Row("embedding", inputs.embedding, (0, 0), 2, (of_element, of_largest)),
    "gather": Row("gather", inputs.gather, (0, 0), 0),
    "softmax_cross_entropy": Row(
        "softmax_cross_entropy", inputs.softmax_loss, (8, 8), 1, (of_logits, of_class_gradient)
    ),
    "binary_cross_entropy": Row("binary_cross_entropy", inputs.loss, (8, 8), 1, (of_largest, of_largest)),
    "mean_squared_error": Row("mean_squared_error", inputs.loss, (8, 8), 1, (of_largest, of_largest)),
    "mean_absolute_error": Row("mean_absolute_error", inputs.loss, (8, 8), 1, (of_largest, of_largest)),
    **dict(update_rows()),
    "clip_segments": Row("clip_segments", inputs.clipped, (0, 0), 0),
}
