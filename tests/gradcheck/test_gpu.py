"""On a GPU: a model and a function check as on the CPU, and an error in a CUDA kernel's backward is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gradient_errors import doubled, in_backward

import twingrad as tg
from twingrad import backends
from twingrad import functional as F
from twingrad.devices import resolve

from networks import batch, network

pytestmark = pytest.mark.gpu


def there(array: Any) -> Any:
    return backends.get(resolve("cuda")).asarray(array)


def check() -> tg.gradcheck.GradientReport:
    model = network().to("cuda")
    return tg.check_grads(model, F.softmax_cross_entropy, *map(there, batch()), weight_decay=0.1)


def test_a_model() -> None:
    report, expected = check(), tg.check_grads(network(), F.softmax_cross_entropy, *batch(), weight_decay=0.1)
    assert report.ok, report
    assert report.cost == pytest.approx(expected.cost, rel=1e-12)


def test_a_function() -> None:
    w = there(np.asarray([0.5, -1.5]))
    assert tg.check_grads(lambda w: (w * w * w).sum(), w).ok


def test_an_error_in_the_kernel_of_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    check()
    kernels = F.dropout.kernels
    monkeypatch.setitem(kernels, "cuda", in_backward(kernels["cuda"], 0, doubled))
    assert set(check().wrong) == {"0.weight", "1.weight", "1.bias"}
