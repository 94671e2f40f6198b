"""Differentiates functions that nobody here wrote, as they are, and prints what came of each as JSON.

A program of its own: scipy reads SCIPY_ARRAY_API when it is imported.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["SCIPY_ARRAY_API"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from twingrad import Tensor
from twingrad.xp.page import NUMPYS, OTHERS, REFUSED

from libraries import LIBRARIES
from numerics import central_differences, relative_error

rng = np.random.default_rng(8)
X, Y = rng.uniform(0.2, 2.0, (3, 4)), rng.uniform(0.2, 2.0, (3, 4))
BY_ROWS = """logsumexp softmax log_softmax entropy zscore zmap gmean hmean moment skew kurtosis sem quantile trapezoid
cumulative_trapezoid cumulative_simpson"""
MORE: dict[str, dict[str, Any]] = {"pad": {"pad_width": 1}, "moment": {"order": 3}, "quantile": {"p": 0.3}}
DEVICE1 = next(library for library in LIBRARIES if library.name == "strict-device1")
TWO = ("rel_entr", "xlogy", "kron", "cdist", "vq", "kmeans", "zmap")


def measure(call: Callable[..., Any], inputs: tuple[Any, ...]) -> dict[str, float]:
    """How far values are from those of plain arrays, and gradients from differences."""
    plain = np.asarray(call(*inputs))
    tensors = [Tensor(a, requires_grad=True) for a in inputs]
    out = call(*tensors)
    seed = rng.uniform(0.5, 1.5, plain.shape)
    out.backward(seed)
    numeric = central_differences(call, inputs, seed)
    worst = max(relative_error(t.grad, n) for t, n in zip(tensors, numeric, strict=True))
    return {"value": relative_error(out.data, plain), "gradient": worst}


def on_device1(call: Callable[..., Any], inputs: tuple[Any, ...]) -> dict[str, float]:
    """How far value and gradients are from NumPy's there; `DEVICE1.numpy` asserts that they stayed."""
    results = []
    for asarray, read in ((np.asarray, np.asarray), (DEVICE1.asarray, DEVICE1.numpy)):
        tensors = [Tensor(asarray(a), requires_grad=True) for a in inputs]
        out = call(*tensors)
        out.backward(asarray(np.linspace(0.5, 1.5, out.size).reshape(out.shape)))
        results.append([read(out.data), *(read(t.grad) for t in tensors)])
    return {"device1": max(relative_error(one, other) for one, other in zip(*results, strict=True))}


def refusal(call: Callable[..., Any], inputs: tuple[Any, ...], kind: Callable[..., Any] = Tensor) -> dict[str, str]:
    """What the call with tensors, or plain arrays of another `kind`, raises."""
    try:
        call(*[kind(a) for a in inputs])
    except (TypeError, ValueError, IndexError) as error:
        return {"refused": str(error)}
    return {}


def report() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table, check in ((OTHERS, measure), (REFUSED, refusal)):
        for module, names in table.items():
            for name in names.split():
                function = getattr(importlib.import_module(module), name)
                inputs = (X, Y) if name in TWO else (X,)
                options = MORE.get(name, {}) | ({"axis": 1} if name in BY_ROWS.split() else {})
                path, call = f"{module}.{name}", functools.partial(function, **options)
                found[path] = check(call, inputs)
                if path in NUMPYS:
                    found[path] |= refusal(call, inputs, DEVICE1.asarray)
                elif table is OTHERS:
                    found[path] |= on_device1(call, inputs)
    both = importlib.import_module("scipy.stats").entropy
    found["scipy.stats.entropy of two"] = measure(lambda p, q: both(p, q, axis=1), (X, Y))
    return found


if __name__ == "__main__":
    print(json.dumps(report()))
