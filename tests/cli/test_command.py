"""The command itself: help, version, info, terminals, Ctrl-C."""

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import twingrad as tg
from twingrad.cli import command, main
from twingrad.train import load_model

from processes import PATIENCE, running, wait_for


def test_version(twingrad, tmp_path):
    assert twingrad("--version", cwd=tmp_path).stdout == f"twingrad {tg.__version__}\n"


@pytest.mark.parametrize("command", [[], ["train"], ["info"]])
def test_help(twingrad, tmp_path, command):
    text = twingrad(*command, "--help", cwd=tmp_path).stdout
    assert text.startswith("usage: twingrad")
    if command != ["info"]:
        assert "exit codes: 0 done; 2 bad input" in " ".join(text.split())


def test_help_tells_every_default(twingrad, tmp_path):
    text = " ".join(twingrad("train", "--help", cwd=tmp_path).stdout.split())
    for option in (
        "hidden",
        "dropout",
        "batch-norm",
        "optimizer",
        "batch-size",
        "epochs",
        "seed",
        "device",
        "lr",
        "out",
    ):
        assert re.search(rf"--{option}\b.*?\(default: ", text), option


def test_info(call):
    code, out, err = call("info")
    assert (code, err) == (0, "")
    assert "cpu_kernels" in out
    assert json.loads(call("info", "--json")[1]).keys() == tg.info.config().keys()


def test_nothing_optional_is_imported_early(tmp_path):
    code = (
        "import sys, twingrad, twingrad.cli, twingrad.cli.command; print([m for m in sys.argv[1:] if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "rich", "matplotlib", "cupy", "optuna"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_import_twingrad_takes_no_argument_parser():
    code = "import sys, twingrad; print('argparse' in sys.modules, 'twingrad.cli' in sys.modules)"
    plain = "import sys, numpy; print('argparse' in sys.modules)"
    ours, numpys = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split()
        for text in (code, plain)
    )
    assert ours == [*numpys, "False"]


def test_a_closed_pipe_is_no_error(tmp_path):
    command = f"{sys.executable} -m twingrad info | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_that_closes_before_the_table_is_no_error(tmp_path, quick):
    command = f"{sys.executable} -m twingrad train {' '.join(quick)} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_with_json_tells_what_is_known(tmp_path):
    history = tmp_path / "run" / "history.jsonl"
    arguments = ["train", "--epochs", "100000", "--device", "cpu", "--json", "--out", "run"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([sys.executable, "-m", "twingrad", *arguments], cwd=tmp_path, **pipes) as process:
        wait_for(lambda: history.exists() and history.stat().st_size, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    found = json.loads(out)
    assert process.returncode == 130
    assert err.startswith("twingrad train: interrupted in epoch")
    assert found["interrupted"] is True
    assert found["out"] == "run"
    assert 1 <= found["best_epoch"] <= found["epochs"] < 100000
    assert 0 < found["dev_accuracy"] <= 1


def test_ctrl_c_before_a_command_begins_is_one_line(monkeypatch, capsys):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "execute", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "twingrad: interrupted\n"


IMPORTING = """
import os, signal, sys
beside, handler = sys.argv.pop(1), sys.argv.pop(1)
sys.path.insert(0, beside)
signal.signal(signal.SIGINT, getattr(signal, handler))
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == "twingrad":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
from twingrad_command import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("handler", "code", "told"), [("default_int_handler", 130, "twingrad: interrupted\n"), ("SIG_IGN", 0, "")]
)
def test_ctrl_c_while_the_package_is_imported_is_one_line(handler, code, told):
    beside = Path(tg.__file__).parents[1]
    command = [sys.executable, "-c", IMPORTING, beside, handler, "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, told)


def in_terminal(arguments, cwd, act=lambda text, process: None, columns="100"):
    """Run the command in a terminal of its own; act(text so far, process) at each word of it; returns (code, text)."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    variables = os.environ | {"TERM": "xterm", "COLUMNS": columns}
    with (
        open(ours, "rb", buffering=0) as terminal,
        running([sys.executable, "-m", "twingrad", *arguments], cwd=cwd, env=variables, **streams) as process,
    ):
        os.close(theirs)
        text = ""
        for word in words(terminal):
            text += word
            act(text, process)
        return process.wait(PATIENCE), text


def words(terminal):
    """What is written to a terminal, bit by bit, until the last process that has it open ends."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    with suppress(OSError):  # which tells the end on Linux
        while select.select([terminal], [], [], PATIENCE)[0] and (read := terminal.read(65536)):
            yield decode(read)


def test_a_terminal_shows_a_progress_bar(tmp_path, quick):
    code, text = in_terminal(["train", *quick], tmp_path)
    assert code == 0
    assert re.search(r"epoch +\d/2", text)
    assert re.search(r"loss [\d.]+, dev [\d.]+; accuracy [\d.]+%, dev [\d.]+%", text)
    assert "run folder" in text


def test_a_narrow_terminal_cuts_no_word(tmp_path, quick):
    _, text = in_terminal(["train", *quick], tmp_path, columns="40")
    shown = [line for line in re.split(r"[\r\n]|\x1b\[[\d;?]*[A-Za-z]", text) if "epoch " in line]
    assert shown
    assert "…" not in text.partition("examples")[0]


def test_quiet_in_a_terminal(tmp_path, quick):
    code, text = in_terminal(["train", *quick, "--quiet"], tmp_path)
    assert (code, text) == (0, "")


def test_ctrl_c_keeps_the_best_model_and_says_where(tmp_path):
    pressed = []

    def press(text, process):
        if ", accuracy" in text and not pressed:
            pressed.append(process.send_signal(signal.SIGINT))

    code, text = in_terminal(["train", "--epochs", "100000", "--device", "cpu"], tmp_path, press)
    assert code == 130
    line = text.strip().splitlines()[-1]
    assert re.search(
        r"twingrad train: interrupted in epoch \d+: the best model so far \(epoch \d+, dev accuracy \d", line
    )
    assert "Traceback" not in text
    run = tmp_path / "runs" / "digits-1"
    assert "runs/digits-1/model.safetensors" in text.replace("\r\n", "")
    assert {"model.safetensors", "history.jsonl", "config.toml"} <= {path.name for path in run.iterdir()}
    assert len(load_model(run)) > 1
