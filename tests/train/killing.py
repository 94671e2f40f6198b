"""Runs of `twingrad train` in processes of their own that are killed, and the files that they leave."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from twingrad.train import Callback

from processes import PATIENCE, running, wait_for

TRAIN = (sys.executable, "-m", "twingrad", "train", "--quiet")
DYING = """
import os, signal, sys
from twingrad.cli import main

name, count, calls = sys.argv[1], int(sys.argv[2]), []
whole = getattr(os, name)

def counted(*arguments):
    calls.append(arguments)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments)

setattr(os, name, counted)
sys.exit(main(sys.argv[3:]))
"""


class CutAt(Callback):
    """SIGTERM after so many updates."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def files(folder):
    """The content of every file of a run folder."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def drafts(folder):
    """The files that were being written when the run was killed."""
    return [path.name[1:-5] for path in folder.glob(".*.part")]


def begin(folder, options):
    """A process that begins the run, or goes on with it where it left a configuration, for a `with` block."""
    begun = (folder / "config.toml").exists()
    return running([*TRAIN, *(("--resume", folder) if begun else (*options, "--out", folder))], stderr=subprocess.PIPE)


def finish(folder, options):
    """Run to the end; returns the seconds."""
    start = time.monotonic()
    with begin(folder, options) as process:
        told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, told
    return time.monotonic() - start


def killed_in_call(folder, options, name, count):
    """A run that kills itself when it calls os.NAME for the COUNTth time: before the call."""
    command = [sys.executable, "-c", DYING, name, str(count), "train", "--quiet", *options, "--out", str(folder)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL, done.stderr


def killed_and_resumed(folder, options, seconds, seed, *, writing=False):
    """One run that is killed at a random moment (while it writes, if asked for) and resumed to its end; what happened.

    Where the run ends before it could be killed, another one is, sooner.
    """
    wait = random.Random(seed).uniform(0.0, seconds)
    while not _killed(folder, options, wait, writing):
        shutil.rmtree(folder)
        wait *= 0.7
    found = {
        "killed_after_seconds": round(wait, 3),
        "while_writing": ", ".join(drafts(folder)),
        "checkpoint_left": (folder / "last.safetensors").exists(),
    }
    finish(folder, options)
    return found


def _killed(folder, options, wait, writing):
    """SIGKILL after `wait` seconds, and then, if asked for, once a draft is there; whether it was still at work."""
    with begin(folder, options) as process:
        time.sleep(wait)
        if writing:
            wait_for(lambda: process.poll() is not None or drafts(folder))
        return process.poll() is None
