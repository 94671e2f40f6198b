"""The picture of a run."""

import math

import pytest

from twingrad.train import Evaluation, History, Record, curves

pytest.importorskip("matplotlib")


def history(*losses):
    parts = [Evaluation(loss, {"accuracy": 0.5}) for loss in losses]
    return History([Record(epoch, 10 * epoch, 0.1, part, part) for epoch, part in enumerate(parts, 1)])


def panel(found, quantity="loss"):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    curves._panel(axes, found, quantity)
    return axes


def test_epochs_on_the_axis_are_whole():
    assert all(tick == int(tick) for tick in panel(history(0.5, 0.4, 0.3)).get_xticks())


def test_a_panel_without_a_finite_value_says_so():
    found = history(math.nan, math.nan)
    assert [text.get_text() for text in panel(found).texts] == ["the loss is not finite"]
    assert not panel(found, "accuracy").texts
    assert not panel(history(0.5, math.nan)).texts
    assert curves.png(found, "digits").startswith(b"\x89PNG")


def test_one_evaluation_makes_no_picture():
    assert curves.png(history(0.5), "digits") is None
