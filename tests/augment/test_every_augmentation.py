"""What holds for every augmentation: one answer on every library, a function of (seed, step, example), x untouched."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import twingrad as tg
from twingrad import augment as A
from twingrad.augment.draws import Draws

from augmentations import ALL, EXACT, GREY, batch, same_on_all

NAMES = sorted(ALL)


def test_every_augmentation_has_a_row():
    def parts(augmentation):
        inner = [*getattr(augmentation, "parts", ()), *filter(None, [getattr(augmentation, "augmentation", None)])]
        return {type(augmentation)}.union(*map(parts, inner))

    public = [getattr(A, name) for name in A.__all__ if inspect.isclass(getattr(A, name))]
    assert set(public) - {A.Augmentation} == set().union(*(parts(augmentation) for augmentation, _ in ALL.values()))


@pytest.mark.parametrize("name", NAMES)
def test_every_library_gives_numpys_numbers(library, name):
    change, shape = ALL[name]
    wanted = change(batch(shape), seed=11, step=3)
    x = library.asarray(batch(shape), "float32")
    found = change(x, seed=11, step=3)
    assert found.dtype == x.dtype
    same_on_all(name, library.numpy(found), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_the_input_stays_and_the_result_is_new(name):
    change, shape = ALL[name]
    x = batch(shape)
    before = x.copy()
    found = change(x, seed=1)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(found, x)


@pytest.mark.parametrize("name", NAMES)
def test_equal_keys_give_equal_bits_and_others_do_not(name):
    change, shape = ALL[name]
    x = batch(shape)
    first = change(x, seed=1, step=2)
    np.testing.assert_array_equal(first, change(x, seed=1, step=2))
    others = [change(x, seed=2, step=2), change(x, seed=1, step=3), change(x, seed=1, step=2, path="1.")]
    assert all((first != other).any() for other in others)


@pytest.mark.parametrize("name", sorted(EXACT))
def test_an_example_does_not_depend_on_those_after_it(name):
    change, shape = ALL[name]
    x = batch(shape)
    np.testing.assert_array_equal(change(x, seed=1)[:2], change(x[:2], seed=1))


@pytest.mark.parametrize("name", NAMES)
def test_float64_is_the_same_picture(name):
    change, shape = ALL[name]
    found = change(batch(shape, "float64"), seed=3)
    assert found.dtype == np.float64
    np.testing.assert_allclose(change(batch(shape), seed=3), found, atol=2e-5)


WITH_GRADIENT = [name for name in NAMES if "colour" not in name and name != "band stop"]  # that is complex within


@pytest.mark.parametrize("name", WITH_GRADIENT)
def test_gradients_pass_through(name):
    change, shape = ALL[name]
    x = batch(shape, "float64") * 0.5 + 0.25
    weight = batch(change(x, seed=3).shape, "float64")
    report = tg.check_grads(lambda x: tg.xp.sum(change(x, seed=3) * weight), x)
    assert report.ok, report


def test_the_parts_of_a_composition_draw_for_themselves():
    x = batch((400, 7, 7))
    twice = A.Compose(A.Shift(1), A.Shift(1))(x, seed=1)
    moved_by_two = [(a[2:] == b[:-2]).all() or (a[:-2] == b[2:]).all() for a, b in zip(twice, x, strict=True)]
    assert 0 < sum(moved_by_two) < 200  # with shared draws, two thirds of them


def test_a_composition_of_nothing_changes_nothing():
    np.testing.assert_array_equal(A.Compose()(batch(GREY)), batch(GREY))


@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 20, 2), (9, 20, 5), (9, 20, 3, 1)])
def test_narrow_images_are_batches_where_they_cannot_be_one_image(shape):
    assert A.Rotate(9)(batch(shape)).shape == shape


def test_a_composition_of_crops_stays_flat():
    assert A.Compose(A.Crop(4, 4), shape=(8, 8))(batch((3, 64))).shape == (3, 16)


def test_chances_are_as_asked():
    draws = Draws(np.zeros((20000, 1, 1)), 0, 0, "here")
    for p in (0.0, 0.1, 0.5, 1.0):
        assert draws.chosen(p).mean() == pytest.approx(p, abs=0.012)
    counts = np.bincount(draws.integers(-2, 2) + 2)
    assert len(counts) == 5
    assert counts.min() > 3700
    numbers = draws.uniform((40000,))
    assert (numbers > 0).all()
    assert (numbers < 1).all()
    assert numbers.mean() == pytest.approx(0.5, abs=0.006)


@pytest.mark.oracle
def test_normal_draws_are_normal():
    stats = pytest.importorskip("scipy.stats", reason="SciPy (extra `oracle`) is not installed")
    for dtype in (np.float32, np.float64):
        drawn = Draws(np.zeros((1, 1), dtype), 4, 0, "n").normal((20000,))
        assert drawn.dtype == dtype
        assert stats.kstest(drawn, "norm").pvalue > 0.01


BAD = {
    "Flip: direction is one of vertical, horizontal; got 'up'": lambda: A.Flip("up"),
    "Flip: p must lie in [0, 1]; got 1.5": lambda: A.Flip(p=1.5),
    "Sometimes: p must lie in [0, 1]; got -0.1": lambda: A.Sometimes(A.Flip(), -0.1),
    "Shift: pixels must be at least 0; got -1": lambda: A.Shift(-1),
    "Shift: pixels must be an int; got 1.5": lambda: A.Shift(1.5),
    "Crop: height must be at least 1; got 0": lambda: A.Crop(0, 1),
    "Crop: the window (9, 2) must fit into the padded image (7, 6)": lambda: A.Crop(9, 2)(batch(GREY)),
    "Zoom: low must be a finite number above 0; got 0": lambda: A.Zoom(0, 1),
    "Zoom must be two finite numbers (low, high), low <= high; got (2, 1)": lambda: A.Zoom(2, 1),
    "Rotate: degrees must be a finite number of at least 0; got nan": lambda: A.Rotate(float("nan")),
    "Elastic: sigma must be a finite number above 0; got 0": lambda: A.Elastic(1, 0),
    "Elastic: alpha must be a finite number of at least 0; got -1": lambda: A.Elastic(-1, 1),
    "Noise: std must be a finite number of at least 0; got -1": lambda: A.Noise(-1),
    "Noise: limits must be two finite numbers (low, high), low <= high; got (1, 0)": lambda: A.Noise(1, (1, 0)),
    "Blur: low must be a finite number of at least 0; got -1": lambda: A.Blur(-1, 1),
    "Contrast: amount must be at most 1, or factors would be negative; got 1.5": lambda: A.Contrast(1.5),
    "looks like one image (H, W, C): give a batch of it, x[None]; grey images 3 wide go in as (N, H, W, 1)": (
        lambda: A.Rotate(9)(batch((32, 32, 3)))
    ),
    "Saturation: x must be (N, H, W, C); (9, 8, 3) looks like one image (H, W, C): give a batch of it, x[None]": (
        lambda: A.Saturation(1)(batch((9, 8, 3)))
    ),
    "got (5, 9); Compose(..., shape=(H, W)) takes flat examples, x[None] is a batch of one image": lambda: A.Flip()(
        batch((5, 9))
    ),
    "Saturation: x must be (N, H, W, C); got (5, 7, 6)": lambda: A.Saturation(1)(batch(GREY)),
    "Saturation: x must be (N, H, W, 3), red, green and blue; got (1, 2, 2, 1)": lambda: A.Saturation(1)(
        batch((1, 2, 2, 1))
    ),
    "Flip: x must be (N, H, W) or (N, H, W, C); got (2, 64); Compose(..., shape=(H, W)) takes": lambda: A.Flip()(
        batch((2, 64))
    ),
    "Flip: x must be float32 or float64; got float16: cast it first": lambda: A.Flip()(batch(GREY, "float16")),
    "Flip: x must be float32 or float64; got uint8: divide bytes by 255 first": lambda: A.Flip()(
        np.zeros((1, 2, 2), np.uint8)
    ),
    "Compose: part 1 must be an Augmentation, such as Flip(); got 'blur'": lambda: A.Compose(A.Flip(), "blur"),
    "Compose: shape=(8, 8) is for x (N, 64); got (5, 7, 6)": lambda: A.Compose(shape=(8, 8))(batch(GREY)),
    "Compose: shape must be that of one example, such as (28, 28); got 64": lambda: A.Compose(shape=64),
    "Compose: a size in shape must be at least 1; got -8": lambda: A.Compose(shape=(8, -8)),
    "Sometimes: augmentation must be an Augmentation, such as Flip(); got 'flip'": lambda: A.Sometimes("flip"),
    "Shift: fill must be a finite number; got nan": lambda: A.Shift(1, fill=float("nan")),
    "Brightness: limits must be None or two numbers (low, high); got 1": lambda: A.Brightness(0.5, limits=1),
    "Noise: limits must be None or two numbers (low, high); got (0, 0.5, 1)": lambda: A.Noise(0.5, (0, 0.5, 1)),
    "expected an array that follows the array API standard, got list": lambda: A.MixNoise(0, 1, [[0.5]]),
    "step must be an integer in [0, 2**32), got 1.5": lambda: A.Shift(1)(batch(GREY), step=1.5),
    "makes (5, 2, 2) of (5, 7, 6); it must keep it": lambda: A.Sometimes(A.Crop(2, 2))(batch(GREY)),
    "Gain must be two finite numbers (low, high), low <= high; got (1, 0)": lambda: A.Gain(1, 0),
    "MixNoise: noise must be (M, S), recordings of S samples; got (4,)": lambda: A.MixNoise(0, 1, np.zeros(4)),
    "MixNoise: recordings must be at least as long as x, 9 samples; got 4": lambda: A.MixNoise(0, 1, np.ones((1, 4)))(
        batch((2, 9))
    ),
    "BandStop: rate must be a finite number above 0; got 0": lambda: A.BandStop(1, 0, 2, rate=0),
    "BandStop: high must be at most half the rate, 4; got 5": lambda: A.BandStop(1, 0, 5, rate=8),
    "BandStop: width must lie in (0, 2], from low to high; got 3": lambda: A.BandStop(3, 1, 3, rate=8),
    "seed must be an integer in [0, 2**64), got -1": lambda: A.Shift(1)(batch(GREY), seed=-1),
    "step must be an integer in [0, 2**32)": lambda: A.Shift(1)(batch(GREY), step=2**32),
}


@pytest.mark.parametrize("told", BAD)
def test_bad_input(told):
    with pytest.raises((ValueError, TypeError)) as raised:
        BAD[told]()
    assert told in str(raised.value)
