"""What may follow an operation in the same pass: an activation, and dropout."""

from __future__ import annotations

import math
from typing import NamedTuple

from twingrad.functional.checks import number, one_of
from twingrad.functional.dropout import check_probability, dropout
from twingrad.functional.leaky_relu import leaky_relu
from twingrad.functional.relu import relu
from twingrad.functional.sigmoid import sigmoid
from twingrad.functional.tanh import tanh
from twingrad.namespace import Array
from twingrad.random.philox import check_key

ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh")


class Mask(NamedTuple):
    """The arguments of `dropout`."""

    p: float
    seed: int
    stream: int
    step: int


class Tail(NamedTuple):
    """An activation by its name, with the slope of `leaky_relu`, and then dropout: each where it is given.

    An operation that takes a tail gives what the functions of these names give one after another, to the bit, in one
    pass; so does its gradient.
    """

    activation: str | None = None
    negative_slope: float = 0.01
    mask: Mask | None = None


def check_tail(who: str, tail: Tail | None) -> None:
    """Raise ValueError for an unknown activation and for numbers out of range, TypeError for what is no Tail."""
    if tail is None:
        return
    if not isinstance(tail, Tail):
        raise TypeError(f"{who} takes a Tail or None as its tail, got {tail!r}")
    if tail.activation is not None:
        one_of(f"the activation after {who}", tail.activation, ACTIVATIONS)
    if not math.isfinite(number("negative_slope of a tail", tail.negative_slope)):
        raise ValueError(f"a tail takes a finite negative_slope, got {tail.negative_slope}")
    if tail.mask is not None:
        check_probability("dropout", tail.mask.p)
        check_key(*tail.mask[1:])


def finished(y: Array, tail: Tail | None) -> Array:
    """`y` with the tail after it."""
    if tail is None:
        return y
    plain = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh}
    if tail.activation == "leaky_relu":
        y = leaky_relu(y, negative_slope=tail.negative_slope)
    elif tail.activation is not None:
        y = plain[tail.activation](y)
    return y if tail.mask is None else dropout(y, **tail.mask._asdict())
