"""How far apart two distributions over the same K outcomes are."""

from __future__ import annotations

from twingrad.functional.reduction import plain
from twingrad.namespace import Array, namespace_of

SUM = 1e-4
"""By which the probabilities of a distribution may miss 1."""


def kl(p: Array, q: Array) -> Array:
    """KL(p || q) = sum over k of p_k log(p_k / q_k), in nats: 0 log 0 is 0, and infinite where q_k = 0 < p_k.

    p, q: (..., K), floating, at least 0, each summing to 1. Returns (...). Source: Kullback and Leibler 1951.

    Raises ValueError for shapes that differ, and for what is no distribution.

    >>> import numpy as np
    >>> print(kl(np.asarray([0.5, 0.5]), np.asarray([0.25, 0.75])).round(6))
    0.143841
    """
    _check("kl", p, q)
    return _kl(p, q)


def jsd(p: Array, q: Array) -> Array:
    """The divergence of Jensen and Shannon: KL(p || m) / 2 + KL(q || m) / 2, m = (p + q) / 2; at most log 2.

    p, q and errors as of `kl`. For the best discriminator p / (p + q) the value of the game is 2 jsd(p, q) - log 4
    (Goodfellow et al. 2014, theorem 1). Source: Lin 1991, "Divergence measures based on the Shannon entropy".

    >>> import numpy as np
    >>> p, q = np.asarray([0.5, 0.5, 0.0]), np.asarray([0.0, 0.5, 0.5])
    >>> print(jsd(p, q).round(7), (2 * jsd(p, q) - np.log(4)).round(7))
    0.3465736 -0.6931472
    """
    _check("jsd", p, q)
    middle = (p + q) / 2
    return _kl(p, middle) / 2 + _kl(q, middle) / 2


def _kl(p: Array, q: Array) -> Array:
    xp = namespace_of(p, q)
    there, possible = plain(p) > 0, plain(q) > 0
    ratio = xp.log(xp.where(there, p, 1)) - xp.log(xp.where(possible, q, 1))
    elsewhere = xp.where(there, float("inf"), xp.zeros_like(plain(ratio)))
    return xp.sum(xp.where(there & possible, p * ratio, elsewhere), axis=-1)


def _check(who: str, p: Array, q: Array) -> None:
    namespace_of(p, q)  # tells what is no array
    if p.shape != q.shape or not p.shape:
        raise ValueError(f"{who}: p and q must be (..., K) of one shape; got {tuple(p.shape)} and {tuple(q.shape)}")
    for name, given in (("p", plain(p)), ("q", plain(q))):
        xp = namespace_of(given)
        right = xp.all(given >= 0) & xp.all(xp.abs(xp.sum(given, axis=-1) - 1) <= SUM)  # False for what is no number
        if not bool(right):
            raise ValueError(f"{who}: {name} must hold probabilities, at least 0 and summing to 1; got {given}")
