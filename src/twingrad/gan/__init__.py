"""Generative adversarial networks: losses from logits, divergences, and the game of two networks.

Source: Goodfellow et al. 2014, "Generative adversarial nets"; Zhu, Park, Isola and Efros 2017, "Unpaired image-to-image
translation using cycle-consistent adversarial networks".
"""

from twingrad.gan.divergences import jsd, kl
from twingrad.gan.game import Game
from twingrad.gan.losses import cycle_loss, discriminator_loss, generator_loss

__all__ = ["Game", "cycle_loss", "discriminator_loss", "generator_loss", "jsd", "kl"]
