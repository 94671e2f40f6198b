"""All the packaging logic: maps the top-level folders into the package and builds the optional CPU kernels."""

import importlib.util
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

MAPPED = {"backends": "twingrad.backends", "kernels": "twingrad.kernels", "benchmarks": "twingrad.benchmarks"}
# Folders that hold no module; setuptools wants them named.
DATA = ["twingrad.kernels.include", "twingrad.benchmarks.results", "twingrad.benchmarks.results.claims"]

LIBRARY = "twingrad.kernels.cpu._kernels"
SOURCES = ["kernels/cpu/pool.cpp", "kernels/cpu/program.cpp", "kernels/cpu/kernels.cpp"]
STAMP = runpy.run_path("kernels/cpu/sources.py")
# No errno, or sqrt is not vectorised; no contraction, or results differ from the same expression in NumPy.
FLAGS = ["-O3", "-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-pthread"]
FLAGS += ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]
X86 = {"v2": [], "v3": [], "v4": ["-mprefer-vector-width=512"]}
GLIBC = re.compile(rb"(libc|libm|libpthread|libdl|librt|ld-linux[\w-]*)\.so\.\d+")


def packages():
    """The packages under src/, and each mapped folder with its sub-packages."""
    found = find_packages("src") + DATA
    for folder, package in MAPPED.items():
        found += [package] + [f"{package}.{name}" for name in find_packages(folder)]
    return found


def compiler():
    """The C++ compiler's command: CXX, else the first one found. OSError where there is none."""
    named = os.environ.get("CXX", "").split()
    for command in [named] if named else [["g++"], ["c++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    if named:
        raise OSError(f"CXX={' '.join(named)} named no C++ compiler that was found at install")
    raise OSError("no C++ compiler (g++, c++ or clang++) was found at install; set CXX to name one")


def variants():
    """The flags of each instruction set's copy of the kernels."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return {"baseline": ["-DTG_ISA=baseline"]}
    return {isa: [f"-DTG_ISA={isa}", f"-march=x86-64-{isa}", *extra] for isa, extra in X86.items()}


def manylinux(library):
    """The tag of the oldest systems that the library runs on, as "manylinux_2_34" (PEP 600), or None.

    It may need nothing beside glibc's own libraries; their newest version that a symbol asks for is the tag's. Both are
    names in the library's table of strings. `auditwheel show` comes to the same tag: tests/test_packaging.py.
    """
    names = library.read_bytes().split(b"\0") if library.exists() else []
    others = [n for n in names if re.fullmatch(rb"[\w+-]+\.so[.\d]*", n) and not GLIBC.fullmatch(n)]
    found = [tuple(map(int, m[1].split(b"."))) for n in names if (m := re.fullmatch(rb"GLIBC_(2\.\d+)[.\d]*", n))]
    denied = importlib.util.find_spec("_manylinux")  # how a system says that it is none of them
    return None if others or denied or not found else "manylinux_{}_{}".format(*max(*found, (2, 17)))


class BuildKernels(build_ext):
    """Compiles the kernels into one plain C library, for every Python; a failure is written beside it, not raised."""

    def get_ext_filename(self, fullname):
        return str(Path(*fullname.split(".")).with_suffix(".so"))

    def build_extension(self, ext):
        library = Path(self.get_ext_fullpath(ext.name))
        library.parent.mkdir(parents=True, exist_ok=True)
        reason = library.with_suffix(".txt")
        reason.unlink(missing_ok=True)
        try:
            self.compile(library)
        except (OSError, subprocess.CalledProcessError) as error:
            library.unlink(missing_ok=True)
            detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[:3]
            reason.write_text(" ".join(detail) + "\n")
            print(
                f"twingrad: CPU kernels are not built, the reference path will run: {' '.join(detail)}", file=sys.stderr
            )

    def copy_extensions_to_source(self):
        """For an editable install: the library, or the reason why there is none, goes beside the sources."""
        for ext in self.extensions:
            built = Path(self.build_lib, self.get_ext_filename(ext.name))
            home = Path(self.get_finalized_command("build_py").get_package_dir(ext.name.rpartition(".")[0]))
            for file in (built, built.with_suffix(".txt")):
                (home / file.name).unlink(missing_ok=True)
                if file.exists():
                    shutil.copy2(file, home)

    def compile(self, library):
        command, objects = compiler(), Path(self.build_temp).resolve()
        objects.mkdir(parents=True, exist_ok=True)
        stamp = f'-DTG_SOURCES="{STAMP["digest"]()}"'
        jobs = [(name, f"kernels/cpu/{name}.cpp", [stamp]) for name in ("pool", "program")]
        jobs += [(isa, "kernels/cpu/kernels.cpp", flags) for isa, flags in variants().items()]
        calls = [[*command, *FLAGS, *flags, "-c", source, "-o", objects / f"{name}.o"] for name, source, flags in jobs]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.call, calls))
        linked = [str(objects / f"{name}.o") for name, _, _ in jobs]
        fresh = library.with_suffix(".new")
        self.call([*command, "-shared", "-pthread", *linked, "-lm", "-o", str(fresh)])
        fresh.replace(library)  # never write into a library that a running process has mapped

    def call(self, command):
        subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)


class AnyPythonWheel(bdist_wheel):
    """The library has a plain C interface: the wheel depends on the platform, not on the Python."""

    def get_tag(self):
        system = super().get_tag()[2]
        library = Path(self.get_finalized_command("build_ext").get_ext_fullpath(LIBRARY))
        if system.startswith("linux_") and not self.plat_name_supplied:
            system = system.replace("linux", manylinux(library) or "linux", 1)
        return ("py3", "none", system)


setup(
    name="twingrad",
    version="0.1.0",
    description=(
        "One code, two devices: a deep-learning framework on the array API standard "
        "with fused kernels for NumPy and CuPy."
    ),
    python_requires=">=3.11",
    package_dir={"": "src", **{package: folder for folder, package in MAPPED.items()}},
    packages=packages(),
    py_modules=["twingrad_command"],
    include_package_data=True,
    ext_modules=[Extension(LIBRARY, SOURCES, depends=[os.path.relpath(path) for path in STAMP["files"]()])],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": AnyPythonWheel},
    install_requires=["numpy>=2.0", "array-api-compat>=1.11", "safetensors>=0.5", "rich>=13"],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14", "nvmath-python>=1.0; platform_system != 'Darwin'"],
        "cuda13": ["cupy-cuda13x[ctk]>=14", "nvmath-python>=1.0; platform_system != 'Darwin'"],
        "bf16": ["ml_dtypes>=0.5"],
        "plot": ["matplotlib>=3.8"],
        "tune": ["optuna>=4.0"],
        "test": ["pytest>=8", "pytest-benchmark>=5", "hypothesis>=6.100", "array-api-strict>=2.3", "setuptools>=70.1"],
        "bench": ["pytest>=8", "pytest-benchmark>=5"],
        "dev": ["ruff==0.17.*", "mypy==2.4.*"],
        "oracle": [
            "torch==2.13.0",
            "jax",
            "optax",
            "scikit-learn",
            "scipy>=1.17",
            "statsmodels",
            "array-api-extra>=0.11",
            "autograd",
            "nvidia-cuda-nvrtc",
            "optuna>=4.0",
        ],
    },
    entry_points={"console_scripts": ["twingrad = twingrad_command:main"]},
)
