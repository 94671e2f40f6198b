"""Training steps on a GPU: the first of a cold process, one after another, and an epoch, beside PyTorch where it is.

    python -m twingrad.benchmarks.gpu_step [--device cuda] [--quick]      # prints one JSON object

Forward, backward and Adam, captured and not, with losses compared before anything is timed. PyTorch runs eager and as
one CUDA graph of the whole step, in the same mode: TF32 allowed for its products, or autocast to bfloat16; both have
their batch on the GPU. The first step is timed from the start of a process to the end of the step: with an empty cache
of compiled kernels, and once more with what that left. The epoch gathers mini-batches from 60,000 images that lie on
the GPU, in an order drawn for it.
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
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import twingrad as tg
from twingrad import backends, devices, optim
from twingrad import functional as F
from twingrad.benchmarks import machine
from twingrad.benchmarks.networks import Case, network, noise, torch_model, twingrad_model
from twingrad.precision import use_precision

TOLERANCE = {"float32": 2e-3, "tf32": 5e-3, "bf16": 2e-2}
"""How far the losses of two contenders may be apart, of their size, in each precision."""


def in_precisions(case: tuple[str, Case], *precisions: str) -> dict[str, Case]:
    """A case by its name, in each of the precisions."""
    name, settings = case
    return {f"{name}, {precision}": settings | {"precision": precision} for precision in precisions}


CASES = in_precisions(
    network([784, 512, 512, 10], 128, batch_norm=True, dropout=0.2), "float32", "tf32", "bf16"
) | in_precisions(network([4096, 8192, 8192, 4096], 8192, large=True), "tf32", "bf16")
SMALL = in_precisions(network([64, 32, 10], 16, batch_norm=True, dropout=0.2), *TOLERANCE)
EXAMPLES = 60_000
COMPARED = 5
"""Steps without dropout whose losses must agree."""


class Step(NamedTuple):
    """run(*index) returns a loss; wait() for the device; put(index) where batches are gathered."""

    run: Callable[..., Any]
    wait: Callable[[], None]
    put: Callable[[Any], Any]


Make = Callable[[Case, str, float, int], Step]
"""(network, device, dropout, examples to gather from or 0 for one fixed batch)."""


def twingrad_step(case: Case, device: str, dropout: float, examples: int, *, captured: bool) -> Step:
    if captured and case["precision"] == "bf16":
        raise ImportError("steps in bf16 are not captured yet: the weights' copies are made outside of launches")
    backend, model = backends.get(device), twingrad_model(case, dropout)
    held = tg.data.Resident(*noise(case, examples or case["batch"]), device=device)
    model.to(device)
    optimizer = optim.Adam(model, lr=case["lr"])

    def step(*index: Any) -> Any:
        x, y = held.gather(*index) if examples else map(tg.Tensor, held.arrays)
        loss = F.softmax_cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return Step(tg.capture(step) if captured else step, backend.synchronize, backend.asarray)


def torch_step(case: Case, device: str, dropout: float, examples: int, *, captured: bool) -> Step:
    """The same in PyTorch, with its fused Adam. Raises ImportError where it is absent or does not find the GPU."""
    torch = machine.require("torch")
    if device != "cpu" and not torch.cuda.is_available():
        raise ImportError(f"torch {torch.__version__} finds no GPU")
    if device == "cpu" and captured:
        raise ImportError("PyTorch has CUDA graphs on a GPU alone")
    torch.set_float32_matmul_precision("high" if case["precision"] == "tf32" else "highest")
    kind, low = device.partition(":")[0], case["precision"] == "bf16"
    model = torch_model(case, dropout).to(device)
    options = {"capturable": True} if captured else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=case["lr"], fused=True, **options)
    x, y = (torch.from_numpy(array).to(device) for array in noise(case, examples or case["batch"]))

    def step(*index: Any) -> Any:
        with torch.autocast(kind, torch.bfloat16, enabled=low, cache_enabled=not captured):
            loss = torch.nn.functional.cross_entropy(
                model(x[index[0]] if examples else x), y[index[0]] if examples else y
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    put = lambda index: torch.from_numpy(np.asarray(index)).to(device)  # noqa: E731
    wait = (lambda: None) if device == "cpu" else torch.cuda.synchronize
    run = whole_graph(torch, step, model, optimizer, case["batch"] if examples else 0) if captured else step
    return Step(run, wait, put)


def whole_graph(torch: Any, step: Any, model: Any, optimizer: Any, batch: int) -> Any:
    """The step as one CUDA graph, as PyTorch's documentation makes it, from the state before its warm-up."""
    index = [torch.zeros(batch, dtype=torch.int64, device="cuda")] if batch else []
    before = {name: value.clone() for name, value in model.state_dict().items()}
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(*index)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss = step(*index)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(before[name])
        for state in optimizer.state.values():
            for value in state.values():
                value.zero_()

    def run(*given: Any) -> Any:
        for buffer, value in zip(index, given, strict=True):
            buffer.copy_(value)
        graph.replay()
        return loss.clone()

    return run


CONTENDERS: dict[str, Make] = {
    "twingrad captured": partial(twingrad_step, captured=True),
    "twingrad eager": partial(twingrad_step, captured=False),
    "PyTorch CUDA graph": partial(torch_step, captured=True),
    "PyTorch eager": partial(torch_step, captured=False),
}


def timed(run: Callable[[], Any], wait: Callable[[], None], seconds: float) -> dict[str, float]:
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


def _group(run: Callable[[], Any], wait: Callable[[], None], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    wait()
    return (time.perf_counter() - start) / count * 1e6


def measured(case: Case, device: str, seconds: float) -> dict[str, Any]:
    """Each contender's times, or why there are none. Losses that differ from the first contender's are told there."""
    found: dict[str, Any] = {}
    first: list[float] = []
    for who, make in CONTENDERS.items():
        try:
            with use_precision(case["precision"]):
                step = make(case, device, 0.0, 0)
                losses = [float(step.run()) for _ in range(COMPARED)]
                first = first or losses
                found[who] = timed(*make(case, device, case["dropout"], 0)[:2], seconds)
            np.testing.assert_allclose(losses, first, rtol=TOLERANCE[case["precision"]])
        except Exception as error:  # of one contender: the others are measured all the same
            found[who] = f"{type(error).__name__}: {error}"
    return found


def epochs(case: Case, device: str, examples: int) -> dict[str, Any]:
    """Milliseconds of an epoch by each contender: the third of three, from drawing its order to its last step."""
    found: dict[str, Any] = {}
    for who, make in CONTENDERS.items():
        try:
            step = make(case, device, case["dropout"], examples)
            for epoch in range(3):
                step.wait()
                start = time.perf_counter()
                order = step.put(np.concatenate(list(tg.data.batches(examples, case["batch"], seed=0, epoch=epoch))))
                for begin in range(0, examples - case["batch"] + 1, case["batch"]):
                    step.run(order[begin : begin + case["batch"]])
                step.wait()
                found[who] = (time.perf_counter() - start) * 1e3
        except Exception as error:
            found[who] = f"{type(error).__name__}: {error}"
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
    step = twingrad_step(next(iter(CASES.values())), device, 0.2, 0, captured=False)
    step.run()
    step.wait()


def or_why_not(measure: Callable[..., Any], *args: Any) -> Any:
    """What is measured, or why nothing is."""
    try:
        return measure(*args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the JSON object; exit code 1 where twingrad's own contenders did not end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="one small network, for a look")
    given = parser.parse_args(argv)
    device = str(devices.resolve(given.device))
    cases, seconds, examples = (SMALL, 0.1, 200) if given.quick else (CASES, 1.5, EXAMPLES)
    found = {
        "device": device,
        "first_step": or_why_not(first_steps, device),
        "steps": {name: measured(case, device, seconds) for name, case in cases.items()},
        "epoch_ms": {"examples": examples, **epochs(next(iter(cases.values())), device, examples)},
    }
    print(json.dumps(found))
    own = [times[who] for times in found["steps"].values() for who in times if who.startswith("twingrad")]
    return int(any(isinstance(times, str) and not times.startswith("ImportError") for times in own))


if __name__ == "__main__":
    raise SystemExit(main())
