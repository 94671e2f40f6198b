"""Exponentially weighted averages: the course's numbers, a sum written out, pandas' definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twingrad.optim import EWA


def test_three_temperatures():
    corrected, plain = EWA(0.9), EWA(0.9, bias_correction=False)
    assert plain.over([40, 49, 45]) == pytest.approx([4, 8.5, 12.15], rel=1e-15)
    assert corrected.over([40, 49, 45]) == pytest.approx([40, 44.73684210526316, 44.83394833948339], rel=1e-15)
    assert sum(EWA(0.9, bias_correction=False).over([1, 1, 1])[-1:]) == pytest.approx(0.271, rel=1e-15)


def test_the_second_value():
    average = EWA(0.98)
    average.update(40)
    assert average.update(49) == pytest.approx(44.54545454545455, rel=1e-15)
    assert average.v == pytest.approx(1.764, rel=1e-14)
    weights = [EWA(0.98, bias_correction=False).over(unit)[-1] for unit in ([1, 0], [0, 1])]
    assert weights == pytest.approx([0.0196, 0.02], rel=1e-13)
    assert sum(weights) == pytest.approx(0.0396, rel=1e-13)


def test_a_corrected_value_written_back_into_the_state_is_another_thing():
    v, wrong = 0.0, []
    for t, x in enumerate([40, 49, 45], 1):
        v = (0.9 * v + 0.1 * x) / (1 - 0.9**t)
        wrong.append(round(v, 2))
    assert wrong == [40, 215.26, 731.50]
    assert EWA(0.9).over([40, 49, 45])[-1] < 45


@pytest.mark.parametrize(
    ("beta", "window", "time"),
    [
        (0.5, 2, 1.4427),
        (0.9, 10, 9.4912),
        (0.98, 50, 49.498),
        (0.999, 1000, 999.50),
        (0.9005, 10.05, 9.5417),
        (0.9995, 2000, 1999.5),
        (0.0, 1, 0),
    ],
)
def test_windows(beta, window, time):
    assert EWA(beta).window == pytest.approx(window, rel=1e-3 if beta == 0.9005 else 1e-12)
    assert EWA(beta).time_constant == pytest.approx(time, rel=1e-4)


def test_the_powers_behind_the_window():
    assert [round(0.9**10, 5), round(0.98**50, 5), round(1 / math.e, 5)] == [0.34868, 0.36417, 0.36788]


@given(st.floats(0, 0.999), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_it_is_the_weighted_mean(beta, series):
    weights = np.asarray([beta**k for k in range(len(series))][::-1])
    expected = np.average(series, weights=weights)
    assert EWA(beta).over(series)[-1] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_arrays_of_any_library(library):
    xp, convert = library.xp, library.asarray
    average = EWA(0.9)
    average.update(convert([40.0, 1.0]))
    found = average.update(convert([49.0, 1.0]))
    assert type(found) is type(xp.asarray(0.0))
    assert library.numpy(found).tolist() == pytest.approx([44.73684210526316, 1.0], rel=1e-6)


@pytest.mark.parametrize("beta", [1, 1.0, 1.5, -0.1, math.nan])
def test_a_beta_out_of_range(beta):
    with pytest.raises(ValueError, match=rf"beta of EWA must be in \[0, 1\), got {beta}"):
        EWA(beta)


def test_no_value_before_the_first():
    with pytest.raises(ValueError, match="EWA has no value yet"):
        _ = EWA(0.9).value
