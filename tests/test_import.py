"""What `import twingrad` does not do: import what is optional, or change anything in the process."""

import importlib
import json
import subprocess
import sys

import pytest

OPTIONAL = {
    "cupy",
    "torch",
    "jax",
    "optax",
    "sklearn",
    "onnxruntime",
    "optuna",
    "rich",
    "matplotlib",
    "pytest",
    "hypothesis",
    "array_api_strict",
    "argparse",
    "multiprocessing",
    "concurrent",
    "asyncio",
    "http",
    "twingrad.adversarial",
    "twingrad.analysis",
    "twingrad.augment",
    "twingrad.cli",
    "twingrad.gan",
    "twingrad.gradcheck",
    "twingrad.tune",
    "twingrad.benchmarks",
    "twingrad.kernels.cpu.overrides",
    "twingrad.kernels.cuda",
}


def run(code, tmp_path):
    """What `code`, run in a new interpreter away from the repository, prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "module", ["twingrad", "twingrad.nn", "twingrad.functional", "twingrad.kernels", "twingrad.backends"]
)
def test_nothing_optional_is_imported(module, tmp_path):
    loaded = set(run(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))", tmp_path))
    assert "twingrad" in loaded
    assert "numpy" in loaded
    assert not loaded & OPTIONAL


def test_every_public_name_is_there_also_what_is_imported_at_its_first_use(tmp_path):
    code = "import json, twingrad as tg; print(json.dumps([name for name in tg.__all__ if not hasattr(tg, name)]))"
    assert run(code, tmp_path) == []
    code = "import json; from twingrad import *; print(json.dumps([gan.__name__, tune.__name__, check_grads.__name__]))"
    assert run(code, tmp_path) == ["twingrad.gan", "twingrad.tune", "check_grads"]
    code = "import json, twingrad as tg; print(json.dumps([name for name in dir(tg) if name[0] != '_']))"
    assert run(code, tmp_path) == sorted(importlib.import_module("twingrad").__all__)
    with pytest.raises(AttributeError, match="module 'twingrad' has no attribute 'nothing'"):
        importlib.import_module("twingrad").nothing  # noqa: B018


STATE = """
import ctypes, gc, importlib, json, locale, os, random, signal, sys, threading, warnings
import numpy as np

def state():
    umath = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    blas = getattr(umath, "scipy_openblas_get_num_threads64_", lambda: 0)
    with warnings.catch_warnings(record=True):
        tiny = (np.full(4, 1e-40, np.float32) * np.float32(0.5)).tobytes().hex()
    maps = open("/proc/self/maps").read() if os.path.exists("/proc/self/maps") else ""
    tasks = os.listdir("/proc/self/task") if os.path.exists("/proc/self/task") else []
    return {
        "BLAS threads": blas(),
        "operating-system threads": len(tasks),
        "Python threads": threading.active_count(),
        "compiled kernels loaded": "_kernels.so" in maps,
        "subnormal arithmetic": tiny,
        "environment": sorted(os.environ.items()),
        "warning filters": repr(warnings.filters),
        "signal handlers": [repr(signal.getsignal(s)) for s in sorted(signal.valid_signals())],
        "NumPy's error state": np.geterr(),
        "NumPy's print options": repr(np.get_printoptions()),
        "NumPy's random state": repr(np.random.get_state()),
        "random state": hash(random.getstate()),
        "hooks": repr([sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook, sys.gettrace()]),
        "import path": sys.path,
        "streams": repr([sys.stdout, sys.stderr]),
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "garbage collector": [gc.get_threshold(), gc.isenabled()],
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
    }

state()
before = state()
{do}
after = state()
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
"""


def changes(do, tmp_path):
    return run(STATE.replace("{do}", do), tmp_path)


def test_an_import_changes_nothing_in_the_process(tmp_path):
    assert changes("import twingrad, twingrad.nn, twingrad.optim", tmp_path) == {}


TRAIN = """
import twingrad as tg
from twingrad import nn, optim, functional as F
model = nn.Sequential(nn.Linear(200, 300), nn.BatchNorm(300), nn.ReLU(), nn.Dropout(0.2), nn.Linear(300, 10))
optimizer = optim.Adam(model)
def step(x, y):
    loss = F.softmax_cross_entropy(model(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss
from twingrad.kernels import cpu
steps = [step] + [tg.capture(step)] * cpu.available()
x, y = np.ones((128, 200), np.float32), np.zeros(128, int)
for each in steps * 2:
    each(x, y)
"""


def test_training_leaves_behind_only_the_kernels_and_their_threads(tmp_path):
    """The BLAS in particular has its threads back."""
    assert changes(TRAIN, tmp_path).keys() <= {"operating-system threads", "compiled kernels loaded"}


def test_a_change_would_be_seen(tmp_path):
    do = "import os, warnings; os.environ['SOME'] = '1'; warnings.simplefilter('ignore'); np.seterr(all='raise')"
    assert changes(do, tmp_path).keys() == {"environment", "warning filters", "NumPy's error state"}
