"""The cache of compiled kernels: hit, key, damage, two processes, a folder that cannot be written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import warnings
from contextlib import ExitStack

import pytest

from twingrad.cli import main
from twingrad.kernels.cuda import build, cache
from twingrad.kernels.cuda.nvrtc import Built

from processes import PATIENCE, running


class Counting:
    """A compiler that counts, and whose machine code is what it was given."""

    architectures = (75, 80, 90)
    path = "libnvrtc.so"

    def __init__(self, version=(13, 0)):
        self.version = version
        self.compiled = 0

    def compile(self, source, headers, options, name):
        self.compiled += 1
        text = repr((source, sorted(headers.items()), options)).encode()
        return Built(b"cubin" + text, b"ptx" + text, "")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TWINGRAD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_told", set())
    return tmp_path / "cache"


def test_the_second_time_nothing_is_compiled(folder):
    compiler = Counting()
    first = build.image("adam", 90, compiler)
    assert build.image("adam", 90, compiler) == first
    assert build.image("adam", 90, Counting()) == first
    assert compiler.compiled == 1
    assert len(list(folder.iterdir())) == 1


def test_each_thing_that_matters_makes_another_key(folder, monkeypatch):
    build.image("adam", 90, Counting())
    others = []
    for name, capability, version in (("sgd", 90, (13, 0)), ("adam", 80, (13, 0)), ("adam", 90, (13, 1))):
        others.append(Counting(version))
        build.image(name, capability, others[-1])
    monkeypatch.setattr(build, "OPTIONS", (*build.OPTIONS, "--extra"))
    others.append(Counting())
    build.image("adam", 90, others[-1])
    assert [compiler.compiled for compiler in others] == [1, 1, 1, 1]
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("edited", ["adam.h", "base.h", "grid.cuh", "adam.cu"])
def test_an_edit_of_any_file_that_goes_in_compiles_anew(tmp_path, monkeypatch, edited):
    build.image("adam", 90, Counting())
    for name in ("SOURCES", "HEADERS"):
        copy = tmp_path / name
        shutil.copytree(getattr(build, name), copy)
        monkeypatch.setattr(build, name, copy)
    compiler = Counting()
    build.image("adam", 90, compiler)
    assert compiler.compiled == 0
    (path,) = [p for p in (tmp_path / "SOURCES" / edited, tmp_path / "HEADERS" / edited) if p.exists()]
    path.write_text(path.read_text() + "\n// edited\n")
    assert b"// edited" in build.image("adam", 90, compiler)
    assert compiler.compiled == 1


def test_headers_are_those_that_are_included_and_no_others():
    source, headers = build.read("activations")
    assert '#include "elementwise.cuh"' in source
    assert "grid.cuh" in headers  # which that one includes
    assert "philox.h" not in headers


@pytest.mark.parametrize(
    "damage", [b"", b"twingrad", lambda d: d[:-1], lambda d: d + b"x", lambda d: d[:200] + b"~" + d[201:]]
)
def test_a_damaged_file_is_replaced(folder, damage):
    content = build.image("adam", 90, Counting())
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole) if callable(damage) else damage)
    compiler = Counting()
    assert build.image("adam", 90, compiler) == content
    assert compiler.compiled == 1
    assert file.read_bytes() == whole


def test_a_write_that_fails_leaves_nothing_behind(folder, monkeypatch):
    def fail(source, destination):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(cache.CacheWarning, match="disk full"):
        cache.store("name", b"content")
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_once_and_the_work_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TWINGRAD_CACHE_DIR", str(tmp_path / "file" / "cache"))
    compiler = Counting()
    with pytest.warns(cache.CacheWarning, match=r"cannot be kept in .*cache .*TWINGRAD_CACHE_DIR"):
        first = build.image("adam", 90, compiler)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build.image("adam", 90, compiler) == first
    assert compiler.compiled == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_one_that_cannot_be_written(folder):
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.warns(cache.CacheWarning, match="cannot be kept"):
        build.image("adam", 90, Counting())


def test_many_processes_at_once_leave_whole_files(folder):
    code = (
        "from twingrad.kernels.cuda import cache\n"
        "content = b'k' * 3_000_000\n"
        "for _ in range(20):\n"
        "    cache.store('name', content)\n"
        "    assert cache.load('name') == content\n"
    )
    with ExitStack() as stack:
        processes = [stack.enter_context(running([sys.executable, "-c", code])) for _ in range(3)]
        assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    assert [file.name for file in folder.iterdir()] == ["name"]


def test_clearing_removes_kernels_and_what_interrupted_writes_left_and_nothing_else(folder):
    for name in ("adam", "sgd"):
        build.image(name, 90, Counting())
    kept = sorted(folder.iterdir())
    left = folder / f".{kept[0].name}.x8f_k2"
    left.write_bytes(b"half")
    mine = [folder / name for name in ("notes.txt", ".profile", "adam-sm_90")]
    for path in mine:
        path.write_text("mine")
    size = sum(path.stat().st_size for path in kept) + 4
    assert cache.clear() == (folder, 3, size)
    assert sorted(folder.iterdir()) == sorted(mine)
    assert cache.clear() == (folder, 0, 0)


def test_clearing_where_there_is_no_folder_removes_nothing(folder):
    assert cache.clear() == (folder, 0, 0)


def test_the_command_clears(folder, capsys):
    build.image("adam", 90, Counting())
    assert main(["cache", "clear"]) == 0
    assert re.fullmatch(rf"removed 1 compiled kernels, 0\.\d MB, from {folder}\n", capsys.readouterr().out)
    assert main(["cache", "clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "files": 0, "bytes": 0}
    assert main(["cache", "claer"]) == 2
    assert "did you mean clear?" in capsys.readouterr().err
    assert main(["cache"]) == 2


def test_the_folder_follows_the_usual_variables(monkeypatch):
    monkeypatch.delenv("TWINGRAD_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(os.sep, "x"))
    assert str(cache.folder()) == os.path.join(os.sep, "x", "twingrad")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", os.path.join(os.sep, "h"))
    assert str(cache.folder()) == os.path.join(os.sep, "h", ".cache", "twingrad")


def test_a_gpu_newer_than_the_compiler_gets_ptx():
    assert build.image("adam", 130, Counting()).startswith(b"ptx")


def test_the_real_compiler_through_the_cache(nvrtc):
    first = build.image("sgd", 90, nvrtc)
    assert first[:4] == b"\x7fELF"
    assert cache.load(next(file.name for file in cache.folder().iterdir())) == first
