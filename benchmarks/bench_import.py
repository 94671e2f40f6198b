"""A cold process: the import alone, beside NumPy's; and import and first training step, beside PyTorch's and JAX's.

    python -m twingrad.benchmarks.bench_import
    pytest benchmarks/bench_import.py

Timed is a whole new interpreter, from its start to its end, with bytecode compiled, as pip leaves it; "Python" is one
that does nothing. The step is forward, backward and Adam of 64-64-10 on a batch of 64, as one writes it in each library
(twingrad's not captured). `python -X importtime -c "import twingrad"` tells where the time of an import goes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from twingrad.benchmarks import driver, machine
from twingrad.benchmarks.worker import Prepared

Case = dict[str, Any]
IMPORT, STEP = "import", "import and first step"
CASES: dict[str, Case] = {
    IMPORT: {"runs": IMPORT},
    STEP: {"runs": STEP, "targets": {"PyTorch": 4}},
}
DATA = """
import numpy as np
x = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
y = np.arange(64) % 10
"""
CODE: dict[str, dict[str, str]] = {
    "twingrad": {
        IMPORT: "import twingrad",
        STEP: DATA
        + """
from twingrad import functional as F, nn, optim
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), seed=0)
optimizer = optim.Adam(model, lr=1e-3)
loss = F.softmax_cross_entropy(model(x), y)
loss.backward()
optimizer.step()
print(float(loss))
""",
    },
    "Python": {IMPORT: ""},
    "NumPy": {IMPORT: "import numpy"},
    "PyTorch": {
        IMPORT: "import torch",
        STEP: DATA
        + """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss = nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y))
loss.backward()
optimizer.step()
print(loss.item())
""",
    },
    "JAX": {
        IMPORT: "import jax",
        STEP: DATA
        + """
import jax, jax.numpy as jnp, optax
first, second = jax.random.split(jax.random.key(0))
weights = jax.random.normal(first, (64, 64)) / 8, jax.random.normal(second, (64, 10)) / 8
optimizer = optax.adam(1e-3)
def loss_of(weights):
    logits = jax.nn.relu(x @ weights[0]) @ weights[1]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
@jax.jit
def step(weights, state):
    loss, gradients = jax.value_and_grad(loss_of)(weights)
    updates, state = optimizer.update(gradients, state)
    return optax.apply_updates(weights, updates), state, loss
weights, state, loss = step(weights, optimizer.init(weights))
print(float(loss))
""",
    },
}
MODULES = {"PyTorch": ("torch",), "JAX": ("jax", "optax")}


def cold(who: str, case: Case) -> Prepared:
    """A step is a new interpreter, which keeps compiled bytecode in a folder that the first one fills."""
    for module in MODULES.get(who, ()):
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"{module} is not installed: pip install 'twingrad[oracle]'")
    if case["runs"] not in CODE[who]:
        raise ImportError("it has no training step")
    folder = tempfile.TemporaryDirectory()
    environment = machine.environment() | {"PYTHONPYCACHEPREFIX": folder.name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-P", "-c", CODE[who][case["runs"]]]

    def step() -> str:
        assert folder.name  # it lives as long as this function
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    return Prepared(step, lambda: [float(loss) for loss in step().split()])


def agree(case: Case, checks: Mapping[str, Sequence[float]]) -> None:
    """The first loss of ten classes by weights that each library draws for itself: near that of guesses."""
    for who, seen in checks.items():
        if case["runs"] == STEP:
            np.testing.assert_allclose(seen, [np.log(10)], atol=0.7, err_msg=who)


WORKLOAD = driver.Workload(
    name="cold process",
    module="twingrad.benchmarks.bench_import",
    cases=CASES,
    contenders={who: partial(cold, who) for who in CODE},
    base="twingrad",
    agree=agree,
)


def test_import_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """Each ends without an error; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
