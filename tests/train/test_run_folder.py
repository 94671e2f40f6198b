"""Run folders: claimed before training, never written over, each file whole or absent."""

import errno
import os

import pytest

import twingrad as tg
from twingrad.train import Evaluation, History, Record, RunFolder, curves
from twingrad.train.atomic import write_atomic


def record(i, dev=True):
    parts = [Evaluation(2.0 / i, {"accuracy": 1 - 0.5 / i}), Evaluation(2.2 / i, {"accuracy": 1 - 0.6 / i})]
    return Record(i, 17 * i, 0.01, *parts[: 1 + dev])


HISTORY = History([record(i) for i in range(1, 9)])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_writes_model_history_and_curves(data, make_model, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")
    tg.fit(make_model(), data, epochs=2, batch_size=16, device="cpu", out=tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == [
        "best.safetensors",
        "curves.png",
        "history.jsonl",
        "last.safetensors",
        "model.safetensors",
    ]
    assert (tmp_path / "a" / "b" / "curves.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_without_matplotlib_there_are_no_curves(data, make_model, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "available", lambda: False)
    tg.fit(make_model(), data, epochs=2, batch_size=16, device="cpu", out=tmp_path)
    assert names(tmp_path) == ["best.safetensors", "history.jsonl", "last.safetensors", "model.safetensors"]


def test_curves_need_two_epochs_and_need_no_dev_part():
    pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")
    assert curves.png(History(HISTORY.records[:1]), "x") is None
    alone = [record(i, dev=False) for i in (1, 2, 3)]
    assert curves.png(History(alone), "x").startswith(b"\x89PNG")


def test_a_folder_with_something_in_it_is_refused_and_left_alone(data, make_model, tmp_path):
    (tmp_path / "precious").write_text("1")
    with pytest.raises(FileExistsError, match="is not empty: name a new one"):
        tg.fit(make_model(), data, epochs=1, batch_size=16, device="cpu", out=tmp_path)
    assert names(tmp_path) == ["precious"]


def test_two_runs_cannot_claim_one_folder(tmp_path):
    first = RunFolder(tmp_path / "run").claim()
    with pytest.raises(FileExistsError, match=f"is in use by process {os.getpid()}; wait for it"):
        RunFolder(tmp_path / "run").claim()
    with pytest.raises(FileExistsError, match="is in use by process"):
        RunFolder(tmp_path / "run", resume=True).claim()
    first.release()
    RunFolder(tmp_path / "run").claim().release()
    assert names(tmp_path / "run") == []


def test_a_folder_in_use_is_told_before_what_is_in_it(tmp_path):
    first = RunFolder(tmp_path / "run", config="x = 1").claim()
    with pytest.raises(FileExistsError, match=f"is in use by process {os.getpid()}; wait for it"):
        RunFolder(tmp_path / "run").claim()
    first.release()
    (tmp_path / "run" / ".lock").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is not empty: name a new one, .* --resume"):
        RunFolder(tmp_path / "run").claim()
    assert (tmp_path / "run" / ".lock").read_text() == "mine"


def test_a_file_system_without_locks_is_not_in_use(tmp_path, monkeypatch):
    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("twingrad.train.lock.fcntl.flock", flock)
    with pytest.raises(OSError, match=r"output folder .*run cannot be written \(No locks available\)"):
        RunFolder(tmp_path / "run").claim()


def test_what_cannot_be_written_is_found_at_once(tmp_path):
    (tmp_path / "file").write_text("1")
    with pytest.raises(OSError, match=r"output folder .*file cannot be written \(it is a file\)"):
        RunFolder(tmp_path / "file").claim()
    with pytest.raises(OSError, match=r"cannot be written \(Not a directory\); name another one"):
        RunFolder(tmp_path / "file" / "below").claim()
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_found_at_once(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"cannot be written \(Permission denied\)"):
        RunFolder(tmp_path / "run").claim()


def test_the_next_free_number(tmp_path):
    paths = [RunFolder(tmp_path / "runs" / "digits", numbered=True).claim().path.name for _ in range(3)]
    assert paths == ["digits-1", "digits-2", "digits-3"]


def test_a_dropped_claim_leaves_no_trace_but_what_was_there(tmp_path):
    (tmp_path / "old").mkdir()
    RunFolder(tmp_path / "old" / "new" / "run", config="x = 1").claim().drop()
    RunFolder(tmp_path / "old", config="x = 1").claim().drop()
    assert names(tmp_path) == ["old"]
    assert names(tmp_path / "old") == []


def test_an_error_in_training_drops_the_claim(data, make_model, tmp_path):
    def fail(record):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        tg.fit(make_model(), data, epochs=1, batch_size=16, device="cpu", out=tmp_path / "run", callbacks=[fail])
    assert names(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]
