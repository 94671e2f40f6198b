"""Fashion-MNIST, from where Debian puts it."""

from __future__ import annotations

import os
from pathlib import Path

from twingrad.data.dataset import Dataset
from twingrad.data.idx import idx_folder

NAME = "fashion-mnist"
PACKAGE = "dataset-fashion-mnist"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
VARIABLE = "TWINGRAD_DATA"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist() -> Dataset:
    """60,000 images of clothes to train on and 10,000 to test: x (70000, 28, 28) uint8, y (70000,) int64, ten classes.

    Read from the folder `fashion-mnist` of each folder that the environment variable TWINGRAD_DATA names, then from
    where Debian's package dataset-fashion-mnist puts it. `split` keeps the 10,000 as the test part.

    Source: H. Xiao, K. Rasul and R. Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", licence MIT.

    Raises:
        FileNotFoundError: it is not there; the message names the package.
    """
    for folder in folders():
        if folder.is_dir():
            return idx_folder(folder, name=NAME, classes=CLASSES)
    raise FileNotFoundError(
        f"data set {NAME!r} is not on this machine: install Debian's package {PACKAGE} (apt install {PACKAGE}), "
        f"or give the folder with its four idx files (--data FOLDER); looked in {', '.join(map(str, folders()))}, "
        f"and {VARIABLE} may name more"
    )


def folders() -> list[Path]:
    """Where it is looked for, in this order."""
    named = [Path(folder) / NAME for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    return [*named, DEBIAN]
