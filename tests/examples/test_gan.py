"""The examples about generative networks: short runs of what the claims measure, and one as it stands."""

import importlib.util
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.filterwarnings("ignore::twingrad.CaptureWarning")  # without kernels plain steps run
PLOT = importlib.util.find_spec("matplotlib") is not None


def test_gan_mixture(printed, number):
    out = printed("gan_mixture")
    assert number("mean distance of D and D[*]: ([0-9.]+)", out) < 0.02
    assert number("distance of the value and 2 JSD - log 4: ([0-9.]+)", out) < 0.02
    assert number("JSD after, k = 3: ([0-9.]+)", out) < number("JSD before: ([0-9.]+)", out) / 3
    assert Path("gan_mixture.png").exists() == PLOT


def test_gan_ring(measure):
    found = measure("gan_ring")(0, steps=1500)
    assert found["modes above 2%"] >= 5
    assert 0.4 < found["good samples"] <= 1


def test_cyclegan_knows_a_right_answer():
    example = runpy.run_path(str(EXAMPLES / "cyclegan.py"), run_name="cyclegan")
    makers = example["Pair"](example["ByRows"](0), example["ByRows"](1))
    *_, held_out = example["halves"](0)
    assert example["right"](makers, held_out) < 0.1
    makers.first.weight.data[...] = -np.kron(np.eye(8), np.eye(8)[::-1])
    assert example["right"](makers, held_out) == 1.0


def test_cyclegan(measure):
    found = measure("cyclegan")(0, steps=300, games_each=1)
    assert 0 <= found["right"] <= 1
    assert set(found) == {
        f"{name}{more}" for name in ("right", "right in one game") for more in ("", ", without the cycle")
    }


def test_repair(printed, number):
    out = printed("repair")
    assert number("error, repaired: ([0-9.]+)", out) < number("error, mean digit: ([0-9.]+)", out) - 0.05
    empty, repaired, whole = (
        number(f"accuracy, {name}: ([0-9.]+)", out) for name in ("left empty", "repaired", "whole")
    )
    assert empty + 0.2 < repaired < whole
    assert Path("repair.png").exists() == PLOT


def test_gan_digits(measure):
    found = measure("gan_digits")(0, steps=300)
    assert found["kinds above 0.5%"] >= 3
    assert 0 <= found["sums read as wished"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "what", "least"),
    [("gan_ring", "good samples", 0.8), ("cyclegan", "right", 90.0), ("gan_digits", "sums read as wished", 0.05)],
)
def test_as_it_stands(printed, number, name, what, least):
    assert number(rf"(?:^|\n){what}: ([0-9.]+)", printed(name)) > least
    assert Path(f"{name}.png").exists() == PLOT
