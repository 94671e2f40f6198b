"""Bad input: one clear line on standard error, exit code 2, nothing written."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from twingrad import devices
from twingrad.cli.parser import parser

from processes import PATIENCE

BAD = {
    "unknown device": (["--device", "gpu"], r"unknown device 'gpu': .* did you mean \"cuda\"\?"),
    "no such device": (["--device", "tpu"], r"unknown device 'tpu': .*, or \"auto\"\n"),
    "more than memory holds": (
        ["--hidden", 99999999999],
        "error: --hidden 99999999999 is a network of 7,399,999,999,926 weights, which memory does not hold",
    ),
    "another program's name": (["--learning-rate", 1], "--learning-rate 1; did you mean --lr\\?"),
    "output without a name": (["--out", ""], "--out: must not be empty"),
    "batch size 0": (["--batch-size", 0], "--batch-size: must be a whole number from 1; got '0'"),
    "batch size above the data": (
        ["--batch-size", 1079],
        "error: --batch-size must not exceed the 1078 training examples; got 1079",
    ),
    "batch size 1 with batch norm": (
        ["--batch-size", 1],
        "--batch-size must be at least 2, because the model has batch n",
    ),
    "dropout 1": (["--dropout", 1], "--dropout: must be a number from 0 and below 1; got '1'"),
    "dropout below 0": (["--dropout=-0.1"], "--dropout: must be a number from 0 and below 1; got '-0.1'"),
    "dropout NaN": (["--dropout", "nan"], "--dropout: must be a number from 0 and below 1; got 'nan'"),
    "negative epochs": (["--epochs=-1"], "--epochs: must be a whole number from 0; got '-1'"),
    "endless epochs": (
        ["--epochs", 2**32],
        r"--epochs: must be a whole number from 0 and below 2\*\*32; got '4294967296'",
    ),
    "half an epoch": (["--epochs", "1.5"], "--epochs: must be a whole number from 0; got '1.5'"),
    "lr NaN": (["--lr", "nan"], "--lr: must be a finite number above 0; got 'nan'"),
    "lr 0": (["--lr", 0], "--lr: must be a finite number above 0; got '0'"),
    "lr infinite": (["--lr", "inf"], "--lr: must be a finite number above 0; got 'inf'"),
    "lr text": (["--lr", "fast"], "--lr: must be a finite number above 0; got 'fast'"),
    "unknown optimizer": (["--optimizer", "adma"], "--optimizer: unknown optimizer 'adma'; did you mean 'adam'?"),
    "hidden 0": (["--hidden", "16,0"], "--hidden: must be widths of at least 1, joined by commas, .* got '0'"),
    "hidden nothing": (["--hidden", ""], "--hidden: must be widths of at least 1"),
    "seed negative": (["--seed=-1"], "--seed: must be a whole number from 0"),
    "seed too large": (["--seed", 2**64], r"--seed: must be a whole number from 0 and below 2\*\*64"),
    "unknown option": (["--batchsize", 3], r"unrecognized arguments: --batchsize 3; did you mean --batch-size\?"),
    "nothing alike": (["--xyz", 3], "unrecognized arguments: --xyz 3; see twingrad train --help\n"),
    "missing value": (["--lr"], "--lr: expected one argument"),
    "output is a file": (["--out", __file__], r"output folder .*test_bad_input.py cannot be written \(it is a file\)"),
    "output below a file": (["--out", f"{__file__}/x"], r"cannot be written \(Not a directory\); name another one"),
    "output nowhere": (
        ["--out", "/proc/run"],
        "output folder /proc/run cannot be written",
    ),
    "output not empty": (["--out", os.path.dirname(__file__)], "is not empty: name a new one"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_one_line_and_nothing_written(call, tmp_path, arguments, message, quick):
    code, out, err = call("train", *quick, *arguments)
    assert (code, out) == (2, "")
    assert re.search(message, err), err
    assert re.fullmatch(r"twingrad( train)?: error: .*\n", err)
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_in_the_data_is_the_home_folder(call, monkeypatch):
    monkeypatch.setenv("HOME", "/home/nobody")
    assert "there is no file '/home/nobody/x.csv'" in call("train", "--data=~/x.csv")[2]


DATA = {
    "no such file": (None, "there is no file 'table.csv'"),
    "no rows": ("a,b,y\n", "there are no rows below the header"),
    "empty": ("", "table.csv"),
    "ragged": ("a,b,y\n1,2,0\n1,2\n", "line 3"),
    "gap": ("a,b,y\n1,,0\n1,2,1\n", "line 2, column 'b': the cell is empty"),
    "text among numbers": ("a,b,y\n1,2,0\n1,x,1\n3,4,0\n", "line 3, column 'b': a number is due, got 'x'"),
    "NA": ("a,b,y\n1,2,0\n1,NA,1\n3,4,0\n", "line 3, column 'b': a missing value, 'NA'; fill it in or remove the row"),
    "not a number": ("a,b,y\n1,2,0\n1,nan,1\n3,4,0\n", "line 3, column 'b': must be finite, got 'nan'"),
    "infinite": ("a,b,y\n1,2,0\n1,inf,1\n3,4,0\n", "line 3, column 'b': must be finite, got 'inf'"),
    "duplicate columns": ("a,a,y\n1,2,0\n", "'a'"),
    "one class": ("a,b,y\n1,2,yes\n2,3,yes\n", "target 'y' holds one class alone ('yes')"),
    "no such target": ("a,b,yy\n1,2,0\n2,3,1\n", "there is no column 'y'; did you mean 'yy'?"),
    "not UTF-8": (b"a,b,y\n1,2,\xff\n", "UTF-8"),
}


@pytest.mark.parametrize(("content", "message"), DATA.values(), ids=DATA)
def test_bad_data_are_one_line_and_nothing_written(call, tmp_path, content, message):
    if content is not None:
        (tmp_path / "table.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = call("train", "--data", "table.csv", "--target", "y")
    assert (code, out) == (2, "")
    assert message in err
    assert re.fullmatch(r"twingrad train: error: .*\n", err)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"] * (content is not None)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_number_too_large_once_scaled_is_told_without_its_row_in_a_shuffled_part(call, tmp_path, quick, task):
    rows = [[f"{i % 7}", f"{i % 2}"] for i in range(40)]
    column = 1 if task == "regression" else 0
    for row in rows[20:]:
        row[column] = "1e300"
    text = "\n".join(["a,y", *map(",".join, rows)]) + "\n"
    (tmp_path / "table.csv").write_text(text)
    scaling = ("--scaling", "none", "--no-scale-targets")
    data = ("--data", "table.csv", "--target", "y", "--task", task)
    code, _, err = call("train", *quick, *data, *scaling)
    assert code == 2
    name = "ay"[column]
    assert err.endswith(f"error: column '{name}': 1e+300 is too large for float32 once scaled; mend or remove it\n")
    assert "row " not in err


def test_a_bad_value_of_unknown(call):
    assert "--unknown: unknown value 'zero'; did you mean 'zeros'?" in call("train", "--unknown", "zero")[2]


def test_a_pickle_in_an_npz_is_refused_and_nothing_written(call, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.array([[1, "a"], [2, None]], object), y=np.arange(2))
    code, _, err = call("train", "--data", "x.npz")
    assert code == 2
    assert "pickle" in err
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_cuda_that_cannot_be_used(call, tmp_path, quick):
    if devices.probe().reason is None:
        pytest.skip("there is a GPU that works")
    code, out, err = call("train", *quick, "--device", "cuda")
    assert (code, out, list(tmp_path.iterdir())) == (2, "", [])
    assert re.fullmatch(r"twingrad train: error: the device 'cuda' cannot be used: .*(CuPy|GPU).*\n", err)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_standard_output_on_a_full_disk_is_not_bad_input(tmp_path):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "twingrad", "info", "--json"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (3, "twingrad info: error: No space left on device\n")


def test_a_bad_variable(call, monkeypatch):
    monkeypatch.setenv("TWINGRAD_DEVICE", "tpu")
    code, _, err = call("train", "--epochs", 1)
    assert code == 2
    assert re.search("TWINGRAD_DEVICE: unknown device 'tpu'", err)


def test_runs_is_a_file(call, tmp_path, quick):
    (tmp_path / "runs").write_text("mine")
    code, out, err = call("train", *quick)
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"twingrad train: error: output folder runs/digits-1 cannot be written \(Not a directory\); name another one\n",
        err,
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written(call, tmp_path, quick):
    tmp_path.chmod(0o500)
    code, _, err = call("train", *quick)
    assert code == 2
    assert "cannot be written (Permission denied)" in err


def test_bad_commands(call):
    told = "--epochs stands before the command; its place is after it, as in twingrad COMMAND --epochs"
    assert call("--epochs", 3) == (2, "", f"twingrad: error: {told}; see twingrad --help\n")
    assert call("trian") == (2, "", "twingrad: error: unknown command 'trian'; did you mean train?\n")
    assert call("cache")[::2] == (
        2,
        "twingrad cache: error: the following arguments are required: clear; see twingrad cache --help\n",
    )


def test_no_command_is_the_help(call):
    code, out, err = call()
    assert (code, err) == (0, "")
    assert out == parser().format_help()
    assert "train a network" in out


def test_a_defect_is_one_line_too(call, monkeypatch):
    monkeypatch.setattr("twingrad.cli.info.config", lambda: 1 / 0)
    code, _, err = call("info")
    assert code == 1
    hint = "this is a defect; TWINGRAD_TRACEBACK=1 shows where"
    assert err == f"twingrad info: error: ZeroDivisionError: division by zero ({hint})\n"
    monkeypatch.setenv("TWINGRAD_TRACEBACK", "1")
    code, _, err = call("info")
    assert code == 1
    assert re.fullmatch(
        r"Traceback .*test_bad_input.py.*\nZeroDivisionError: .*\ntwingrad info: error: .*\n", err, re.S
    )
    assert call("train", "--data", "none.csv")[0] == 2


def test_a_class_with_one_example_is_not_stratified(call, tmp_path):
    rows = [f"{i},{'ab'[i % 2]}" for i in range(40)] + ["40,c"]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    options = ("--data", "t.csv", "--target", "y", "--epochs", 1, "--quiet", "--device", "cpu")
    code, _, err = call("train", *options)
    assert code == 2
    assert "class 'c' has 1 example" in err
    assert err.endswith("or split with --no-stratify\n")
    assert call("train", *options, "--no-stratify", "--out", "run")[0] == 0
    assert "stratify = false" in (tmp_path / "run" / "config.toml").read_text()
