"""`twingrad gradcheck`: every task, runs, exit codes, JSON, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradient_errors import doubled, in_backward

import twingrad as tg
from twingrad import functional as F
from twingrad.cli import main
from twingrad.train import load_model, save_model

from kernels_here import no_kernels

SMALL = ("--hidden", "7,5", "--batch-size", "12", "--device", "cpu")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Call `main` in an empty folder; returns exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A CSV file for each task, of 40 examples."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 3))
    targets = {
        "binary": (x[:, 0] > 0).astype(int)[:, None],
        "multi-class": (x[:, :1] > 0).astype(int) + (x[:, 1:2] > 0),
        "multi-label": (x[:, :2] > 0).astype(int),
        "regression": x[:, :1] + rng.normal(size=(40, 1)),
    }
    found = {}
    for task, y in targets.items():
        names = ",".join(["a", "b", "c", *[f"y{k}" for k in range(y.shape[1])]])
        lines = [",".join(map(str, row)) for row in np.concatenate([x, y.astype(object)], axis=1)]
        found[task] = tmp_path / f"{task}.csv"
        found[task].write_text("\n".join([names, *lines]) + "\n")
    return found


@pytest.mark.parametrize("task", ["binary", "multi-class", "multi-label", "regression"])
def test_every_task(call: Callable[..., Any], files: dict[str, Path], task: str) -> None:
    target = "y0,y1" if task == "multi-label" else "y0"
    options = ("--data", files[task], "--target", target, "--task", task, *SMALL, "--dropout", "0.3", "--batch-norm")
    code, out, err = call("gradcheck", *options, "--json", "--weight-decay", "0.1")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["task"] == task
    assert found["verdict"] == "great"
    assert found["examples"] == 12
    assert found["mode"] == "train"
    assert found["weight_decay"] == 0.1
    assert len(found["parameters"]) == 10


def test_the_table_after_some_training(call: Callable[..., Any]) -> None:
    code, out, _ = call("gradcheck", *SMALL, "--epochs", "1", "--class-weight", "balanced")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "digits: multi-class, cross_entropy of 12 examples"
    assert lines[1].startswith("gradient check: great, distance ")
    assert "448 of 448" in lines[3]
    assert "train mode; epsilon 1e-06" in lines[-1]


def test_directions_as_many_as_asked_for(call: Callable[..., Any]) -> None:
    found = json.loads(call("gradcheck", *SMALL, "--limit", "100", "--samples", "4", "--epsilon", "1e-5", "--json")[1])
    assert [each["directions"] for each in found["parameters"]][:2] == [True, False]
    assert found["parameters"][0]["lines"] == 4
    assert found["epsilon"] == 1e-5


def test_a_run_its_file_and_other_data(call: Callable[..., Any], files: dict[str, Path]) -> None:
    options = ("--data", files["binary"], "--target", "y0", *SMALL, "--epochs", "1", "--weight-decay", "0.05")
    assert call("train", *options, "--out", "run", "--quiet")[0] == 0
    before = {path: path.read_bytes() for path in Path("run").iterdir()}
    code, out, _ = call("gradcheck", "run", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["run"], found["task"], found["examples"], found["weight_decay"]) == ("run", "binary", 12, 0.05)
    assert json.loads(call("gradcheck", "run/model.safetensors", "--json")[1])["cost"] == found["cost"]
    other = json.loads(call("gradcheck", "run", "--data", files["binary"], "--batch-size", "30", "--json")[1])
    assert other["examples"] == 30
    assert json.loads(call("gradcheck", "run", "--eval", "--json")[1])["mode"] == "eval"
    assert {path: path.read_bytes() for path in Path("run").iterdir()} == before
    Path("alone").mkdir()
    save_model(load_model("run"), "alone/model.safetensors")
    code, _, err = call("gradcheck", "alone/model.safetensors")
    assert code == 2
    assert "name some with --data" in err
    assert call("gradcheck", "alone/model.safetensors", "--data", files["binary"])[0] == 0
    other_name = files["binary"].rename("other.csv")
    assert call("gradcheck", "run", "--data", other_name)[0] == 0
    assert "binary.csv" in call("gradcheck", "run")[2]


@pytest.mark.parametrize(
    ("factor", "code", "verdict"), [(2.0, 5, "WRONG"), (1 + 2e-4, 6, "look again"), (1.0, 0, "great")]
)
def test_exit_codes(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, factor: float, code: int, verdict: str
) -> None:
    reason = no_kernels()
    if reason:
        pytest.skip(f"the fused path cannot run: {reason}")
    assert tg.fused_report() is not None
    kernel = F.linear.kernels["cpu"]
    wrong = in_backward(kernel, 2, doubled if factor == 2 else lambda gradient: factor * gradient)
    monkeypatch.setitem(F.linear.kernels, "cpu", wrong)
    found, out, _ = call("gradcheck", *SMALL, "--no-batch-norm")
    assert found == code, out
    assert out.splitlines()[1].startswith(f"gradient check: {verdict}, ")
    assert ("2 times what it should be" in out) == (factor == 2)


def test_training_that_diverges_before_the_check(call: Callable[..., Any]) -> None:
    code, out, err = call("gradcheck", *SMALL, "--epochs", "2", "--lr", "1e30")
    assert (code, out) == (4, "")
    assert err.startswith("twingrad gradcheck: training diverged")


def test_help_tells_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gradcheck", "--help"])
    told = " ".join(capsys.readouterr().out.split()).partition("exit codes: ")[2]
    assert [part.split()[0] for part in told.split("; ")] == ["0", "5", "6", "2", "4", "130", "1"]


def test_what_is_not_in_the_cost_is_said(call: Callable[..., Any]) -> None:
    out = call("gradcheck", *SMALL, "--optimizer", "adamw", "--weight-decay", "0.1", "--l1", "0.1")[1]
    assert "the decay of adamw is decoupled from the gradient" in out
    assert "--l1 is a step of its own" in out
    assert "L2 penalty" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gradcheck", "--epsilon", "0"), "--epsilon: must be a finite number above 0"),
        (("gradcheck", "--epsilon", "1"), "epsilon must be above 0 and below 0.1; got 1.0"),
        (("gradcheck", "--samples", "0"), "--samples: must be a whole number from 1"),
        (("gradcheck", "nowhere"), "nowhere"),
        (("gradcheck", "nowhere", "--hidden", "3"), "leave out --hidden"),
        (("gradcheck", "--hiden", "3"), "did you mean --hidden?"),
        (("gradcheck", "--batch-size", "1"), "more than one example"),
    ],
)
def test_bad_input(call: Callable[..., Any], arguments: tuple[str, ...], message: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("twingrad gradcheck: error: ")
    assert message in err
    assert len(err.splitlines()) == 1
