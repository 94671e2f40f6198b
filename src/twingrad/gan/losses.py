"""The losses of generator and discriminator, from the discriminator's logits, and that of a cycle."""

from __future__ import annotations

from twingrad import functional as F
from twingrad.functional.checks import one_of
from twingrad.functional.reduction import plain
from twingrad.namespace import Array, namespace_of

FORMS = ("minimax", "non-saturating")


def discriminator_loss(real: Array, fake: Array) -> Array:
    """J(D) = -mean log D(x) - mean log(1 - D(G(z))), D the sigmoid of the logits: finite for every finite logit.

    real: (N,) or (N, 1), logits of real examples; fake: (M,) or (M, 1), of generated ones. The generated examples are
    constants here: make them under `no_grad`, or detach them.
    It is minus the value V(D, G) of the game (Goodfellow et al. 2014, equation 1); where D is 1/2 everywhere, log 4.

    >>> import numpy as np
    >>> print(discriminator_loss(np.zeros((3, 1)), np.zeros((2, 1))).round(7))
    1.3862944
    """
    return _loss_beside(real, 1.0) + _loss_beside(fake, 0.0)


def generator_loss(fake: Array, form: str = "non-saturating") -> Array:
    """J(G), small where D takes what was generated for real. fake: (M,) or (M, 1), the logits a of generated examples.

    form: "minimax", mean log(1 - D(G(z))), the game's value less what does not depend on G: its gradient by a logit,
        -D / M, vanishes where D sees through the generator, as at the beginning.
        "non-saturating", -mean log D(G(z)), with gradient (D - 1) / M: strong just there (section 3 of the paper).

    Raises ValueError for another form.

    >>> import numpy as np
    >>> a = np.asarray([np.log(0.01 / 0.99)])                    # D(G(z)) = 0.01
    >>> print(generator_loss(a).round(4), generator_loss(a, "minimax").round(4))
    4.6052 -0.0101
    """
    one_of("generator_loss: form", form, FORMS)
    return -_loss_beside(fake, 0.0) if form == "minimax" else _loss_beside(fake, 1.0)


def cycle_loss(x: Array, x_again: Array, y: Array, y_again: Array) -> Array:
    """mean |F(G(x)) - x| + mean |G(F(y)) - y|: what goes there and back must come back as it was.

    x, x_again: (N, D); y, y_again: (M, E). The means are over all numbers: the norms of Zhu et al. 2017, equation 2,
    divided by the numbers of an example. Raises ValueError for two shapes of one pair.

    The course's example, G(x) = 2x and F(y) = y / 2 + 1/4:

    >>> import numpy as np
    >>> x, y = np.asarray([[0.0], [1.0]]), np.asarray([[0.0], [2.0]])
    >>> print(cycle_loss(x, (2 * x) / 2 + 0.25, y, 2 * (y / 2 + 0.25)))
    0.75
    """
    return _mean_gap("x", x, x_again) + _mean_gap("y", y, y_again)


def _mean_gap(name: str, given: Array, again: Array) -> Array:
    """The mean absolute difference, with a gradient for both."""
    if given.shape != again.shape:
        shapes = f"{tuple(given.shape)} and {tuple(again.shape)}"
        raise ValueError(f"cycle_loss: {name} and {name}_again must be of one shape; got {shapes}")
    gap = again - given
    return F.mean_absolute_error(gap, namespace_of(plain(gap)).zeros_like(plain(gap)))


def _loss_beside(logits: Array, target: float) -> Array:
    """The mean cross-entropy of logits of which all have this target."""
    found = plain(logits)
    xp = namespace_of(found)
    return F.binary_cross_entropy(logits, xp.full(found.shape, target, dtype=found.dtype, device=found.device))
