"""What an installation holds, how it is built, and that it works without a compiler."""

from __future__ import annotations

import json
import os
import platform
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


ELF = b"\x7fELF...\0"


@pytest.mark.parametrize(
    ("strings", "tag"),
    [
        (b"\0libm.so.6\0libc.so.6\0GLIBC_2.2.5\0GLIBC_2.28\0", "manylinux_2_28"),
        (b"\0libc.so.6\0libpthread.so.0\0ld-linux-x86-64.so.2\0GLIBC_2.3.4\0", "manylinux_2_17"),
        (b"\0libc.so.6\0GLIBC_2.9\0GLIBC_2.34\0", "manylinux_2_34"),
        (b"\0libstdc++.so.6\0libc.so.6\0GLIBC_2.28\0", None),  # not always there, or too old: auditwheel's business
        (b"\0libc.musl-x86_64.so.1\0", None),
    ],
    ids=["newest counts", "never older than 2.17", "numbers, not text", "libstdc++", "musl"],
)
def test_tag_of_a_library_follows_what_it_needs(given, tmp_path, strings, tag):
    library = tmp_path / "_kernels.so"
    library.write_bytes(ELF + strings + b"\0tg_run\0")
    manylinux = given["cmdclass"]["bdist_wheel"].get_tag.__globals__["manylinux"]
    assert manylinux(library) == tag
    assert manylinux(tmp_path / "absent.so") is None


def test_every_folder_of_sources_is_a_package_that_is_installed(given):
    roots = {"src/twingrad": "twingrad", "backends": "twingrad.backends"}
    roots |= {"kernels": "twingrad.kernels", "benchmarks": "twingrad.benchmarks"}
    for folder, package in roots.items():
        for module in (ROOT / folder).rglob("*.py"):
            parts = module.parent.relative_to(ROOT / folder).parts
            assert ".".join((package, *parts)) in given["packages"], f"{module} would not be installed"


# --- builds and installations: minutes, and a package index -----------------------------------------------------------

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to build the CPU kernels with")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources without anything built, as a fresh clone has them."""
    folder = tmp_path_factory.mktemp("source") / "twingrad"
    left_out = shutil.ignore_patterns(".git", "build", "dist", "*.egg-info", "*.so", ".*cache", "__pycache__", ".venv")
    shutil.copytree(ROOT, folder, ignore=left_out)
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """The programs of a virtual environment that builds and audits wheels."""
    folder = tmp_path_factory.mktemp("tools")
    call([sys.executable, "-m", "venv", folder])
    call([folder / "bin/pip", "install", "--quiet", "build", "auditwheel"], env=clean_environment())
    return folder / "bin"


@pytest.fixture(scope="module")
def built(source, tools, tmp_path_factory):
    """What `python -m build` makes: the sdist, and of it the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    done = call([tools / "python", "-m", "build", "--outdir", folder, source], cwd=folder, env=clean_environment())
    assert "absent from" not in done.stdout + done.stderr, "setuptools wants a package to be named"
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return archive, wheel


def build_wheel(source, folder, **environment):
    """A wheel as `pip install` of a checkout makes it."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source]
    call(command, cwd=folder, env=clean_environment(**environment))
    (built,) = Path(folder).glob("*.whl")
    return built


def install(wheel, folder, **environment):
    """A fresh virtual environment with the wheel in it: its twingrad command."""
    call([sys.executable, "-m", "venv", folder])
    call([folder / "bin/pip", "install", "--quiet", wheel], env=clean_environment(**environment))
    return folder / "bin/twingrad"


def train(twingrad, folder, **environment):
    """A short training: what it printed last, as JSON."""
    steering = {"TWINGRAD_DEVICE": "cpu", **environment}
    done = call([twingrad, "train", "--epochs", "2", "--json"], cwd=folder, env=clean_environment(**steering))
    return json.loads(done.stdout.strip().splitlines()[-1])


def holds(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
@needs_compiler
def test_wheel_holds_sources_library_and_data(built):
    held = holds(built[1])
    assert not [name for name in NEEDED if name not in held]
    assert "twingrad/kernels/cpu/_kernels.so" in held
    assert not [name for name in held if name.startswith(("tests/", "kernels/", "backends/", "benchmarks/"))]
    assert not [name for name in held if name.endswith((".o", ".pyc", "_kernels.txt"))]


@pytest.mark.slow
@needs_compiler
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="manylinux is of systems with glibc")
def test_wheel_is_for_any_python_3_and_the_manylinux_that_auditwheel_finds(built, tools):
    (tag,) = re.fullmatch(r"twingrad-[\d.]+-py3-none-(manylinux_\d+_\d+_\w+)\.whl", built[1].name).groups()
    told = call([tools / "auditwheel", "show", built[1]], env=clean_environment()).stdout
    assert f'platform tag: "{tag}"' in " ".join(told.split())


@pytest.mark.slow
@needs_compiler
def test_sdist_is_complete_and_the_wheel_of_a_checkout_holds_the_same(source, built, tmp_path):
    archive, wheel = built
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    needed = ("tests/test_packaging.py", "docs/architecture.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
    assert not [name for name in needed if name not in names]
    assert not [name for name in names if name.endswith((".so", ".o", ".pyc"))]
    again = build_wheel(source, tmp_path / "wheel")
    assert again.name == wheel.name
    assert holds(again) == holds(wheel)


@pytest.mark.slow
@needs_compiler
def test_wheel_trains_with_kernels_on_a_machine_without_a_compiler(built, tmp_path):
    (tmp_path / "bin").mkdir()
    hidden = {"PATH": str(tmp_path / "bin")}
    assert not [name for name in ("g++", "c++", "clang++", "gcc", "cc") if shutil.which(name, path=hidden["PATH"])]
    twingrad = install(built[1], tmp_path / "venv", **hidden, PIP_ONLY_BINARY=":all:")
    info = json.loads(call([twingrad, "info", "--json"], cwd=tmp_path, env=clean_environment(**hidden)).stdout)
    assert info["cpu_kernels"]["available"], info["cpu_kernels"]
    result = train(twingrad, tmp_path, **hidden)
    assert result["test_accuracy"] > 0.3
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
    assert result["test_accuracy"] > 0.3
    assert result["path"].startswith("reference")
