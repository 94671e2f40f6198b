"""A captured step with `fallback`: the plain step wherever the recording does not serve, with the same bits."""

import warnings

import numpy as np
import pytest

import twingrad as tg
from twingrad import optim, xp

import networks
from kernels_here import no_kernels


def pair():
    """Twice the same model, optimizer and plain step."""
    made = []
    for _ in range(2):
        model = networks.network()
        optimizer = optim.Adam(model, lr=0.01)
        made.append((model, optimizer, networks.stepper(model, optimizer)))
    return made


def test_a_refused_step_runs_plain_and_says_so_once():
    (model, optimizer, step), (twin, its_optimizer, its_step) = pair()

    def logged(x, y):
        return xp.log(step(x, y))

    captured = tg.capture(logged, fallback=True)
    x, y = networks.batch()
    with pytest.warns(tg.CaptureWarning, match="the plain step runs instead: .* cannot be captured") as warned:
        first = captured(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = captured(x, y)
    assert len(warned) == 1
    assert captured.refused
    for loss in (first, second):
        assert float(loss) == float(np.log(its_step(x, y).numpy()))
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(twin, its_optimizer))


@pytest.mark.skipif(bool(no_kernels()), reason=str(no_kernels()))
def test_a_batch_of_another_size_runs_plain_between_replays():
    (model, optimizer, step), (twin, its_optimizer, its_step) = pair()
    captured = tg.capture(step, fallback=True)
    x, y = networks.batch()
    for count in (len(y), len(y), len(y) - 1, len(y)):
        captured(x[:count], y[:count])
        its_step(x[:count], y[:count])
    assert captured.refused is None
    networks.assert_same_bits(networks.everything(model, optimizer), networks.everything(twin, its_optimizer))


def test_errors_of_the_step_itself_come_out():
    captured = tg.capture(lambda x: 1 / 0, fallback=True)
    with pytest.raises(ZeroDivisionError):
        captured(np.ones(2))
    assert captured.refused is None
