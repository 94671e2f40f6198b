"""Files to read, written here byte by byte."""

import gzip
import struct

import numpy as np
import pytest

from twingrad.data.idx import TYPES

CODES = {np.dtype(kind).newbyteorder("="): code for code, kind in TYPES.items()}


def _idx_bytes(array):
    """The array as an idx file."""
    header = bytes([0, 0, CODES[array.dtype], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def _write_folder(folder, *, n=12, own=5, dot=False, packed=True):
    """The four files of MNIST's names, of random images; returns them by part."""
    folder.mkdir(exist_ok=True)
    random, parts = np.random.default_rng(0), {}
    for part, count in (("train", n), ("t10k", own)):
        images, labels = random.integers(0, 256, (count, 4, 3), np.uint8), (np.arange(count) % 3).astype(np.uint8)
        parts[part] = images, labels
        for array, kind in ((images, "images-idx3-ubyte"), (labels, "labels-idx1-ubyte")):
            name = f"{part}-{kind}".replace("-idx", ".idx") if dot else f"{part}-{kind}"
            content = _idx_bytes(array)
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return parts


@pytest.fixture(scope="session")
def idx_bytes():
    """array -> the bytes of its idx file."""
    return _idx_bytes


@pytest.fixture(scope="session")
def write_folder():
    """(folder, ...) -> the four files of MNIST's names in it, and what they hold."""
    return _write_folder


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(name, content) -> the name, of a new file in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)

    def new(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return new
