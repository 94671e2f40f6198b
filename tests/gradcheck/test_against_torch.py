"""PyTorch's gradcheck gives the same verdicts: on right gradients, and on the same errors planted in its functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gradient_errors import times

import twingrad as tg
from twingrad import functional as F

torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(11)
X, W, B = RNG.normal(size=(6, 5)), RNG.normal(size=(3, 5)), RNG.normal(size=3)
CLASSES, NUMBERS = RNG.integers(0, 3, 6), RNG.normal(size=(6, 3))
ZERO_ONE = (NUMBERS > 0).astype(np.float64)
MEAN, VAR = np.zeros(5), np.ones(5)

CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "linear": (
        lambda x, w, b: F.mean_squared_error(F.linear(x, w, b), NUMBERS),
        lambda x, w, b: torch.nn.functional.mse_loss(torch.nn.functional.linear(x, w, b), torch.tensor(NUMBERS)),
        (X, W, B),
    ),
    "softmax cross-entropy": (
        lambda x, w: F.softmax_cross_entropy(F.linear(x, w), CLASSES),
        lambda x, w: torch.nn.functional.cross_entropy(x @ w.T, torch.tensor(CLASSES)),
        (X, W),
    ),
    "binary cross-entropy": (
        lambda x, w: F.binary_cross_entropy(F.linear(x, w), ZERO_ONE),
        lambda x, w: torch.nn.functional.binary_cross_entropy_with_logits(x @ w.T, torch.tensor(ZERO_ONE)),
        (X, W),
    ),
    "batch norm": (
        lambda x, g, b: (F.batch_norm(x, g, b, MEAN.copy(), VAR.copy(), training=True) * X).sum(),
        lambda x, g, b: (torch.nn.functional.batch_norm(x, None, None, g, b, training=True) * torch.tensor(X)).sum(),
        (RNG.normal(size=(6, 5)), W[0], W[1]),
    ),
    "layer norm": (
        lambda x, g, b: (F.layer_norm(x, g, b) * X).sum(),
        lambda x, g, b: (torch.nn.functional.layer_norm(x, (5,), g, b) * torch.tensor(X)).sum(),
        (RNG.normal(size=(6, 5)), W[0], W[1]),
    ),
    "tanh of sigmoid": (
        lambda x: F.tanh(F.sigmoid(x)).sum(),
        lambda x: torch.tanh(torch.sigmoid(x)).sum(),
        (X,),
    ),
    "relu": (lambda x: (F.relu(x) * X).sum(), lambda x: (torch.relu(x) * torch.tensor(X)).sum(), (X,)),
    "logsumexp": (
        lambda x: tg.xp.log(tg.xp.sum(tg.xp.exp(x))),
        lambda x: torch.logsumexp(x.reshape(-1), 0),
        (X,),
    ),
}


class Times(torch.autograd.Function):
    """x, whose gradient comes back multiplied."""

    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return ctx.factor * grad, None


def verdicts(case: str, factor: float) -> tuple[bool, bool]:
    """Ours and PyTorch's on the function with an error in the gradient of its first argument."""
    ours, theirs, arrays = CASES[case]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    found = torch.autograd.gradcheck(
        lambda x, *rest: theirs(Times.apply(x, factor), *rest), tensors, raise_exception=False
    )
    return tg.check_grads(lambda x, *rest: ours(times(factor, x), *rest), *arrays).ok, found


@pytest.mark.parametrize("case", CASES)
def test_right(case: str) -> None:
    assert verdicts(case, 1.0) == (True, True)


@pytest.mark.parametrize("factor", [2.0, -1.0, 1.05, 0.0])
@pytest.mark.parametrize("case", CASES)
def test_planted(case: str, factor: float) -> None:
    assert verdicts(case, factor) == (False, False)
