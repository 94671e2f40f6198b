"""Images beside each other as a picture. matplotlib (extra `plot`) is imported only here, and only when asked."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import Any

from twingrad.data.rows import on_host


def sheet_png(
    rows: Mapping[str, Any],
    *,
    titles: Mapping[str, Sequence[Any]] | None = None,
    title: str = "",
    limits: tuple[float, float] = (0.0, 1.0),
    colours: str = "gray_r",
) -> bytes | None:
    """A row of images for each name, as a PNG; None without matplotlib.

    rows: arrays (N, H, W) or (N, H, W, 3), of one N or fewer. titles: by the name of a row, what stands above each of
    its images. limits, colours: the numbers at the ends of matplotlib's map of that name, for images without colours.

    Raises ValueError for no rows, and images of other dimensions.

    >>> import numpy as np
    >>> sheet_png({"first": np.zeros((2, 4))})
    Traceback (most recent call last):
    ValueError: sheet_png: images are (N, H, W) or (N, H, W, 3); row 'first' is (2, 4)
    """
    images = {name: on_host(each, f"sheet_png: row {name!r}") for name, each in rows.items()}
    if not images:
        raise ValueError("sheet_png: there are no rows; give images by name")
    for name, each in images.items():
        if each.ndim not in (3, 4) or (each.ndim == 4 and each.shape[3] != 3) or not len(each):
            raise ValueError(f"sheet_png: images are (N, H, W) or (N, H, W, 3); row {name!r} is {each.shape}")
    if importlib.util.find_spec("matplotlib") is None:
        return None
    from matplotlib.figure import Figure

    width = max(map(len, images.values()))
    figure = Figure(figsize=(1.2 + 0.9 * width, 0.3 + len(images) + 0.3 * len(titles or ())), layout="constrained")
    for line, (name, row) in zip(figure.subplots(len(images), width, squeeze=False), images.items(), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for panel, image in zip(line, row, strict=False):
            panel.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1])
        for panel, told in zip(line, (titles or {}).get(name, ()), strict=False):
            panel.set_title(str(told))
        for i, panel in enumerate(line):
            panel.set(xticks=[], yticks=[], visible=i < len(row))
    figure.suptitle(title)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()
