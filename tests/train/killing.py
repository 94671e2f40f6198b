"""Runs of `twingrad train` in processes of their own, killed at random moments."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from twingrad.train import Callback

TRAIN = (sys.executable, "-m", "twingrad", "train", "--quiet")


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


def begin(folder, options):
    """A process that begins the run, or goes on with it where it left a configuration."""
    begun = (folder / "config.toml").exists()
    arguments = ("--resume", folder) if begun else (*options, "--out", folder)
    return subprocess.Popen([*TRAIN, *map(str, arguments)], stderr=subprocess.PIPE, text=True)


def finish(folder, options):
    """Run to the end; returns the seconds."""
    start = time.monotonic()
    process = begin(folder, options)
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 0, told
    return time.monotonic() - start


def kill_while_writing(process, folder, wait):
    """SIGKILL while a file of the run is being written (a draft is there), at the earliest after `wait` seconds."""
    time.sleep(wait)
    while process.poll() is None:
        if any(name.endswith(".part") for name in _names(folder)):
            break
    return _kill(process)


def kill_after(process, wait):
    """SIGKILL after `wait` seconds; whether the process was still at work."""
    time.sleep(wait)
    return _kill(process)


def _kill(process):
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def _names(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def killed_and_resumed(folder, options, seconds, seed, *, writing=False):
    """One run that is killed (while it writes, if asked for) and resumed to its end; what happened.

    Where the run ends before it could be killed, another one is, sooner.
    """
    wait = random.Random(seed).uniform(0.0, seconds)
    while not _killed(folder, options, wait, writing):
        shutil.rmtree(folder)
        wait *= 0.7
    drafts = [name for name in _names(folder) if name.endswith(".part")]
    left = sorted(_names(folder))
    finish(folder, options)
    return {
        "killed_after_seconds": round(wait, 3),
        "while_writing": ", ".join(name[1:-5] for name in drafts),
        "checkpoint_left": "last.safetensors" in left,
    }


def _killed(folder, options, wait, writing):
    process = begin(folder, options)
    return kill_while_writing(process, folder, wait) if writing else kill_after(process, wait)
