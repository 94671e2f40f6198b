"""What an installation holds, how it is built, and that it works without a compiler."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEADERS = sorted(path.name for path in (ROOT / "kernels/include").glob("*.h"))
NEEDED = [
    "twingrad/py.typed",
    "twingrad/data/digits.npz",
    "twingrad/backends/cpu.py",
    "twingrad/kernels/cpu/kernels.cpp",
    "twingrad/kernels/cuda/adam.cu",
    "twingrad/benchmarks/bench_adam.py",
    "twingrad/benchmarks/README.md",
    *(f"twingrad/kernels/include/{name}" for name in HEADERS),
    *(f"twingrad/{path.relative_to(ROOT)}" for path in sorted((ROOT / "kernels").glob("c*/*.c*"))),
]


def clean_environment(**extra):
    """The variables of this process that do not steer Python, the compiler or twingrad."""
    steering = ("PYTHONPATH", "PYTHONHOME", "CXX", "CC", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if k not in steering and not k.startswith("TWINGRAD_")}
    return kept | extra


def call(command, **options):
    """Run a command to its end; a failure shows its output."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done


def test_the_installed_package_has_its_headers_and_its_data():
    package = resources.files("twingrad")
    assert (package / "py.typed").is_file()
    assert (package / "data" / "digits.npz").is_file()
    include = resources.files("twingrad.kernels") / "include"
    assert sorted(entry.name for entry in include.iterdir() if entry.name.endswith(".h")) == HEADERS


@pytest.fixture
def given(monkeypatch):
    """What setup.py gives to setuptools."""
    seen = {}
    monkeypatch.setattr("setuptools.setup", lambda **given: seen.update(given))
    monkeypatch.chdir(ROOT)
    exec(compile((ROOT / "setup.py").read_text(encoding="utf-8"), "setup.py", "exec"), {"__name__": "setup"})
    return seen


def test_a_change_of_any_kernel_source_rebuilds_the_library(given):
    (extension,) = given["ext_modules"]
    folders = [ROOT / "kernels" / name for name in ("include", "cpu")]
    wanted = {str(path.relative_to(ROOT)) for folder in folders for path in folder.glob("*.[hc]*")}
    assert f"kernels/include/{HEADERS[0]}" in wanted
    assert wanted <= {*extension.depends, *extension.sources}


def test_every_folder_of_sources_is_a_package_that_is_installed(given):
    roots = {"src/twingrad": "twingrad", "backends": "twingrad.backends"}
    roots |= {"kernels": "twingrad.kernels", "benchmarks": "twingrad.benchmarks"}
    for folder, package in roots.items():
        for module in (ROOT / folder).rglob("*.py"):
            parts = module.parent.relative_to(ROOT / folder).parts
            assert ".".join((package, *parts)) in given["packages"], f"{module} would not be installed"


# --- builds and installations: minutes, and a package index -----------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources without anything built, as a fresh clone has them."""
    folder = tmp_path_factory.mktemp("source") / "twingrad"
    left_out = shutil.ignore_patterns(".git", "build", "dist", "*.egg-info", "*.so", ".*cache", "__pycache__", ".venv")
    shutil.copytree(ROOT, folder, ignore=left_out)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """A wheel of those sources."""
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


def build_wheel(source, folder, **environment):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source]
    call(command, cwd=folder, env=clean_environment(**environment))
    (built,) = Path(folder).glob("*.whl")
    return built


def install(wheel, folder):
    """A fresh virtual environment with the wheel in it: its twingrad command."""
    call([sys.executable, "-m", "venv", folder])
    call([folder / "bin/pip", "install", "--quiet", wheel], env=clean_environment())
    return folder / "bin/twingrad"


def train(twingrad, folder):
    """A short training: what it printed last, as JSON."""
    done = call(
        [twingrad, "train", "--epochs", "2", "--json"], cwd=folder, env=clean_environment(TWINGRAD_DEVICE="cpu")
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def holds(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to build the CPU kernels with")
def test_wheel_holds_sources_library_and_data(wheel):
    held = holds(wheel)
    assert not [name for name in NEEDED if name not in held]
    assert "twingrad/kernels/cpu/_kernels.so" in held
    assert re.fullmatch(r"twingrad-[\d.]+-py3-none-(linux|manylinux|macosx)\w+\.whl", wheel.name)
    assert not [name for name in held if name.startswith(("tests/", "kernels/", "backends/", "benchmarks/"))]
    assert not [name for name in held if name.endswith((".o", ".pyc", "_kernels.txt"))]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to build the CPU kernels with")
def test_wheel_built_from_the_sdist_is_complete_and_trains(source, wheel, tmp_path):
    code = "from setuptools.build_meta import build_sdist; print(build_sdist('dist'))"
    call([sys.executable, "-m", "venv", tmp_path / "builder"])
    call([tmp_path / "builder/bin/pip", "install", "--quiet", "setuptools>=70"], env=clean_environment())
    call([tmp_path / "builder/bin/python", "-c", code], cwd=source, env=clean_environment())
    (archive,) = (source / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    for name in ("tests/test_packaging.py", "docs/architecture.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"):
        assert (unpacked / name).is_file(), name
    again = build_wheel(unpacked, tmp_path / "wheel")
    assert holds(again) == holds(wheel)
    result = train(install(again, tmp_path / "venv"), tmp_path)
    assert result["test_accuracy"] > 0.5
    assert result["path"].startswith("fused")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["named compilers do not exist", "no compiler on the path"])
def test_without_a_compiler_the_reference_path_runs_and_says_so(how, source, tmp_path):
    if how == "named compilers do not exist":
        environment = {"CXX": "/nonexistent/c++", "CC": "/nonexistent/cc"}
    else:
        (tmp_path / "bin").mkdir()
        environment = {"PATH": str(tmp_path / "bin")}
    copy = shutil.copytree(source, tmp_path / "source")
    wheel = build_wheel(copy, tmp_path / "wheel", **environment)
    assert "twingrad/kernels/cpu/_kernels.so" not in holds(wheel)
    twingrad = install(wheel, tmp_path / "venv")
    info = json.loads(call([twingrad, "info", "--json"], cwd=tmp_path, env=clean_environment()).stdout)
    kernels = info["cpu_kernels"]
    assert kernels["available"] is False
    assert "/nonexistent/c++" in kernels["reason"] or "no C++ compiler" in kernels["reason"]
    result = train(twingrad, tmp_path)
    assert result["test_accuracy"] > 0.5
    assert result["path"].startswith("reference")
