"""`twingrad train`: what it prints, writes and returns."""

import json
import re
import tomllib

import numpy as np
import pytest

import twingrad as tg
from twingrad.cli import report
from twingrad.train import History, curves, evaluate, load_model


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_with_no_argument_it_reaches_97_percent(twingrad, tmp_path):
    done = twingrad("train", "--json", cwd=tmp_path, TWINGRAD_DEVICE="cpu")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["test_accuracy"] >= 0.97
    assert result["dev_accuracy"] >= 0.97
    assert (result["device"], result["epochs"]) == ("cpu", 40)
    assert result["parameters"] == 256 * 65 + 128 * 257 + 10 * 129 + 2 * (256 + 128)
    assert result["seconds"] > 0
    assert result["out"] == "runs/digits-1"
    model, data = load_model(tmp_path / result["out"]), tg.data.load("digits").split(seed=0)
    for part in ("test", "dev"):
        measured = evaluate(model, getattr(data, part))
        assert (measured.loss, measured.accuracy) == (result[f"{part}_loss"], result[f"{part}_accuracy"])


CHOSEN = {
    "data": "digits",
    "hidden": [16],
    "dropout": 0.4,
    "batch_norm": False,
    "optimizer": "sgd",
    "lr": 0.1,
    "batch_size": 64,
    "epochs": 2,
    "seed": 3,
    "device": "cpu",
}


def test_the_run_folder_holds_everything(call, tmp_path, quick):
    code, out, _ = call("train", *quick, "--optimizer", "sgd", "--no-batch-norm", "--seed", 3, "--out", "here")
    picture = ["curves.png"] if curves.available() else []
    assert code == 0
    assert names(tmp_path / "here") == sorted(
        [
            "best.safetensors",
            "config.toml",
            "history.jsonl",
            "last.safetensors",
            "model.safetensors",
            "result.json",
            *picture,
        ]
    )
    found = tomllib.loads((tmp_path / "here" / "config.toml").read_text())["train"]
    assert found | CHOSEN == found
    assert [record.epoch for record in History.read(tmp_path / "here" / "history.jsonl")] == [1, 2]
    assert json.loads((tmp_path / "here" / "result.json").read_text())["best_epoch"] in (1, 2)
    assert all(part in out for part in ("1078", "360", "359", "run folder  here"))


def test_the_table_says_what_ran(call, quick):
    code, out, err = call("train", *quick)
    assert (code, err) == (0, "")
    rows = dict(re.findall(r"^ +(train|dev|test) +\d+ +[\d.]+ +([\d.]+)%", out, re.MULTILINE))
    assert rows.keys() == {"train", "dev", "test"}
    assert re.search(r"time +\d+\.\d s on cpu", out)
    assert re.search(r"kernels +(fused \(compiled, |reference \()", out)
    assert re.search(r"step +(captured|eager \()", out)
    assert re.search(r"parameters +1,242\b", out)
    assert ("no curves.png: pip install 'twingrad[plot]'" in out) != curves.available()


def test_the_reference_path_is_said(call, quick):
    with tg.fused("never"):
        code, out, _ = call("train", *quick)
    assert code == 0
    assert re.search(r"kernels +reference \(asked for", out)


def test_json_alone_on_standard_output(call, quick):
    code, out, err = call("train", *quick, "--json")
    result = json.loads(out)
    assert code == 0
    assert {"test_accuracy", "dev_accuracy", "device", "seconds", "epochs", "parameters"} <= result.keys()
    assert "accuracy" in err


def test_quiet(call, quick):
    assert call("train", *quick, "--quiet") == (0, "", "")
    code, out, err = call("train", *quick, "--quiet", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["out"] == "runs/digits-2"


def test_two_runs_of_one_seed_give_the_same_bytes_and_another_seed_does_not(twingrad, tmp_path, quick):
    for number, seed in enumerate((5, 5, 6), 1):
        twingrad("train", *quick, "--hidden", "32,16", "--seed", seed, "--quiet", cwd=tmp_path)
        assert names(tmp_path / "runs")[-1] == f"digits-{number}"
    first, second, third = ((tmp_path / "runs" / f"digits-{i}" / "model.safetensors").read_bytes() for i in (1, 2, 3))
    assert first == second != third


def test_hidden_none_is_softmax_regression(call, tmp_path, quick):
    assert call("train", *quick, "--hidden", "none", "--out", "run")[0] == 0
    assert [layer.describe() for layer in load_model(tmp_path / "run")] == ["Linear(64, 10)"]


def test_no_epochs(call, tmp_path, quick):
    code, out, err = call("train", *quick, "--epochs", 0, "--json")
    result = json.loads(out)
    assert (code, result["epochs"], result["best_epoch"], "note" in err) == (0, 0, None, False)
    assert (tmp_path / "runs" / "digits-1" / "model.safetensors").exists()


@pytest.mark.parametrize(("batch_size", "joined"), [(77, 0), (359, 360), (1077, 1078), (1078, 0)])
def test_a_last_example_left_over_is_told_once(call, batch_size, joined, quick):
    """1078 is 14 times 77, and one more than 1077 and than 3 times 359."""
    code, out, err = call("train", *quick, "--batch-size", batch_size, "--quiet", "--json")
    assert (code, json.loads(out)["step"] == "captured") == (0, tg.info.config()["matmul"]["split"])
    assert err.count("note: ") == err.count(f"it joins the last mini-batch, of {joined}") == bool(joined)


def test_training_that_diverges_has_its_own_exit_code(call, tmp_path, quick):
    code, out, err = call("train", *quick, "--no-batch-norm", "--optimizer", "sgd", "--lr", "1e30", "--json")
    assert code == 4
    assert err == (
        "twingrad train: training diverged: the loss is nan after epoch 1, update 17; lower the learning rate (it was "
        "1e+30), clip the gradient (--clip-norm 1), or look for extreme values in the data; "
        "there is no trained model to keep\n"
    )
    assert json.loads(out) == {"diverged": True, "epochs": 1, "updates": 17, "out": None}
    assert not (tmp_path / "runs").exists()
    options = ("--no-batch-norm", "--optimizer", "sgd", "--lr", "1e35", "--clip-norm", "1")
    assert "(it was 1e+35) or look for extreme values" in call("train", *quick, *options)[2]


def test_accuracy_does_not_depend_on_the_path(call):
    def accuracy(mode):
        with tg.fused(mode):
            results = [json.loads(call("train", "--epochs", 8, "--json", "--seed", seed)[1]) for seed in range(3)]
        return np.mean([result["test_accuracy"] for result in results])

    assert abs(accuracy("auto") - accuracy("never")) < 0.02


def test_training_that_came_to_nothing_is_noted(call, quick):
    code, _, err = call("train", *quick, "--lr", "1e9", "--quiet")
    assert code == 0
    assert re.fullmatch(
        r"twingrad: note: training came to no more than chance \(loss .*\): lower --lr, which is 1e\+09, .*\n", err
    )


def test_a_picture_that_is_not_drawn_is_said(call, tmp_path, quick):
    _, out, _ = call("train", *quick, "--epochs", 1, "--out", "run")
    assert not (tmp_path / "run" / "curves.png").exists()
    assert "no curves.png: " in out


def test_piped_output_has_no_lines_of_spaces(call, quick):
    _, out, _ = call("train", *quick)
    lines = out.splitlines()
    assert lines[0].split() == ["digits", "examples", "loss", "accuracy"]
    assert lines[-1].startswith(("  run folder", "  no curves.png"))
    assert all(line == line.rstrip() for line in lines)


def test_without_a_dev_part_the_train_part_chooses(call, quick):
    code, out, _ = call("train", *quick, "--split", "1,0,0")
    assert code == 0
    assert re.search(r"best epoch +[12] of 2, by train accuracy\n", out)
    code, _, err = call("train", *quick, "--split", "0,0.5,0.5")
    assert (code, err) == (2, "twingrad train: error: --split leaves none of 1797 examples to train on\n")


def test_a_tilde_is_the_home_folder(call, tmp_path, quick, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert call("train", *quick, "--quiet", "--out=~/run")[0] == 0
    assert (tmp_path / "home" / "run" / "model.safetensors").exists()


def test_why_nothing_was_compiled_is_said_once():
    reason = "compiled CPU kernels are not installed: no C++ compiler (g++) was found"
    result = {"path": f"reference ({reason})", "step": f"eager (linear: {reason})", "device": "cpu"}
    assert report.kernels_told(result).endswith(": install g++ and run pip install again")
    assert "compiler" not in report.step_told(result)
    assert report.step_told(result | {"path": "fused"}) == result["step"]


def test_a_small_table_takes_a_smaller_batch_unless_one_is_given(call, tmp_path, quick):
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(38)]
    (tmp_path / "small.csv").write_text("\n".join(["x,z,class", *rows]) + "\n")
    assert call("train", *quick, "--data", "small.csv", "--out", "run")[0] == 0
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["train"]["batch_size"] == 23
    code, _, err = call("train", *quick, "--data", "small.csv", "--out", "other", "--batch-size", 32)
    assert code == 2
    assert "--batch-size must not exceed the 23 training examples; got 32" in err


@pytest.mark.parametrize(("options", "unit"), [((), "an epoch"), (("--evaluate-every", 5), "an evaluation")])
def test_the_time_is_told_of_what_was_measured(call, quick, options, unit):
    out = call("train", *quick, *options)[1]
    assert re.search(rf"time +\d+\.\d s on cpu, [\d.e-]+ s {unit}\n", out), out
