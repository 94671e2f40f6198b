"""Training steps on a GPU: the first of a cold process, then one after another, beside PyTorch where it finds the GPU.

    python -m twingrad.benchmarks.gpu_step [--device cuda] [--quick]      # prints one JSON object

Forward, backward and Adam, uncaptured, with losses compared before anything is timed; in each precision PyTorch's same
mode is the peer: TF32 allowed for its products, or autocast to bfloat16. The first step is timed from the
start of a process to the end of the step: with an empty cache of compiled kernels, and once more with what that left.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from twingrad import backends, devices, optim
from twingrad import functional as F
from twingrad.benchmarks import machine
from twingrad.benchmarks.networks import Case, network, noise, torch_model, twingrad_model
from twingrad.precision import use_precision

TOLERANCE = {"float32": 2e-3, "tf32": 5e-3, "bf16": 2e-2}
"""How far the losses of the two libraries may be apart, of their size, in each precision."""


def in_precisions(case: tuple[str, Case], *precisions: str) -> dict[str, Case]:
    """A case by its name, in each of the precisions."""
    name, settings = case
    return {f"{name}, {precision}": settings | {"precision": precision} for precision in precisions}


CASES = in_precisions(
    network([784, 512, 512, 10], 128, batch_norm=True, dropout=0.2), "float32", "tf32", "bf16"
) | in_precisions(network([4096, 8192, 8192, 4096], 8192, large=True), "tf32", "bf16")
SMALL = in_precisions(network([64, 32, 10], 16, batch_norm=True, dropout=0.2), *TOLERANCE)
COMPARED = 5
"""Steps without dropout whose losses must agree."""

Run = Callable[[], Any]
Wait = Callable[[], None]


def twingrad_step(case: Case, device: str, dropout: float) -> tuple[Run, Wait]:
    """A step that returns its loss, and what waits for the device."""
    backend, model = backends.get(device), twingrad_model(case, dropout)
    x, y = (backend.asarray(array) for array in noise(case, case["batch"]))
    model.to(device)
    optimizer = optim.Adam(model, lr=case["lr"])

    def run() -> Any:
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return run, backend.synchronize


def torch_step(case: Case, device: str, dropout: float) -> tuple[Run, Wait]:
    """The same in PyTorch, with its fused Adam. Raises ImportError where it is absent or does not find the GPU."""
    torch = machine.require("torch")
    if device != "cpu" and not torch.cuda.is_available():
        raise ImportError(f"torch {torch.__version__} finds no GPU")
    model = torch_model(case, dropout).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=case["lr"], fused=True)
    x, y = (torch.from_numpy(array).to(device) for array in noise(case, case["batch"]))
    torch.set_float32_matmul_precision("high" if case["precision"] == "tf32" else "highest")
    kind, low = device.partition(":")[0], case["precision"] == "bf16"

    def run() -> Any:
        with torch.autocast(kind, torch.bfloat16, enabled=low):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run, (lambda: None) if device == "cpu" else torch.cuda.synchronize


CONTENDERS = {"twingrad": twingrad_step, "PyTorch": torch_step}


def timed(run: Run, wait: Wait, seconds: float) -> dict[str, float]:
    """Microseconds a step: the median and the quartiles of groups that each take a twentieth of `seconds`."""
    for _ in range(3):
        run()
    wait()
    start = time.perf_counter()
    run()
    wait()
    count = max(1, int(seconds / 20 / (time.perf_counter() - start)))
    groups = [_group(run, wait, count) for _ in range(20)]
    low, middle, high = statistics.quantiles(groups, n=4)
    return {"median_us": middle, "low_us": low, "high_us": high}


def _group(run: Run, wait: Wait, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    wait()
    return (time.perf_counter() - start) / count * 1e6


def measured(case: Case, device: str, seconds: float) -> dict[str, Any]:
    """Each contender's times, or why there are none. Raises AssertionError where their losses differ."""
    found: dict[str, Any] = {}
    losses: dict[str, Sequence[float]] = {}
    for who, make in CONTENDERS.items():
        try:
            with use_precision(case["precision"]):
                run, _ = make(case, device, 0.0)
                losses[who] = [float(run()) for _ in range(COMPARED)]
                found[who] = timed(*make(case, device, case["dropout"]), seconds)
        except ImportError as error:
            found[who] = str(error)
    for who in losses:
        np.testing.assert_allclose(
            losses[who], losses["twingrad"], rtol=TOLERANCE[case["precision"]], err_msg=f"twingrad and {who}"
        )
    return found


def first_steps(device: str) -> dict[str, float]:
    """Seconds from the start of a process to the end of its first step: with no kernels kept, and with all."""
    code = f"from twingrad.benchmarks import gpu_step as g; g.one({device!r})"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TWINGRAD_CACHE_DIR": folder}
        found = {}
        for name in ("cold_cache_s", "warm_cache_s"):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=environment, check=True)
            found[name] = time.perf_counter() - start
    return found


def one(device: str) -> None:
    """One step of the first case."""
    run, wait = twingrad_step(next(iter(CASES.values())), device, 0.2)
    run()
    wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the JSON object; exit code 1 where a loss differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="one small network, for a look")
    given = parser.parse_args(argv)
    device = str(devices.resolve(given.device))
    cases, seconds = (SMALL, 0.1) if given.quick else (CASES, 4.0)
    steps = {name: measured(case, device, seconds) for name, case in cases.items()}
    print(json.dumps({"device": device, "first_step": first_steps(device), "steps": steps}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
