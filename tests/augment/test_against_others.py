"""Augmentations beside SciPy's, PIL's and plain NumPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from twingrad import augment as A
from twingrad.augment.draws import Draws
from twingrad.augment.geometry import affine, turns
from twingrad.augment.sampling import bilinear, example_sum, gaussian, mirrored
from twingrad.random import normal, uniform

X = uniform((6, 9, 7), seed=1, stream=0)
RGB = uniform((6, 9, 7, 3), seed=2, stream=0)

pytestmark = pytest.mark.oracle
ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy (extra `oracle`) is not installed")
OUTSIDE = {"order": 1, "mode": "grid-constant"}


def drawn(name, x=X, seed=3, step=2):
    """The draws that an augmentation of that name takes."""
    return Draws(x, seed, step, name)


def test_rotations_are_scipys():
    angles = drawn("Rotate").each(-40, 40)
    assert np.ptp(angles) > 20
    found = A.Rotate(40, fill=0.3)(X, seed=3, step=2)
    for image, angle, turned in zip(X, angles, found, strict=True):
        wanted = ndimage.rotate(image, angle, reshape=False, cval=0.3, **OUTSIDE)
        np.testing.assert_allclose(turned, wanted, atol=1e-12)


def test_positive_angles_turn_counter_clockwise_as_pils():
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    small = np.arange(9.0).reshape(1, 3, 3)
    wanted = np.asarray(pil.fromarray(small[0].astype(np.uint8)).rotate(90))
    np.testing.assert_allclose(affine(small, turns(np.array([90.0])))[0], wanted, atol=1e-12)


def test_zooms_are_scipys():
    draws = drawn("Zoom")
    height, width = draws.each(0.6, 1.7), draws.each(0.6, 1.7)
    found = A.Zoom(0.6, 1.7, stretch=True, fill=-1.0)(X, seed=3, step=2)
    middle = (np.array(X.shape[1:]) - 1) / 2
    for image, h, w, zoomed in zip(X, height, width, found, strict=True):
        inverse = np.array([1 / h, 1 / w])
        wanted = ndimage.affine_transform(image, inverse, middle - inverse * middle, cval=-1.0, **OUTSIDE)
        np.testing.assert_allclose(zoomed, wanted, atol=1e-12)


def test_a_zoom_by_two_is_the_middle_of_scipys_enlarged_image():
    x = X[:, :8, :6]
    for image, zoomed in zip(x, A.Zoom(2, 2)(x), strict=True):
        wanted = ndimage.zoom(image, 2, grid_mode=True, **OUTSIDE)[4:12, 3:9]
        np.testing.assert_allclose(zoomed, wanted, atol=1e-12)


def test_elastic_distortion_is_scipys():
    draws = drawn("Elastic")
    noise = [2 * draws.uniform(X.shape) - 1 for _ in range(2)]
    found = A.Elastic(alpha=9.0, sigma=1.7, fill=0.1)(X, seed=3, step=2)
    grid = np.meshgrid(np.arange(9.0), np.arange(7.0), indexing="ij")
    for i, image in enumerate(X):
        moved = [ndimage.gaussian_filter(field[i], 1.7, mode="reflect") * 9.0 for field in noise]
        assert max(np.abs(field).max() for field in moved) > 1
        wanted = ndimage.map_coordinates(image, [g + m for g, m in zip(grid, moved, strict=True)], cval=0.1, **OUTSIDE)
        np.testing.assert_allclose(found[i], wanted, atol=1e-12)


@pytest.mark.parametrize("x", [X, RGB], ids=["grey", "colour"])
def test_blurs_are_scipys(x):
    sigmas = drawn("Blur", x).each(0.2, 3.0)
    for image, sigma, blurred in zip(x, sigmas, A.Blur(0.2, 3.0)(x, seed=3, step=2), strict=True):
        np.testing.assert_allclose(blurred, ndimage.gaussian_filter(image, sigma, axes=(0, 1)), atol=1e-12)


def test_no_blur_is_no_change():
    np.testing.assert_array_equal(A.Blur(0, 0)(X), X)
    assert gaussian(np.array([0.0, 1.0])).shape == (2, 9)


def test_interpolation_is_scipys_map_coordinates():
    places = 14 * uniform((2, 6, 5, 4), seed=4, stream=0) - 3
    for i, found in enumerate(bilinear(X, places[0], places[1], 0.7)):
        wanted = ndimage.map_coordinates(X[i], places[:, i], cval=0.7, **OUTSIDE)
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_places_far_outside_are_filled():
    far = np.full((6, 1, 1), 1e30)
    np.testing.assert_array_equal(bilinear(X, far, -far, 0.5), np.full((6, 1, 1), 0.5))


@pytest.mark.parametrize("x", [X, RGB], ids=["grey", "colour"])
def test_shifts_are_scipys(x):
    draws = drawn("Shift", x)
    down, right = draws.integers(-3, 3), draws.integers(-3, 3)
    assert len(set(down)) > 2
    for image, i, j, moved in zip(x, down, right, A.Shift(3, fill=0.2)(x, seed=3, step=2), strict=True):
        wanted = ndimage.shift(image, (i, j, 0)[: image.ndim], order=0, cval=0.2)
        np.testing.assert_array_equal(moved, wanted)


def test_crops_are_windows_of_the_padded_image():
    draws = drawn("Crop", RGB)
    top, left = draws.integers(0, 9 + 4 - 5), draws.integers(0, 7 + 4 - 6)
    found = A.Crop(5, 6, pad=2, fill=0.5)(RGB, seed=3, step=2)
    for image, i, j, part in zip(RGB, top, left, found, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=0.5)
        np.testing.assert_array_equal(part, padded[i : i + 5, j : j + 6])


@pytest.mark.parametrize(("direction", "axis"), [("vertical", 0), ("horizontal", 1)])
def test_flips_are_numpys(direction, axis):
    found = A.Flip(direction)(RGB, seed=4, step=2)
    flipped = [np.array_equal(a, np.flip(b, axis)) for a, b in zip(found, RGB, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(found, RGB, strict=True)]
    assert [not each for each in kept] == flipped
    assert 0 < sum(flipped) < 6


@pytest.mark.parametrize("name", ["Brightness", "Contrast", "Color"])
def test_brightness_contrast_and_saturation_are_pils(name):
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    enhance = pytest.importorskip("PIL.ImageEnhance", reason="Pillow is not installed")
    ours = {"Color": "Saturation"}.get(name, name)
    pixels = np.round(RGB * 255).astype(np.uint8)
    factors = drawn(ours, RGB).each(0.2, 1.8)
    found = getattr(A, ours)(0.8)(pixels / 255.0, seed=3, step=2)
    for image, factor, changed in zip(pixels, factors, found, strict=True):
        wanted = np.asarray(getattr(enhance, name)(pil.fromarray(image)).enhance(factor))
        np.testing.assert_allclose(changed * 255, wanted, atol=2.01)  # PIL rounds the mean or the grey, and the result


def test_grey_is_pils():
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = np.round(RGB[0] * 255).astype(np.uint8)
    grey = A.Saturation(0).dull(pixels[None] / 255.0)[0, :, :, 0]
    np.testing.assert_allclose(grey * 255, np.asarray(pil.fromarray(pixels).convert("L")), atol=0.51)


def test_zero_amount_leaves_all():
    np.testing.assert_allclose(A.Saturation(0.0)(RGB), RGB, atol=1e-12)
    np.testing.assert_allclose(A.Contrast(0.0)(RGB), RGB, atol=1e-12)
    np.testing.assert_array_equal(A.Brightness(0.0)(RGB), RGB)


def test_noise_has_its_deviation_and_its_limits():
    x = np.full((50, 20, 20), 0.5)
    found = A.Noise(0.1)(x, seed=1)
    assert found.mean() == pytest.approx(0.5, abs=0.003)
    assert found.std() == pytest.approx(0.1, rel=0.02)
    cut = A.Noise(1.0, limits=(0.2, 0.8))(x, seed=1)
    assert (cut.min(), cut.max()) == (0.2, 0.8)


def decibels(signal, noise):
    return 10 * np.log10((signal**2).mean(axis=1) / (noise**2).mean(axis=1))


@pytest.mark.parametrize("recorded", [None, normal((4, 500), seed=8, stream=0) * 3], ids=["white", "recorded"])
def test_noise_is_mixed_at_the_ratio_that_was_drawn(recorded):
    x = np.sin(np.arange(400) / 7) * np.array([[0.1], [1.0], [5.0]])
    wanted = drawn("MixNoise", x).each(-5, 25)
    found = A.MixNoise(-5, 25, recorded)(x, seed=3, step=2)
    np.testing.assert_allclose(decibels(x, found - x), wanted, atol=1e-9)


def test_recorded_noise_is_a_part_of_a_recording():
    recorded = normal((4, 50), seed=8, stream=0)
    x = uniform((40, 30), seed=6, stream=0)
    noise = A.MixNoise(0, 0, recorded)(x, seed=3) - x
    parts = np.stack([row[i : i + 30] for row in recorded for i in range(21)])
    alike = (noise @ parts.T) / np.outer(np.linalg.norm(noise, axis=1), np.linalg.norm(parts, axis=1))
    assert (alike.max(axis=1) > 1 - 1e-9).all()
    assert len(set(alike.argmax(axis=1))) > 20


def test_silence_stays_silent():
    np.testing.assert_array_equal(A.MixNoise()(np.zeros((2, 8))), np.zeros((2, 8)))
    x = uniform((2, 8), seed=6, stream=0)
    np.testing.assert_array_equal(A.MixNoise(noise=np.zeros((1, 8)))(x), x)


def test_gain_is_in_decibels():
    x = uniform((5, 20), seed=6, stream=0)
    wanted = drawn("Gain", x).each(-6, 6)
    found = A.Gain()(x, seed=3, step=2)
    np.testing.assert_allclose(20 * np.log10(found / x), wanted[:, None] * np.ones(20), atol=1e-9)


def test_a_band_is_taken_out_and_the_rest_stays():
    t = np.arange(200) / 100.0  # 2 s at 100 Hz: bins every 0.5 Hz
    inside, outside = np.sin(2 * np.pi * 12 * t), np.sin(2 * np.pi * 30 * t)
    found = A.BandStop(4.0, 10.0, 14.0, rate=100.0)((inside + outside)[None])[0]
    np.testing.assert_allclose(found, outside, atol=1e-12)


def test_the_band_lies_where_it_was_drawn():
    x = normal((6, 128), seed=1, stream=0)
    start = drawn("BandStop", x).each(5.0, 45.0)
    spectrum = np.abs(np.fft.rfft(A.BandStop(10.0, 5.0, 55.0, rate=128.0)(x, seed=3, step=2)))
    for line, first in zip(spectrum, start, strict=True):
        bins = np.arange(65.0)
        np.testing.assert_array_equal(line < 1e-9, (bins >= first) & (bins <= first + 10))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 99])
def test_sums_in_halves_are_sums(n):
    x = normal((4, n), seed=n, stream=0)
    np.testing.assert_allclose(example_sum(x), [math.fsum(row) for row in x], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_mirrored_ends_are_numpys_symmetric_padding(size):
    wanted = np.pad(np.arange(size), 7, mode="symmetric")
    for offset in range(-7, 8):
        np.testing.assert_array_equal(mirrored(size, offset), wanted[7 + offset :][:size])
