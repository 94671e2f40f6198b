"""`check_grads`: gradients beside two-sided differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from twingrad import nn
from twingrad.choice import choose
from twingrad.functional.checks import non_negative, number
from twingrad.gradcheck.compare import Compared, Place, distance
from twingrad.gradcheck.differences import Problem, beside, noise_of
from twingrad.gradcheck.functions import OfFunction
from twingrad.gradcheck.modules import OfModule, cost_of
from twingrad.gradcheck.report import GradientReport
from twingrad.train.losses import LOSSES


def check_grads(
    of: nn.Module | Callable[..., Any],
    *args: Any,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    argnums: int | tuple[int, ...] | None = None,
    limit: int = 1000,
    samples: int = 30,
    seed: int = 0,
) -> GradientReport:
    """Whether gradients are right, by two-sided differences in float64.

        check_grads(model, loss, x, y)        the parameters of a model, by loss(model(x), y) on a batch; or a loss of
                                              `fit` by name
        check_grads(model, cost)              the same by cost(model), for a cost of any other make
        check_grads(f, *arrays)               a function of arrays, by its floating arguments, or those at `argnums`

    For each element of theta, g~ = (J(theta + epsilon) - J(theta - epsilon)) / (2 epsilon), beside the gradient g; for
    each parameter ||g - g~|| / (||g|| + ||g~||), and the course's verdict: great below 1e-7, wrong from 1e-3, between
    them look again. What the rounding of J explains, which is measured, counts for nothing: so a gradient of 0, such as
    that of a bias before batch norm, is no error.

    epsilon: the step, times |theta| where that is above 1. The course takes 1e-7, at which right gradients of a trained
    network of 51,000 parameters are off by up to 4e-7, by rounding. At 1e-6 it is 4e-8; at 1e-5 it is 7e-9, but kinks
    come to lie within the step. Hence 1e-6.

    A parameter of more than `limit` elements is checked along `samples` random directions, in each of which all its
    elements move; `seed` draws them. The report tells how many of what.

    A model is checked as it is: in train mode with dropout and the batch's statistics, whose masks, functions of a
    counter, and averages are held still; on the fused kernels or, within `fused("never")`, on the reference. It is
    checked in a float64 copy, and nothing of it changes. weight_decay adds weight_decay/2 times the squares of the
    weights (lambda/2m, for weight_decay = lambda/m) to the cost, and the gradient is then the one that `optim.SGD`
    descends. Frozen parameters are left out.

    Where a difference and the gradient disagree, narrower steps tell whether a kink (of ReLU, max, abs) lies between
    the two points. Where theta itself stands on one there is no derivative, and they are compared 1e-4 beside it, on
    two sides. The report names both, and calls neither wrong.

    Raises TypeError for arguments without a floating one, a loss without its batch, and a cost that is no float64
    Tensor; ValueError for a cost that is not one finite number or differs from one evaluation to the next, a model
    without parameters, and options out of range.
    Source: Ng, Improving Deep Neural Networks, week 1, gradient checking, with the verdicts of that course.

    >>> import numpy as np
    >>> from twingrad import functional as F
    >>> x, y = np.asarray([[1.0, 2.0], [3.0, -1.0]]), np.asarray([0, 1])
    >>> report = check_grads(lambda w, b: F.softmax_cross_entropy(F.linear(x, w, b), y), np.eye(2), np.zeros(2))
    >>> report.ok, [each.name for each in report.parameters]
    (True, ['w', 'b'])
    """
    _check_options(epsilon, limit, samples)
    non_negative("check_grads: weight_decay", weight_decay)
    problem = _problem(of, args, argnums, weight_decay)
    cost = _steady_cost(problem)
    here = Place(problem.gradient(), cost, noise_of(problem, cost, seed))
    found = [
        Compared(problem, i, here, epsilon, samples if len(gradient) > limit else None, seed)
        for i, gradient in enumerate(here.gradients)
    ]
    _leave_kinks(problem, [each for each in found if each.on_kinks], here.noise, seed)
    gradients, differences = zip(*(each.of_all() for each in found), strict=True)
    return GradientReport(
        parameters=tuple(each.checked() for each in found),
        distance=distance(np.concatenate(gradients), np.concatenate(differences)),
        cost=cost,
        noise=here.noise,
        epsilon=epsilon,
        evaluations=problem.evaluations,
        mode=problem.mode,
        frozen=tuple(problem.frozen),
        weight_decay=weight_decay,
    )


def _leave_kinks(problem: Problem, found: list[Compared], noise: float, seed: int) -> None:
    """Compare what stands on a kink on two sides of theta."""
    for side in (1.0, -1.0) if found else ():
        with beside(problem, seed, side):
            there = Place(problem.gradient(), problem.cost(), noise)
            for each in found:
                each.look_beside(there)
    for each in found:
        each.settle()


def _problem(of: Any, args: tuple[Any, ...], argnums: Any, weight_decay: float) -> OfFunction | OfModule:
    if isinstance(of, nn.Module):
        if argnums is not None:
            raise ValueError("check_grads: argnums is of a function; freeze what a model should not be checked by")
        loss = LOSSES[choose("loss", args[0], LOSSES)] if args and isinstance(args[0], str) else args and args[0]
        if not callable(loss):
            given = f"got {type(args[0]).__name__}" if args else "there is none"
            raise TypeError(f"check_grads(model, loss, x, y) takes a loss as its second argument; {given}")
        return OfModule(of, cost_of(of, loss, args[1:]), weight_decay)
    if not callable(of):
        raise TypeError(f"check_grads takes a Module or a function; got {type(of).__name__}")
    if weight_decay:
        raise ValueError("check_grads: weight_decay is of a model; a function adds its penalty itself")
    return OfFunction(of, args, argnums)


def _check_options(epsilon: float, limit: int, samples: int) -> None:
    if not 0 < number("check_grads: epsilon", epsilon) < 0.1:
        raise ValueError(f"check_grads: epsilon must be above 0 and below 0.1; got {epsilon}")
    if limit < 0 or samples < 1:
        raise ValueError(f"check_grads: limit must be at least 0 and samples at least 1; got {limit} and {samples}")


def _steady_cost(problem: Problem) -> float:
    """J, found finite and the same twice."""
    cost, again = problem.cost(), problem.cost()
    if not math.isfinite(cost):
        raise ValueError(f"check_grads: the cost is {cost} where the check begins; give values at which it is finite")
    if abs(cost - again) > 1e-10 * max(1.0, abs(cost)):
        raise ValueError(
            f"check_grads: the cost changes with each evaluation, {cost:.9g} and then {again:.9g} at the same "
            "parameters; hold its random numbers: twingrad's own are functions of a seed, a stream and a step"
        )
    return cost
