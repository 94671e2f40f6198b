"""Adversarial examples: inputs changed a little so that a model errs, by its gradients or by asking it alone.

Source: Goodfellow, Shlens and Szegedy 2015, "Explaining and harnessing adversarial examples"; Szegedy et al. 2014,
"Intriguing properties of neural networks".
"""

from twingrad.adversarial.attacks import fast_gradient_sign, targeted
from twingrad.adversarial.gradients import exact_gradient, numerical_gradient

__all__ = ["exact_gradient", "fast_gradient_sign", "numerical_gradient", "targeted"]
