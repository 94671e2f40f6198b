"""The course's splits, stratified and by source, and the splits that are refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import twingrad as tg
from twingrad.data import SPLITS, Dataset
from twingrad.data.splitting import order_of

SIZES = {
    ("60/20/20", 10_000): [6000, 2000, 2000],
    ("70/30", 1000): [700, 0, 300],
    ("98/1/1", 1_000_000): [980_000, 10_000, 10_000],
    ("99.5/0.25/0.25", 1_000_000): [995_000, 2500, 2500],
    ("99.5/0.4/0.1", 1_000_000): [995_000, 4000, 1000],
}


@pytest.mark.parametrize("case", SIZES, ids=str)
def test_the_five_splits_of_the_course(case):
    name, n = case
    data = Dataset(np.zeros((n, 1), np.int8), np.arange(n) % 2)
    assert [len(part) for part in data.split(*SPLITS[name])] == SIZES[case]


def test_there_are_five_and_each_sums_to_one():
    assert list(SPLITS) == ["70/30", "60/20/20", "98/1/1", "99.5/0.25/0.25", "99.5/0.4/0.1"]
    for name, shares in SPLITS.items():
        assert sum(shares) == pytest.approx(1)
        assert [share for share in shares if share] == pytest.approx([float(each) / 100 for each in name.split("/")])


@pytest.mark.oracle
def test_stratified_as_scikit_learn_does():
    selection = pytest.importorskip("sklearn.model_selection", reason="scikit-learn (extra `oracle`) is not installed")
    y = np.repeat([0, 1, 2], [600, 300, 100])
    parts = Dataset(np.zeros((1000, 1)), y).split(0.7, 0, 0.3, seed=1)
    wanted = selection.train_test_split(y, test_size=0.3, stratify=y, random_state=1)
    for part, theirs in zip((parts.train, parts.test), wanted, strict=True):
        assert np.bincount(part.y).tolist() == np.bincount(theirs).tolist()
    plain = Dataset(np.zeros((1000, 1)), y).split(0.7, 0, 0.3, seed=1, stratify=False)
    assert np.bincount(plain.test.y).tolist() != np.bincount(parts.test.y).tolist()
    assert len(plain.test) == 300


@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.integers(0, 3))
def test_prefixes_hold_their_shares(counts, seed):
    """To within 1/2 + s C/2 examples; one where all C classes are equally large."""
    counts, n = np.asarray(counts), sum(counts)
    y = np.repeat(np.arange(len(counts)), counts)
    taken = np.cumsum(np.eye(len(counts))[y[order_of(y, seed, True)]], axis=0)
    away = np.abs(taken - np.arange(1, n + 1)[:, None] * counts / n).max(axis=0)
    assert (away <= 0.5 + counts / n * len(counts) / 2 + 1e-9).all()


def classes(*counts):
    y = np.repeat(np.arange(len(counts)), counts)
    return Dataset(np.zeros((len(y), 1)), y, classes=[f"c{i}" for i in range(max(2, len(counts)))])


BAD = {
    "a class with one member": (
        classes(30, 1, 30),
        {},
        "class 'c1' has 1 example, and stratification needs at least",
    ),
    "an empty dev part": (classes(100, 100), {"train": 0.7, "dev": 0.001}, "dev would hold none of the 200 examples"),
    "an empty train part": (classes(100, 100), {"train": 0.001, "dev": 0.5}, "train would hold none of the 200"),
    "a dev part of one class": (
        classes(100, 2),
        {"train": 0.9, "dev": 0.05},
        r"dev would hold class 'c0' alone, in 5 of 102 examples; each part needs two classes or more",
    ),
    "data of one class": (classes(50), {}, "all 50 examples are of class 'c0', and a classifier needs two classes"),
    "a negative share": (classes(50, 50), {"train": -0.2, "dev": 0.6}, "shares must be at least 0 and sum to 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_splits_that_are_refused(case):
    data, shares, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        data.split(**shares)


def test_a_class_with_one_member_is_split_without_stratification_or_into_one_part():
    data = classes(30, 1, 30)
    assert sum(len(part) for part in data.split(stratify=False)) == 61
    assert len(data.split(1, 0, 0).train) == 61


def speech(others=500, own=20):
    """In thousands in the course: 500 from elsewhere, 20 from the car."""
    n = others + own
    return Dataset(np.arange(float(n))[:, None], np.arange(n) % 2), np.where(np.arange(n) < others, "web", "car")


def test_the_rear_view_mirror_of_the_course():
    """500K + 20K in 510K, 5K, 5K: dev and test are the target's alone, and half of it is learned from."""
    data, source = speech()
    parts = data.split_by_source(source, target="car", dev=0.25, test=5)
    assert [len(part) for part in parts] == [510, 0, 5, 5]
    assert min(parts.dev.x.min(), parts.test.x.min()) >= 500
    assert (parts.train.x >= 500).sum() == 10
    assert sum(len(part) for part in parts) == 520


@given(st.integers(0, 40), st.integers(8, 60), st.integers(0, 3), st.sampled_from([0, 4, 0.25, 0.5]))
def test_every_example_is_in_one_part_and_train_dev_is_as_train(others, own, seed, train_dev):
    data, source = speech(others, own)
    if len(source) - 6 < 16:
        train_dev = 0
    parts = data.split_by_source(source, target="car", dev=2, test=4, train_dev=train_dev, seed=seed)
    places = [part.x[:, 0].astype(int).tolist() for part in parts]
    assert sorted(itertools.chain(*places)) == list(range(len(source)))
    assert all(part == sorted(part) for part in places)
    assert min(places[2] + places[3]) >= others
    assert np.bincount(parts.dev.y).tolist() == [1, 1]
    if train_dev:
        assert abs(parts.train_dev.y.mean() - parts.train.y.mean()) <= 2 / len(parts.train_dev)
    again = data.split_by_source(source, target="car", dev=2, test=4, train_dev=train_dev, seed=seed)
    assert [part.x.tolist() for part in again] == [part.x.tolist() for part in parts]


def test_train_dev_has_its_share_of_each_source():
    data, source = speech(2000, 1000)
    parts = data.split_by_source(source, target="car", dev=100, test=100, train_dev=0.5)
    assert len(parts.train_dev) == 1400
    assert (parts.train_dev.x >= 2000).mean() == pytest.approx(800 / 2800, abs=0.04)  # three deviations


def test_halves_of_an_odd_number():
    data = Dataset(np.zeros((9, 1)), np.zeros(9))
    parts = data.split_by_source(["car"] * 3 + ["web"] * 6, target="car", dev=0.5, test=0.5)
    assert [len(part) for part in parts] == [6, 0, 2, 1]


def test_numbers_as_sources():
    data, source = speech(50, 20)
    parts = data.split_by_source((source == "car").astype(int), target=1, dev=4, test=4)
    assert (parts.dev.x >= 50).all()


WRONG = {
    "target": ({"target": "cra"}, "unknown source 'cra'; did you mean 'car'?"),
    "too many": ({"dev": 15, "test": 6}, r"dev and test take 15 \+ 6 of the 20 examples of source 'car'"),
    "count": ({"dev": 30}, "dev is a share from 0.0 to 1.0, or a count .* at most the 20 examples .* got 30"),
    "nan": ({"dev": float("nan")}, "dev is a share from 0.0 to 1.0.* got nan"),
    "no train": ({"train_dev": 1.0}, "nothing is left to train on: of 520 examples dev takes"),
    "share": ({"dev": 1.5}, "dev is a share from 0.0 to 1.0.* got 1.5"),
    "train_dev": ({"train_dev": -1}, "train_dev is a share .* examples left for training; got -1"),
    "empty": ({"dev": 0.01}, "dev would hold none"),
    "one class": ({"dev": 1}, "dev would hold class '.' alone, in 1 of 520 examples"),
    "source": ({"source": ["car"]}, r"source must be \(520,\), one for each example; got \(1,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_sources(case):
    options, message = WRONG[case]
    data, source = speech()
    with pytest.raises(ValueError, match=message):
        data.split_by_source(**({"source": source, "target": "car", "dev": 5, "test": 5} | options))


def test_fit_takes_the_parts():
    data = tg.data.load("digits")
    parts = data.split_by_source(np.arange(len(data)) % 3, target=0, dev=0.2, test=0.2, train_dev=0.1)
    model = tg.nn.Sequential(tg.nn.Linear(64, 10), seed=0)
    assert len(tg.fit(model, parts.train, dev=parts.dev, epochs=1, device="cpu")) == 1


def test_the_seed_draws_where_the_others_of_a_tiny_class_go():
    """Classes of two and of three beside a large one: each has one example in train at least, all parts have some."""
    y = np.concatenate([np.zeros(1000, int), np.repeat(np.arange(1, 21), 2), np.repeat(np.arange(21, 41), 3)])
    counts = np.zeros((3, 2), int)
    for seed in range(5):
        parts = Dataset(np.zeros((len(y), 1)), y).split(seed=seed)
        held = [np.bincount(part.y, minlength=41) for part in parts]
        assert held[0][1:].min() >= 1
        assert np.abs(np.asarray(held)[:, 0] - [600, 200, 200]).max() <= 20
        counts += [[each[1:21].sum(), each[21:].sum()] for each in held]
    assert counts.sum(axis=0).tolist() == [200, 300]
    assert counts[1:].min() >= 25  # dev and test both have of both
    again = [Dataset(np.zeros((len(y), 1)), y).split(seed=4).test.y for _ in range(2)]
    assert (again[0] == again[1]).all()
