"""The game of a generator and a discriminator: k updates of one, then one of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twingrad.autodiff import no_grad
from twingrad.capture import capture
from twingrad.functional.checks import integer, one_of
from twingrad.gan.losses import FORMS, discriminator_loss, generator_loss
from twingrad.namespace import Array


class Game:
    """Goodfellow et al. 2014, Algorithm 1, for two modules with an optimizer each.

    discriminator: x -> logits (N, 1). generator: z -> x. form: the generator's loss, see `generator_loss`.
    k: discriminator updates before each of the generator; a hyperparameter, 1 in the paper's experiments.
    Both updates run as captured steps where they can be, to the same bits.

    Each optimizer is bound to its module where it has none yet.

    Raises ValueError for k below 1, another form, or an optimizer of another module; TypeError where k is no int.

    >>> import numpy as np
    >>> from twingrad import nn, optim
    >>> generator, discriminator = nn.Sequential(nn.Linear(2, 1)), nn.Sequential(nn.Linear(1, 1))
    >>> game = Game(generator, discriminator, optim.SGD(generator, lr=0.1), optim.SGD(discriminator, lr=0.1), k=2)
    >>> z, x = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    >>> of_discriminator, of_generator = game.play([(x, z), (x, z)], z)
    >>> of_generator.shape
    ()
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        generator_optimizer: Any,
        discriminator_optimizer: Any,
        *,
        form: str = "non-saturating",
        k: int = 1,
    ) -> None:
        one_of("Game: form", form, FORMS)
        if integer("Game: k", k) < 1:
            raise ValueError(f"Game: k must be at least 1, or the discriminator would never learn; got {k}")
        self.generator, self.discriminator, self.form, self.k = generator, discriminator, form, k
        self.optimizers = generator_optimizer.bind(generator), discriminator_optimizer.bind(discriminator)
        self._discriminate: Callable[..., Any] = capture(self._discriminator_step, fallback=True)
        self._generate: Callable[..., Any] = capture(self._generator_step, fallback=True)

    def play(self, rounds: Sequence[tuple[Array, Array]], noise: Array) -> tuple[Any, Any]:
        """k discriminator updates on (real examples, noise), one of the generator on `noise`: their last losses, 0-d.

        Raises ValueError for another number of rounds than k.
        """
        if len(rounds) != self.k:
            raise ValueError(f"Game: {self.k} pairs (real, noise) are needed, one for each step; got {len(rounds)}")
        for real, z in rounds:
            loss = self._discriminate(real, z)
        return loss, self._generate(noise)

    def _discriminator_step(self, real: Array, noise: Array) -> Any:
        _, optimizer = self.optimizers
        with no_grad():
            fake = self.generator(noise)
        optimizer.zero_grad()
        loss = discriminator_loss(self.discriminator(real), self.discriminator(fake))
        loss.backward()
        optimizer.step()
        return loss

    def _generator_step(self, noise: Array) -> Any:
        optimizer, other = self.optimizers
        optimizer.zero_grad()
        other.zero_grad()  # the loss reaches the discriminator's weights too, which stay
        loss = generator_loss(self.discriminator(self.generator(noise)), self.form)
        loss.backward()
        optimizer.step()
        return loss
