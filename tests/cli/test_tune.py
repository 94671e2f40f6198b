"""`twingrad tune`: its folder, its report, the best configuration that `train` takes, and bad input."""

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest

from twingrad.cli import options, tuning
from twingrad.tune import strategies

pytest.importorskip("optuna", reason="Optuna (extra `tune`) is not installed")

QUICK = ("--epochs", 3, "--trials", 6, "--device", "cpu", "--batch-size", 128)


def test_the_best_configuration_trains_to_the_same_result(call, tmp_path):
    code, out, err = call("tune", *QUICK, "--json", "--out", "study")
    assert code == 0, err
    told = json.loads(out)
    assert told["trials"] == 6
    assert told["complete"] + told["pruned"] + told["diverged"] == 6
    assert list(told["best"]["values"]) == ["lr", "units", "layers", "decay"]
    assert re.search(r"train it +twingrad train --config study/best\.toml", err)
    values = told["best"]["values"]
    best = tomllib.loads(Path("study/best.toml").read_text())["train"]
    assert "device" not in best  # where the search ran does not matter to `train`
    assert best["hidden"] == [values["units"]] * values["layers"]
    assert (best["schedule"], best["decay"], best["lr"]) == ("inverse", values["decay"], values["lr"])
    code, out, err = call("train", "--config", "study/best.toml", "--device", "cpu", "--json", "--quiet")
    assert code == 0, err
    assert json.loads(out)["dev_accuracy"] == told["best"]["value"]


def test_the_table_of_trials(call):
    code, out, err = call(
        "tune", *QUICK, "--strategy", "grid", "--no-prune", "--space", "lr=log:0.001:0.1,activation=relu|tanh"
    )
    assert (code, err) == (0, "")
    with open("runs/tune-digits-1/trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(float(row["lr"]), row["activation"]) for row in rows] == [
        (pytest.approx(lr), activation) for lr in (0.001, 0.01, 0.1) for activation in ("relu", "tanh")
    ]
    best = max(rows, key=lambda row: float(row["accuracy"]))
    lines = out.splitlines()
    assert lines[0].split() == ["trial", "dev", "accuracy", "lr", "activation", "seconds"]
    assert lines[2].split()[:2] == [best["trial"], f"{float(best['accuracy']):.2%}"]
    assert "6 complete" in out


def test_pictures(call):
    pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")
    code, out, _ = call("tune", *QUICK, "--out", "study", "--no-prune")
    assert code == 0
    for name in ("importance.png", "slices.png"):
        assert (Path("study") / name).read_bytes().startswith(b"\x89PNG")
        assert name in out


def test_a_regression_compares_losses(call, tmp_path):
    lines = [f"{i},{(i * 7) % 11},{3 * i + 0.5}" for i in range(60)]
    Path("table.csv").write_text("\n".join(["a,b,y", *lines]))
    code, out, err = call("tune", "--data", "table.csv", "--epochs", 3, "--trials", 4, "--json", "--first", 2)
    assert code == 0, err
    best = json.loads(out)["best"]
    assert best["metric"] == "loss"
    with open("runs/tune-table-1/trials.csv", newline="") as file:
        values = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    assert best["value"] == min(values)
    assert list(best["values"]) == ["lr", "batch_size"]


def test_it_goes_on_and_further(call):
    assert call("tune", *QUICK, "--out", "study", "--quiet")[0] == 0
    before = Path("study/trials.csv").read_text()
    code, out, err = call("tune", "--resume", "study", "--trials", 8, "--json", "--quiet")
    assert code == 0, err
    assert json.loads(out)["trials"] == 8
    assert Path("study/trials.csv").read_text().startswith(before)
    before = Path("study/tune.toml").read_bytes()
    refused = "twingrad tune: error: --trials must be at least the 8 of the search that goes on; got 7\n"
    assert call("tune", "--resume", "study", "--trials", 7) == (2, "", refused)
    assert Path("study/tune.toml").read_bytes() == before
    ended = "study had ended already, after 8 trials: nothing was left to try; for more raise --trials"
    assert call("tune", "--resume", "study", "--quiet") == (0, "", f"twingrad: note: {ended}\n")


def test_another_data_set_under_the_same_name(call):
    Path("table.csv").write_text("a,y\n" + "\n".join(f"{i},{i % 2}" for i in range(40)))
    quick = ("--data", "table.csv", "--epochs", 1, "--trials", 2, "--first", 1, "--quiet")
    assert call("tune", *quick, "--out", "study")[0] == 0
    Path("table.csv").write_text("a,y\n" + "\n".join(f"{i * 2},{i % 2}" for i in range(40)))
    code, _, err = call("tune", "--resume", "study")
    assert code == 2
    assert re.search(
        r"study holds another study: about\.data\.hash was .* and is .*; go on with what it was begun", err
    )


BAD = {
    "log of zero": (["--space", "lr=log:0:1"], "--space: lr: LogUniform needs 0 < low < high, for the logarithm of 0"),
    "beta of 1": (
        ["--space", "momentum=beta:0.9:1"],
        "momentum: OneMinusLogUniform needs 0 <= low < high < 1, for",
    ),
    "beta of 1 as a value": (["--space", "beta1=0.9|1"], "--space: beta1 must be a number from 0 and below 1; got '1'"),
    "negative rate": (["--space", "lr=uniform:-1:1"], "--space: lr must be a finite number above 0; got '-1.0'"),
    "negative decay": (
        ["--space", "decay=uniform:-1:1"],
        "--space: decay must be a finite number of at least 0; got",
    ),
    "dropout of 1": (
        ["--space", "dropout=uniform:0:1"],
        "--space: dropout must be a number from 0 and below 1; got",
    ),
    "half a layer": (["--space", "layers=int:0.5:2"], "--space: layers: int and intlog take whole numbers; got 0.5"),
    "no layer": (["--space", "layers=int:0:2"], "--space: layers must be a whole number from 1; got '0'"),
    "fractions of examples": (
        ["--space", "batch_size=uniform:16:64"],
        "batch_size must be a whole number from 1; got",
    ),
    "batches above the data": (["--space", "batch-size=64|5000"], "batch_size must not exceed the 1078 .*; got 5000"),
    "unknown": (["--space", "learning_rate=log:0.1:1"], "unknown hyperparameter of --space 'learning_rate'"),
    "unknown scale": (["--space", "lr=logarithm:0.1:1"], "--space: lr: unknown scale 'logarithm'; known: beta, int"),
    "no scale": (["--space", "dropout"], "--space: dropout has no usual scale; give one"),
    "one end": (["--space", "lr=log:1"], r"--space: lr: a scale must be KIND:LOW:HIGH or A\|B\|C; got 'log:1'"),
    "two values alike": (["--space", "activation=relu|relu"], "--space: activation: Choice needs .* 'relu', 'relu'"),
    "named twice": (["--space", "lr=log:0.1:1,lr=log:0.01:1"], "--space: lr is given twice; leave one of them out"),
    "more than the usual": (["--first", 99], "--first must be at most 9, all the usual ones with adam; got 99"),
    "momentum of adam": (["--space", "momentum"], "--momentum does not apply to adam, which takes"),
    "twice": (["--space", "lr", "--lr", "0.1"], "--space: lr is given by an option of its own as well"),
    "no dev part": (["--split", "0.8,0,0.2"], "--split leaves no dev part to compare trials on"),
    "no epochs": (["--epochs", 0], "--epochs must be at least 1 to search; got 0"),
    "metric of another task": (["--metric", "r2"], "--metric r2 is not measured for a multi-class task, which has acc"),
    "no trials": (["--trials", 0], "--trials: must be a whole number from 1; got '0'"),
    "unknown strategy": (["--strategy", "gird"], "--strategy: unknown strategy 'gird'; did you mean 'grid'"),
    "too small a grid": (["--space", "activation=relu|tanh", "--strategy", "grid", "--trials", 1], "at least 2 trials"),
    "a grid of one point": (
        ["--strategy", "grid", "--trials", 3],
        "needs at least 16 trials, two values of each; got 3",
    ),
    "resume with more": (
        ["--resume", ".", "--lr", 1],
        "--resume goes on with the search's own .*; leave out --lr",
    ),
    "resume of nothing": (["--resume", "nowhere"], "there is no folder of a search 'nowhere'"),
    "not empty": (["--out", Path(__file__).parent], "is not empty: name a new one, or go on with --resume"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, tmp_path, arguments, message):
    code, out, err = call("tune", *arguments)
    assert (code, out) == (2, "")
    assert re.search(message, err), err
    assert re.fullmatch(r"twingrad( tune)?: error: .*\n", err)
    assert list(tmp_path.iterdir()) == []


def test_every_trial_diverges(call, tmp_path):
    code, _, err = call("tune", *QUICK, "--space", "lr=log:1e37:1e38", "--optimizer", "sgd", "--no-batch-norm")
    assert code == 4
    assert "none of 6 trials came to an end: trial 0: diverged" in err
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "trials.csv").read_text().count("diverged") == 6
    assert not (folder / "best.toml").exists()


def test_the_options_name_every_strategy_and_space_goes_there_and_back():
    assert (*strategies.STRATEGIES, strategies.TPE) == options.STRATEGIES
    asked = ["lr=log:0.0001:1.0", "momentum=beta:0.9:0.99", "units=intlog:16:256", "layers=int:1:4"]
    asked += ["dropout=uniform:0.0:0.5", "activation=relu|tanh", "batch_norm=on|off"]
    space = tuning.space_of(asked, 4, {}, "sgd", 1000)
    assert tuning.told(space) == asked
    assert space["batch_norm"].values == (True, False)


def test_without_optuna(twingrad, tmp_path):
    (tmp_path / "optuna.py").write_text("raise ImportError('no optuna')")
    done = twingrad("tune", "--trials", 2, "--out", "study", cwd=tmp_path, check=2, PYTHONPATH=str(tmp_path))
    assert "tuning needs Optuna: pip install 'twingrad[tune]'" in done.stderr
    assert not (tmp_path / "study").exists()
