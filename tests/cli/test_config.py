"""TOML files and resumed runs: the same options, the same bytes; and what is refused."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib

import pytest

from twingrad.cli.options import TRAIN_OPTIONS
from twingrad.cli.table import read_toml, to_toml
from twingrad.train import Checkpoint

from killing import files
from processes import PATIENCE, running, wait_for


def test_the_configuration_of_a_run_gives_the_same_bytes_again(call, tmp_path, quick):
    options = (
        "--optimizer",
        "sgd",
        "--momentum",
        0.9,
        "--nesterov",
        "--schedule",
        "cosine",
        "--warmup",
        1,
        "--l1",
        1e-4,
    )
    more = (
        "--clip-norm",
        1,
        "--accumulate",
        2,
        "--activation",
        "tanh",
        "--class-weight",
        "balanced",
        "--label-smoothing",
        0.1,
        "--seed",
        7,
    )
    assert call("train", *quick, *options, *more, "--early-stopping", 3, "--out", "one")[0] == 0
    assert call("train", "--config", "one/config.toml", "--out", "two")[0] == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert call("train", "--config", "one/config.toml", "--seed", 8, "--out", "three")[0] == 0
    assert files(tmp_path / "one")["model.safetensors"] != files(tmp_path / "three")["model.safetensors"]
    assert tomllib.loads((tmp_path / "three" / "config.toml").read_text())["train"]["seed"] == 8


def test_every_kept_option_survives_toml(tmp_path):
    """What an option's text becomes is the same after a trip through a file."""
    samples = {
        "data": "digits",
        "target": "a,b",
        "delimiter": ";",
        "split": "0.5,0.25,0.25",
        "hidden": "3,4",
        "lr": "1e-5",
    }
    samples |= {
        "task": "binary",
        "categories": "a",
        "features": 'q"uo\\te,Łódź',
        "class_weight": "1,2.5",
        "decay": "0.5",
    }
    samples |= {
        "encoding": "ordinal",
        "unknown": "zeros",
        "scaling": "none",
        "activation": "tanh",
        "loss": "cross_entropy",
        "device": "cpu",
    }
    samples |= {"optimizer": "sgd", "schedule": "cosine", "checkpoint_every": "10min", "early_stopping": "3"}
    samples |= {"dropout": "0.25", "momentum": "0.5", "ema": "0.99", "label_smoothing": "0.1"}
    samples |= {"train_loss": "steps", "precision": "tf32"}
    samples |= {"beta1": "0.8", "beta2": "0.99"}
    kept = [option for option in TRAIN_OPTIONS if option.kept]
    values = {option.name: option.parse(samples.get(option.name, "1")) if option.parse else True for option in kept}
    (tmp_path / "c.toml").write_text(to_toml(values, TRAIN_OPTIONS, "train"), encoding="utf-8")
    assert read_toml(tmp_path / "c.toml", TRAIN_OPTIONS, "train") == values


BAD = {
    "not TOML": ("epochs 3", "c.toml is not a TOML file: "),
    "another table": ("[training]\nepochs = 3", r"one table \[train\] is due; got training"),
    "unknown": ("[train]\nepoch = 3", "unknown option epoch; did you mean epochs?"),
    "bad value": ("[train]\nepochs = -3", "epochs: must be a whole number from 0; got '-3'"),
    "text": ('[train]\nlr = "fast"', "lr: must be a finite number above 0; got 'fast'"),
    "switch": ("[train]\nlr = true", "lr: cannot be true or false; got True"),
    "no switch": ("[train]\nbatch_norm = 1", "batch_norm: must be true or false; got 1"),
    "nested": ("[train]\nhidden = [[3]]", "hidden: must be a number, a text or a list of them"),
    "another program's name": ("[train]\nlearning_rate = 1", "unknown option learning_rate; did you mean lr?"),
    "nothing alike": ("[train]\nxyz = 3", "unknown option xyz; known are data, target"),
    "out": ('[train]\nout = "x"', "unknown option out; it belongs to the command line"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused(call, tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    code, out, err = call("train", "--config", "c.toml")
    assert (code, out) == (2, "")
    assert re.search(message.replace("?", r"\?"), err), err
    assert [path.name for path in tmp_path.iterdir()] == ["c.toml"]


UNSUITED = {
    "nesterov of adam": (
        ["--nesterov"],
        "--nesterov does not apply to adam, which takes --beta1, --beta2, --weight-decay",
    ),
    "base 0": (["--schedule", "exponential", "--decay", 0], "--decay: base of Exponential must be in (0, 1], got 0"),
    "warm-up to the end": (["--epochs", 3, "--warmup", 3], "--warmup must be below the 3 --epochs; got 3"),
    "nesterov without momentum": (
        ["--nesterov", "--optimizer", "sgd"],
        "--nesterov does not apply without momentum; give --momentum 0.9",
    ),
    "decay of cosine": (["--schedule", "cosine", "--decay", 1], "--decay does not apply to the schedule cosine"),
    "weights of classes": (["--class-weight", "1,2"], "--class-weight must be 10 numbers, one for each class"),
    "loss": (["--loss", "mean_squared_error"], "loss 'mean_squared_error' does not suit task 'multi-class'"),
    "split": (["--split", "0.5,0.6,0.1"], "--split: must be the shares of train, dev and test, which sum to 1"),
    "no config": (["--config", "none.toml"], "error: there is no file of options 'none.toml'\n"),
    "resume nothing": (["--resume", "none"], "--resume goes on with the run's own options; leave out --hidden"),
}


@pytest.mark.parametrize(("arguments", "message"), UNSUITED.values(), ids=UNSUITED)
def test_options_that_do_not_apply(call, tmp_path, quick, arguments, message):
    code, out, err = call("train", *quick, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_for_more_epochs_but_not_under_another_schedule(call, tmp_path, quick):
    for schedule, code in (("exponential", 0), ("cosine", 2)):
        whole, grown = f"whole-{schedule}", f"grown-{schedule}"
        call("train", *quick, "--schedule", schedule, "--epochs", 4, "--out", whole)
        call("train", *quick, "--schedule", schedule, "--out", grown)
        before = files(tmp_path / grown)
        found, _, err = call("train", "--resume", grown, "--epochs", 4, "--quiet")
        assert found == code
        assert files(tmp_path / grown) == (before if code else files(tmp_path / whole))
    assert "schedule is laid out over all 2 epochs of the run, which therefore cannot be extended to 4: begin" in err


def test_cosine_after_a_warmup_cannot_be_extended_either(call, quick):
    call("train", *quick, "--schedule", "cosine", "--warmup", 1, "--out", "run", "--quiet")
    code, _, err = call("train", "--resume", "run", "--epochs", 4, "--quiet")
    assert code == 2
    assert "cannot be extended to 4" in err


def test_a_run_goes_on_for_no_fewer_epochs(call, tmp_path, quick):
    call("train", *quick, "--out", "run", "--quiet")
    code, _, err = call("train", "--resume", "run", "--epochs", 1)
    assert code == 2
    assert err == "twingrad train: error: --epochs must be at least the 2 of the run that goes on; got 1\n"


def test_a_run_that_had_ended_says_so_and_keeps_its_bytes(call, tmp_path, quick):
    call("train", *quick, "--out", "run")
    call("train", *quick, "--epochs", 200, "--early-stopping", 1, "--out", "early")
    told = {"run": "after 2 epochs: nothing was left to train; for more raise --epochs\n"}
    told |= {"early": "nothing was left to train; --early-stopping 1 ended it\n"}
    for folder, text in told.items():
        before = files(tmp_path / folder)
        code, out, err = call("train", "--resume", folder)
        assert code == 0
        assert f"twingrad: note: {folder} had ended already, " in err
        assert text in err
        assert (", stopped early\n" in out) == (folder == "early")
        assert files(tmp_path / folder) == before
    assert "had ended" not in call("train", "--resume", "run", "--epochs", 3)[2]


def test_who_chose_the_task_is_told(call, tmp_path, quick):
    rows = [f"{i % 7},{i % 3}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,class", *rows]) + "\n")
    (tmp_path / "c.toml").write_text('[train]\ntask = "regression"')
    told = {
        (): "multi-class ('class' holds 3 different whole numbers; --task regression would take them for amounts)",
        ("--task", "regression"): "regression (asked for)",
        ("--config", "c.toml"): "regression (by c.toml)",
        ("--config", "c.toml", "--task", "multi-class"): "multi-class (asked for)",
    }
    for options, reason in told.items():
        code, out, err = call("train", *quick, "--data", "t.csv", *options)
        assert code == 0, err
        assert re.search(rf"task +{re.escape(reason)}\n", out), out
    again = call("train", "--resume", "runs/t-1")[1]
    assert re.search(r"task +multi-class \(by runs/t-1/config.toml\)\n", again)


def test_the_threads_of_a_run_belong_to_the_machine(call, tmp_path, quick):
    """They are asked for again where a run goes on, and no file tells them."""
    for count in (1, 3):
        code, _, err = call("train", *quick, "--threads", count, "--quiet", "--out", f"run-{count}")
        assert code == 0, err
    assert files(tmp_path / "run-1") == files(tmp_path / "run-3")
    code, _, err = call("train", "--resume", "run-1", "--epochs", 3, "--threads", 2, "--quiet")
    assert code == 0, err
    for given in ("0", "257", "two"):
        code, _, err = call("train", *quick, "--threads", given)
        assert (code, "--threads" in err, "whole number from 1" in err, given in err) == (2, True, True, True), err
    (tmp_path / "t.toml").write_text("[train]\nthreads = 2\n")
    code, _, err = call("train", "--config", "t.toml")
    assert (code, "threads" in err) == (2, True), err


def test_a_folder_that_does_not_exist(call, tmp_path):
    (tmp_path / "runs").mkdir()
    code, _, err = call("train", "--resume", "rums")
    assert (code, err) == (2, "twingrad train: error: there is no run folder 'rums'; did you mean 'runs'?\n")


def test_a_folder_that_holds_no_run(call, tmp_path):
    code, _, err = call("train", "--resume", tmp_path)
    assert (code, "is no run folder to go on with: it holds no config.toml" in err) == (2, True)


def in_background(cwd, *arguments):
    """A run in a process of its own, for a `with` block."""
    return running([sys.executable, "-m", "twingrad", "train", *arguments], cwd=cwd, stderr=subprocess.PIPE)


ENDLESS = ("--epochs", 100_000, "--checkpoint-every", 5, "--out", "run")


def test_sigterm_saves_and_leaves(tmp_path):
    last = tmp_path / "run" / "last.safetensors"
    with in_background(tmp_path, *ENDLESS) as process:
        wait_for(last.exists, process)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 143
    assert re.search(r"interrupted in epoch \d+: .*; go on with it: --resume run\n", told)
    step = Checkpoint.read(last).step
    with in_background(tmp_path, "--resume", "run", "--quiet") as process:
        wait_for(lambda: Checkpoint.read(last).step > step, process)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[1].count("\n") == 1
    assert process.returncode == 130
    assert Checkpoint.read(last).step > step


def test_a_second_process_on_the_folder_is_refused(call, tmp_path):
    last = tmp_path / "run" / "last.safetensors"
    with in_background(tmp_path, *ENDLESS) as process:
        wait_for(last.exists, process)
        before = (tmp_path / "run" / "config.toml").read_bytes()
        for arguments in (["--resume", "run"], ["--out", "run", "--epochs", 1]):
            code, out, err = call("train", *arguments)
            assert (code, out) == (2, "")
            assert f"run folder run is in use by process {process.pid}" in err, err
        assert (tmp_path / "run" / "config.toml").read_bytes() == before
    assert Checkpoint.read(last).step >= 5


def test_a_changed_configuration_is_refused_by_name(call, tmp_path, quick):
    assert call("train", *quick, "--out", "run", "--quiet")[0] == 0
    config = tmp_path / "run" / "config.toml"
    config.write_text(config.read_text().replace("lr = 0.003", "lr = 0.004"))
    code, _, err = call("train", "--resume", "run")
    assert code == 2
    assert "the checkpoint of another configuration: optimizer.lr was 0.003 and is 0.004;" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount a small file system")
def test_a_full_disk_has_its_own_exit_code_and_leaves_the_checkpoint(twingrad, tmp_path):
    """A small file system with room for one checkpoint, but not for the next one beside it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "none", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        options = ("--hidden", "64", "--epochs", 6, "--checkpoint-every", 20, "--quiet", "--device", "cpu")
        twingrad("train", *options, "--out", tmp_path / "whole", cwd=tmp_path)
        (disk / "ballast").write_bytes(bytes(1050 * 1024))
        done = twingrad("train", *options, "--out", disk / "run", cwd=tmp_path, check=3)
        said = r"error: .* cannot be written \(No space left on device\); what was saved before is as it was\n"
        assert re.fullmatch(f"twingrad train: {said}", done.stderr)
        assert 0 < Checkpoint.read(disk / "run" / "last.safetensors").step < 6 * 17
        (disk / "ballast").unlink()
        twingrad("train", "--quiet", "--resume", disk / "run", cwd=tmp_path)
        assert files(disk / "run") == files(tmp_path / "whole")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_json_of_a_run_and_its_result_file(call, tmp_path, quick):
    told = json.loads(call("train", *quick, "--json", "--out", "run")[1])
    kept = json.loads((tmp_path / "run" / "result.json").read_text())
    assert {name: told[name] for name in kept} == kept
    assert told.keys() - kept.keys() == {
        "evaluations",
        "seconds",
        "seconds_per_evaluation",
        "device",
        "path",
        "step",
        "data",
        "out",
        "stopped_early",
    }


def test_a_file_of_options_that_is_not_there_suggests_the_nearest(call, tmp_path):
    (tmp_path / "c.toml").write_text("[train]")
    (tmp_path / "config.toml").write_text("[train]")
    code, _, err = call("train", "--config", "confg.toml")
    told = "twingrad train: error: there is no file of options 'confg.toml'; did you mean 'config.toml'?\n"
    assert (code, err) == (2, told)


def test_a_path_that_is_not_utf_8_is_refused_and_nothing_written(call, tmp_path):
    (tmp_path / os.fsdecode(b"\xff.csv")).write_text("x,y\n1,0\n2,1\n")
    code, _, err = call("train", "--data", os.fsdecode(b"\xff.csv"))
    assert (code, err.startswith("twingrad train: error: --data: must be UTF-8")) == (2, True), err
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_goes_on_on_a_device_that_is_named_and_holds_its_data_as_told(call, tmp_path, quick):
    assert call("train", *quick, "--out", "run")[0] == 0
    assert call("train", "--resume", "run", "--epochs", "3", "--device", "cpu", "--resident", "yes")[0] == 0
    assert "resident" not in (tmp_path / "run" / "config.toml").read_text()
    code, _, told = call("train", "--resume", "run", "--device", "cuda:7")
    assert code != 0
    assert "'cuda:7' cannot be used" in told
