"""Sheets of images."""

import importlib.util
import struct

import numpy as np
import pytest

from twingrad.data import sheet_png

PLOT = importlib.util.find_spec("matplotlib") is not None


def test_a_sheet_has_a_row_of_images_for_each_name():
    grey, coloured = np.linspace(0, 1, 3 * 64).reshape(3, 8, 8), np.zeros((5, 6, 4, 3))
    picture = sheet_png({"grey": grey, "coloured": coloured}, titles={"grey": range(3)}, title="both")
    assert (picture is not None) == PLOT
    if picture is not None:
        assert picture.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", picture[16:24])
        assert width > 2 * height > 200
        assert picture == sheet_png({"grey": grey, "coloured": coloured}, titles={"grey": range(3)}, title="both")
        assert picture != sheet_png({"grey": 1 - grey, "coloured": coloured}, titles={"grey": range(3)}, title="both")


BAD = {
    "there are no rows": {},
    r"row 'a' is \(2, 4\)": {"a": np.zeros((2, 4))},
    r"row 'a' is \(2, 4, 4, 2\)": {"a": np.zeros((2, 4, 4, 2))},
    r"row 'b' is \(0, 4, 4\)": {"a": np.zeros((1, 4, 4)), "b": np.zeros((0, 4, 4))},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_sheet(message):
    with pytest.raises(ValueError, match=message):
        sheet_png(BAD[message])
