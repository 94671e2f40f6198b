"""idx files: every type and shape comes back, and nothing that is damaged does."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import twingrad as tg
from twingrad.data.idx import TYPES, read_idx

DTYPES = sorted({np.dtype(kind).newbyteorder("=") for kind in TYPES.values()}, key=str)


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5))
    ),
    st.booleans(),
)
def test_every_array_comes_back(tmp_path_factory, idx_bytes, array, packed):
    path = tmp_path_factory.getbasetemp() / f"round.idx{'.gz' * packed}"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dot", [False, True])
def test_a_folder_of_four_files(tmp_path, dot, packed, write_folder):
    parts = write_folder(tmp_path / "cloth", dot=dot, packed=packed)
    data = tg.data.load(tmp_path / "cloth")
    assert (data.name, data.task, data.classes, len(data), data.own_test) == (
        "cloth",
        "multi-class",
        ("0", "1", "2"),
        17,
        5,
    )
    np.testing.assert_array_equal(data.x, np.concatenate([parts["train"][0], parts["t10k"][0]]))
    split = data.split(2 / 3, seed=1, dev=1 / 3)
    assert [len(part) for part in split] == [8, 4, 5]
    np.testing.assert_array_equal(split.test.x, parts["t10k"][0])
    np.testing.assert_array_equal(split.test.y, parts["t10k"][1])


def test_a_folder_without_a_test_part(tmp_path, write_folder):
    write_folder(tmp_path)
    for path in tmp_path.glob("t10k*"):
        path.unlink()
    data = tg.data.load(tmp_path)
    assert (len(data), data.own_test) == (12, 0)


@pytest.mark.parametrize("joined", [False, True])
def test_a_pair_of_files(tmp_path, joined, write_folder):
    parts = write_folder(tmp_path)
    pair = [tmp_path / f"train-{kind}.gz" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    data = tg.data.load(",".join(map(str, pair)) if joined else pair)
    np.testing.assert_array_equal(data.x, parts["train"][0])
    np.testing.assert_array_equal(data.y, parts["train"][1])
    assert data.name == "train"


@pytest.mark.parametrize("dot", ["-", "."])
def test_a_pair_without_a_prefix_has_a_name(tmp_path, dot, idx_bytes):
    pair = [tmp_path / f"{kind}{dot}idx{axes}-ubyte" for kind, axes in (("images", 3), ("labels", 1))]
    pair[0].write_bytes(idx_bytes(np.zeros((4, 2, 2), np.uint8)))
    pair[1].write_bytes(idx_bytes(np.array([0, 1, 0, 1], np.uint8)))
    assert tg.data.load(pair).name == "images"


WHOLE = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3, *range(24)])
BROKEN = {
    "empty": (b"", "begins with 4 bytes of magic number; there are 0"),
    "magic": (b"\0\1" + WHOLE[2:], r"wrong magic number 0x00010803; .* images begins with 0x00000803, of labels"),
    "type": (b"\0\0\7" + WHOLE[3:], "wrong magic number 0x00000703"),
    "no axes": (b"\0\0\10\0", "wrong magic number 0x00000800"),
    "gzip by another name": (gzip.compress(WHOLE), r"compressed by gzip: let its name end in \.gz"),
    "header": (WHOLE[:9], "truncated: its header has 9 bytes, 16 were due"),
    "body": (WHOLE[:-1], "truncated: it has 39 bytes, 40 were due for 2 x 4 x 3"),
    "more": (WHOLE + b"\0", "there are more bytes than the 40 that its header announces"),
    "huge": (
        WHOLE[:4] + struct.pack(">3I", 2**31, 2**31, 9),
        "truncated: it has 16 bytes, 41505174165846491152 were due",
    ),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused(tmp_path, content, message):
    path = tmp_path / "broken-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken-ubyte: .*{message}"):
        read_idx(path)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "cut-ubyte"
    for size in range(len(WHOLE)):
        path.write_bytes(WHOLE[:size])
        with pytest.raises(ValueError, match=r"truncated|magic"):
            read_idx(path)


def test_every_truncation_of_a_compressed_file_is_refused(tmp_path):
    path, whole = tmp_path / "cut-ubyte.gz", gzip.compress(WHOLE)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"truncated|magic"):
            read_idx(path)


def test_every_flipped_byte_of_compressed_images_is_refused(tmp_path):
    path, whole = tmp_path / "flip-ubyte.gz", gzip.compress(WHOLE, mtime=0)
    for position in range(10, len(whole)):  # the first 10 are gzip's own header, with time and system
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
        with pytest.raises(ValueError, match=r"flip-ubyte\.gz: .*(truncated|magic|more bytes)"):
            read_idx(path)


def test_a_truncated_compressed_file_tells_how_much_is_there(tmp_path, idx_bytes):
    content = idx_bytes(np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8))
    path = tmp_path / "cut-ubyte.gz"
    path.write_bytes(gzip.compress(content)[:50_000])
    with pytest.raises(ValueError, match=r"truncated: it has (\d+) bytes, 78416 were due for 100 x 28 x 28") as caught:
        read_idx(path)
    assert 40_000 < int(str(caught.value).split("it has ")[1].split()[0]) < 60_000


def test_images_and_labels_must_be_as_many(tmp_path, write_folder, idx_bytes):
    write_folder(tmp_path, packed=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(11, np.uint8)))
    with pytest.raises(ValueError, match=r"train-images.* holds 12 images, but .*train-labels.* holds 11 labels"):
        tg.data.load(tmp_path)


def test_images_and_labels_interchanged(tmp_path, write_folder):
    write_folder(tmp_path, packed=False)
    pair = [tmp_path / f"train-{kind}" for kind in ("labels-idx1-ubyte", "images-idx3-ubyte")]
    with pytest.raises(ValueError, match=r"wrong magic number for images: .* are the two files interchanged\?"):
        tg.data.load(pair)


def test_missing_files_are_named(tmp_path, write_folder):
    write_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"train-labels-idx1-ubyte\[\.gz\] are due; there is t10k-images"):
        tg.data.load(tmp_path)
    with pytest.raises(ValueError, match="needs its labels too; give a pair of files"):
        tg.data.load(tmp_path / "train-images-idx3-ubyte.gz")


def test_one_class_alone_is_refused(tmp_path, write_folder, idx_bytes):
    write_folder(tmp_path, packed=False)
    for part, count in (("train", 12), ("t10k", 5)):
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.full(count, 7, np.uint8)))
    with pytest.raises(ValueError, match=r"one class alone \('7'\)"):
        tg.data.load(tmp_path)
