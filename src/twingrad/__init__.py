"""twingrad: one code, two devices."""

from twingrad import xp
from twingrad.autodiff import Tensor, grad, no_grad, value_and_grad
from twingrad.fusable import fused, fused_report
