"""What cannot be checked is told by name, with the cure."""

from __future__ import annotations

from typing import Any

import array_api_strict
import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn

X, Y = np.ones((4, 3), np.float32), np.asarray([0, 1, 0, 1])
NO_FLOAT64 = array_api_strict.Device("no_float64")


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 2), seed=0)


def frozen() -> nn.Sequential:
    found = model()
    for parameter in found.parameters():
        parameter.requires_grad = False
    return found


def drawing_afresh(rng: Any = np.random.default_rng(0)) -> Any:  # noqa: B008
    return lambda w: (w * rng.random(3)).sum()


CASES: dict[str, tuple[Any, type[Exception], str]] = {
    "integers": (lambda: tg.check_grads(lambda w: (w * w).sum(), np.arange(3)), TypeError, "got int64 of shape (3,)"),
    "an int": (lambda: tg.check_grads(lambda w: w * w, 3), TypeError, "got int 3: cast to float64"),
    "nothing": (lambda: tg.check_grads(lambda: 1.0), TypeError, "got no arguments"),
    "complex": (lambda: tg.check_grads(lambda w: w, np.ones(2) * 1j), TypeError, "got complex128"),
    "argnums of integers": (
        lambda: tg.check_grads(F.softmax_cross_entropy, np.ones((4, 2)), Y, argnums=1),
        TypeError,
        "argument 1 is int64 of shape (4,), which has no gradient",
    ),
    "argnums beyond": (lambda: tg.check_grads(F.relu, 1.0, argnums=2), ValueError, "argnums 2 of a call with 1"),
    "no argnums": (lambda: tg.check_grads(F.relu, 1.0, argnums=()), ValueError, "names no argument"),
    "not one number": (
        lambda: tg.check_grads(F.relu, np.ones(3)),
        ValueError,
        "got shape (3,): take its mean()",
    ),
    "off the tape": (lambda: tg.check_grads(lambda w: float(w), 1.0), TypeError, "came as float, off the tape"),
    "float32 inside": (
        lambda: tg.check_grads(lambda w: tg.xp.astype(w, np.float32), 1.0),
        TypeError,
        "came as float32 from float64",
    ),
    "not finite": (lambda: tg.check_grads(tg.xp.log, -1.0), ValueError, "the cost is nan where the check begins"),
    "drawn afresh": (lambda: tg.check_grads(drawing_afresh(), np.ones(3)), ValueError, "changes with each evaluation"),
    "no parameters": (
        lambda: tg.check_grads(nn.Sequential(nn.ReLU()), lambda m: m(X).sum()),
        ValueError,
        "has no parameters to check; there are none",
    ),
    "all frozen": (
        lambda: tg.check_grads(frozen(), F.softmax_cross_entropy, X, Y),
        ValueError,
        "they are frozen: 0.weight, 0.bias",
    ),
    "no batch": (lambda: tg.check_grads(model(), F.softmax_cross_entropy), TypeError, "check_grads has no batch"),
    "no loss": (lambda: tg.check_grads(model()), TypeError, "takes a loss as its second argument; there is none"),
    "no loss but x": (lambda: tg.check_grads(model(), X, Y), TypeError, "as its second argument; got ndarray"),
    "no known loss": (lambda: tg.check_grads(model(), "cross_entropi", X, Y), ValueError, "cross_entropy"),
    "no examples": (
        lambda: tg.check_grads(model(), F.softmax_cross_entropy, X[:0], Y[:0]),
        ValueError,
        "has no mean over nothing",
    ),
    "no function": (lambda: tg.check_grads(3.0), TypeError, "takes a Module or a function; got float"),
    "argnums of a model": (
        lambda: tg.check_grads(model(), F.softmax_cross_entropy, X, Y, argnums=0),
        ValueError,
        "argnums is of a function",
    ),
    "decay of a function": (
        lambda: tg.check_grads(F.relu, 1.0, weight_decay=0.1),
        ValueError,
        "a function adds its penalty",
    ),
    "negative decay": (
        lambda: tg.check_grads(model(), F.softmax_cross_entropy, X, Y, weight_decay=-0.1),
        ValueError,
        "weight_decay must be a finite number of at least 0",
    ),
    "epsilon 0": (lambda: tg.check_grads(F.relu, 1.0, epsilon=0.0), ValueError, "epsilon must be above 0"),
    "epsilon a text": (lambda: tg.check_grads(F.relu, 1.0, epsilon="small"), TypeError, "epsilon must be a number"),
    "samples 0": (lambda: tg.check_grads(F.relu, 1.0, samples=0), ValueError, "samples at least 1; got 1000 and 0"),
    "no float64": (
        lambda: tg.check_grads(F.relu, array_api_strict.ones((), dtype=array_api_strict.float32, device=NO_FLOAT64)),
        TypeError,
        "computes in float64, which these arrays cannot",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str) -> None:
    call, error, message = CASES[case]
    with np.errstate(all="ignore"), pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)


def test_a_cost_that_is_not_finite_beside_theta() -> None:
    with np.errstate(all="ignore"):
        report = tg.check_grads(lambda x: tg.xp.sqrt(x), 0.0)
    assert report.wrong == ("x",)
    assert "not finite" in repr(report)
    assert report.worst.name == "x"
