"""Fashion-MNIST: where it is looked for, and Debian's package where it is installed."""

import os

import numpy as np
import pytest

import twingrad as tg
from twingrad.data import fashion_mnist


def test_the_variable_names_further_folders(tmp_path, monkeypatch, write_folder):
    write_folder(tmp_path / "fashion-mnist")
    monkeypatch.setenv("TWINGRAD_DATA", f"{tmp_path / 'nothing'}{os.pathsep}{tmp_path}")
    data = tg.data.load("fashion-mnist")
    assert (len(data), data.own_test, data.name) == (17, 5, "fashion-mnist")
    assert (data.classes[0], data.classes[9]) == ("T-shirt/top", "Ankle boot")


def test_absent_it_names_the_package_and_the_alternative(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "none")
    monkeypatch.delenv("TWINGRAD_DATA", raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        tg.data.load("fashion-mnist")
    for text in ("Debian's package dataset-fashion-mnist", "--data FOLDER", str(tmp_path / "none"), "TWINGRAD_DATA"):
        assert text in str(caught.value)


def test_labels_beyond_the_ten_are_refused(tmp_path, monkeypatch, write_folder, idx_bytes):
    write_folder(tmp_path / "fashion-mnist", packed=False)
    labels = tmp_path / "fashion-mnist" / "train-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(np.arange(12, dtype=np.uint8)))
    monkeypatch.setenv("TWINGRAD_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 10\); row 10 has label 10"):
        tg.data.load("fashion-mnist")


@pytest.fixture(scope="module")
def debian():
    if not fashion_mnist.DEBIAN.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    return tg.data.load("fashion-mnist")


def test_debian_s_package(debian):
    assert (debian.x.shape, debian.x.dtype, debian.own_test) == ((70_000, 28, 28), np.uint8, 10_000)
    assert np.bincount(debian.y).tolist() == [7000] * 10


def test_its_test_part_stays_and_dev_is_carved_from_train(debian):
    split = debian.split(seed=3)
    assert [len(part) for part in split] == [54_000, 6_000, 10_000]
    np.testing.assert_array_equal(split.test.x, debian.x[60_000:])
    assert np.bincount(split.dev.y).tolist() == [600] * 10
    with pytest.raises(ValueError, match=r"their own \(10000 examples\); leave the share of test out"):
        debian.split(0.6, 0.2, 0.2)


def test_its_pixels_become_float32_in_the_unit_interval(debian):
    parts, preprocessing = tg.data.prepare(debian.split(seed=0))
    assert (preprocessing.scaling, preprocessing.width) == ("pixels", 784)
    assert (parts.train.x.shape, parts.train.x.dtype) == ((54_000, 784), np.float32)
    assert (parts.train.x.min(), parts.train.x.max()) == (0, 1)
