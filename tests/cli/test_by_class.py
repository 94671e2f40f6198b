"""`twingrad evaluate --by-class`."""

from __future__ import annotations

import json

import numpy as np
import pytest

import twingrad as tg
from twingrad.analysis import class_report
from twingrad.train import load_model, predict


@pytest.fixture
def trained(call, quick, tmp_path):
    def train(*options):
        code, _, err = call("train", *quick, "--quiet", "--out", "run", *options)
        assert code == 0, err
        return load_model(tmp_path / "run")

    return train


def test_each_class_with_its_interval(call, trained):
    model, test = trained(), tg.data.load("digits").split(seed=0).test
    code, out, _ = call("evaluate", "run", "--part", "test", "--by-class")
    wanted = class_report(test.y, predict(model, test.x), test.classes)
    assert code == 0
    assert out.endswith(f"\ntest, with 95% intervals\n{wanted}\n")
    found = json.loads(call("evaluate", "run", "--by-class", "--json")[1])["parts"]
    assert set(found) == {"train", "dev", "test"}
    assert found["test"] | wanted.to_dict() == found["test"]
    low, high = found["test"]["accuracy_interval"]
    assert low < found["test"]["accuracy"] < high
    assert np.sum(found["train"]["confusion"]) == found["train"]["examples"]


def test_classes_are_matched_by_name(call, trained, tmp_path):
    rows = [f"{i % 2 + i / 100},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    trained("--data", "t.csv", "--target", "y", "--epochs", "200", "--lr", "0.05", "--batch-size", "16")
    (tmp_path / "new.csv").write_text("x,y\n1.2,b\n1.1,b\n0.2,a\n1.3,a\n")
    found = json.loads(call("evaluate", "run", "--data", "new.csv", "--by-class", "--json")[1])["parts"]["all"]
    assert found["confusion"] == [[1, 1], [0, 2]]
    assert found["classes"]["b"]["precision"] == pytest.approx(2 / 3)
    assert found["classes"]["a"]["recall"] == 0.5


def test_classes_that_are_gone_from_the_data_are_still_the_models(call, trained, tmp_path):
    rows = [f"{i % 3 + i / 100},{'abc'[i % 3]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    trained("--data", "t.csv", "--target", "y", "--batch-size", "16")
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *(row for row in rows if "a" not in row)]) + "\n")
    code, out, err = call("evaluate", "run", "--by-class", "--json")
    assert "has changed since training" in err
    found = json.loads(out)["parts"]["test"]
    assert code == 0
    assert [found["classes"][name]["examples"] for name in "abc"] == [0, 4, 4]


def test_labels(call, trained, tmp_path):
    rows = [f"{i % 2},{i // 2 % 2},{i % 2},{i // 2 % 2}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["p,q,sick,treated", *rows]) + "\n")
    trained("--data", "t.csv", "--target", "sick,treated", "--batch-size", "16")
    code, out, _ = call("evaluate", "run", "--part", "train", "--by-class")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[-3:-1]] == ["sick", "treated"]
    assert "all labels right" in out


def test_labels_of_which_some_are_missing(call, trained, tmp_path):
    rows = [f"{i % 2},{i // 2 % 2},{i % 2},{i // 2 % 2 if i % 3 else ''}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["p,q,sick,treated", *rows]) + "\n")
    trained("--data", "t.csv", "--target", "sick,treated", "--task", "multi-label", "--batch-size", "16")
    found = json.loads(call("evaluate", "run", "--by-class", "--json")[1])["parts"]
    counts = [sum(part["classes"][name]["examples"] for part in found.values()) for name in ("sick", "treated")]
    assert counts == [30, 20]
    for part in found.values():
        low, high = part["exact_match_interval"]
        assert low <= part["exact_match"] <= high


def test_a_regression_has_no_classes(call, trained, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{i + 0.5}\n" for i in range(40)))
    trained("--data", "t.csv", "--target", "y", "--batch-size", "16")
    code, out, err = call("evaluate", "run", "--by-class")
    assert (code, out) == (2, "")
    assert err == "twingrad evaluate: error: --by-class does not apply to a regression, which has no classes\n"
