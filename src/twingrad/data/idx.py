"""idx files, the format of MNIST and Fashion-MNIST, plain or compressed by gzip.

Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits": a magic number (two zero bytes, the type,
the number of axes), the size of each axis as a big-endian 32-bit integer, then the elements in C order, big-endian.
"""

from __future__ import annotations

import math
import struct
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twingrad.data.dataset import Dataset
from twingrad.data.files import opened
from twingrad.data.tasks import encode

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
PARTS = ("train", "t10k")
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
STEP = 1 << 24


def read_idx(path: str | Path) -> NDArray[Any]:
    """The array of one idx file, in the machine's byte order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a wrong magic number, an unknown type, fewer or more bytes than the header announces, damaged gzip.
    """
    path = Path(path)
    with opened(path) as file:
        return _read(file, path)


def _read(file: BufferedIOBase, path: Path) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4:
        raise ValueError(f"{path}: an idx file begins with 4 bytes of magic number; there are {len(magic)}")
    if magic[:2] != b"\0\0" or magic[2] not in TYPES or not magic[3]:
        raise ValueError(
            f"{path}: wrong magic number 0x{magic.hex()}; an idx file of images begins with 0x00000803, "
            f"of labels with 0x00000801{_looks_like(magic)}"
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise ValueError(f"{path}: truncated: its header has {4 + len(header)} bytes, {4 + 4 * magic[3]} were due")
    shape = struct.unpack(f">{magic[3]}I", header)
    dtype = np.dtype(TYPES[magic[2]])
    content = _body(file, math.prod(shape) * dtype.itemsize, path, 4 + len(header), shape)
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _looks_like(magic: bytes) -> str:
    if magic[:2] == b"\x1f\x8b":
        return " (this one is compressed by gzip: let its name end in .gz)"
    return ""


def _body(file: BufferedIOBase, due: int, path: Path, header: int, shape: tuple[int, ...]) -> bytearray:
    content = bytearray()  # grows with what is there, whatever the header claims
    try:
        while len(content) <= due:
            piece = file.read1(min(STEP, due + 1 - len(content)))  # keeps what comes before a damage
            if not piece:
                break
            content += piece
    except EOFError:
        if len(content) == due:  # all is there but the check sum
            raise
    if len(content) == due:
        return content
    sizes = " x ".join(map(str, shape))
    if len(content) > due:
        raise ValueError(f"{path}: there are more bytes than the {header + due} that its header announces ({sizes})")
    raise ValueError(
        f"{path}: truncated: it has {header + len(content)} bytes, {header + due} were due for {sizes}; fetch it again"
    )


def idx_pair(
    images: str | Path, labels: str | Path, *, task: str | None = None, name: str = "", like: Any = None
) -> Dataset:
    """The data set of one file of images and one of labels: x (N, rows, columns) uint8.

    Raises:
        ValueError: as `read_idx`; or images and labels that are not, or that differ in count.
    """
    x, y = _pair(Path(images), Path(labels))
    target = encode(y, ("label",), task, str(labels), like=like)
    return Dataset(x, target.y, target.classes, name or _name(Path(images)), target.task, target.reason)


def idx_folder(
    folder: str | Path, *, task: str | None = None, name: str = "", classes: tuple[str, ...] = (), like: Any = None
) -> Dataset:
    """The data set of a folder with the four files of MNIST's names, plain or .gz, with "." or "-" before "idx".

    The t10k files are the test part that `split` keeps; without them there is none. A plain file goes before a .gz.

    Raises:
        FileNotFoundError: a file is missing; the message lists what is there and what is due.
        ValueError: as `idx_pair`.
    """
    folder = Path(folder)
    train = _pair(*_files(folder, "train"))
    own_test, x, y = 0, *train
    if any(_find(folder, "t10k", kind) for kind in (IMAGES, LABELS)):
        test = _pair(*_files(folder, "t10k"))
        if test[0].shape[1:] != x.shape[1:]:
            raise ValueError(f"{folder}: images of train are {x.shape[1:]}, of t10k {test[0].shape[1:]}")
        own_test, x, y = len(test[1]), np.concatenate([x, test[0]]), np.concatenate([y, test[1]])
    if classes:
        y, names, found, reason = y, classes, "multi-class", f"the labels are {len(classes)} classes"
    else:
        y, found, reason, names = encode(y, ("label",), task, str(folder), like=like)
    return Dataset(x, y, names, name or folder.resolve().name, found, reason, own_test=own_test)


def _pair(images: Path, labels: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    x, y = read_idx(images), read_idx(labels)
    for path, array, axes, what in ((images, x, range(2, 9), "images"), (labels, y, range(1, 2), "labels")):
        if array.ndim not in axes:
            raise ValueError(
                f"{path}: wrong magic number for {what}: it announces {array.ndim} axes; images have 3 (0x00000803), "
                "labels 1 (0x00000801); are the two files interchanged?"
            )
    if len(x) != len(y):
        raise ValueError(f"{images} holds {len(x)} images, but {labels} holds {len(y)} labels; they must be as many")
    return x, y


def _files(folder: Path, part: str) -> tuple[Path, Path]:
    found = [_find(folder, part, kind) for kind in (IMAGES, LABELS)]
    if found[0] is None or found[1] is None:
        due = ", ".join(f"{part}-{kind}[.gz]" for kind in (IMAGES, LABELS))
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise FileNotFoundError(f"folder {folder}: the idx files {due} are due; there is {there}")
    return found[0], found[1]


def _find(folder: Path, part: str, kind: str) -> Path | None:
    stem = f"{part}-{kind}"
    for name in (stem, stem.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            if (folder / (name + ending)).is_file():
                return folder / (name + ending)
    return None


def _name(images: Path) -> str:
    """What comes before MNIST's name, or "images"."""
    plain = images.name.removesuffix(".gz")
    return plain.replace(IMAGES, "").replace(IMAGES.replace("-idx", ".idx"), "").strip("-.") or "images"
