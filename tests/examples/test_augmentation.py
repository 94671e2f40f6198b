"""The examples about augmentation and adversarial examples."""

import importlib.util
from pathlib import Path

PLOT = importlib.util.find_spec("matplotlib") is not None


def test_augmentation(measure):
    found = measure("augmentation")(0, epochs=15)
    assert found["train error, augmented"] > found["train error, plain"]
    assert found["test error, augmented"] < 0.2
    assert found["gap, plain"] == found["test error, plain"] - found["train error, plain"]


def test_sheet_of_augmentations(tmp_path, monkeypatch):
    if PLOT:
        import runpy

        monkeypatch.chdir(tmp_path)
        example = Path(__file__).parents[2] / "examples/augmentation.py"
        runpy.run_path(str(example), run_name="augmentation")["draw"]()
        assert Path("augmentation.png").stat().st_size > 50_000


def test_adversarial(printed, number):
    out = printed("adversarial")
    assert "score -4.0; x + 0.2 w: 1.6; x + 0.2 sign(w): -1.6" in out
    assert "at eps = 0.1429 along w, and at 0.3333 along its signs" in out
    assert "towards 4, staying near: score 3.4667" in out
    attacked, restored = (
        number(rf"\naccuracy, attacked{more}: ([0-9.]+)%", out) for more in ("", ", trained on attacks")
    )
    assert attacked < 30 < 60 < restored
    assert number(r"as a black box ([0-9.]+)%", out) < 40
    assert Path("adversarial.png").exists() == PLOT


def test_adversarial_detector(printed, number):
    out = printed("adversarial_detector")
    assert number(r"caught, attack: ([0-9.]+)%", out) > 95
    assert number(r"caught, joint attack: ([0-9.]+)%", out) < 50
    assert Path("adversarial_detector.png").exists() == PLOT
