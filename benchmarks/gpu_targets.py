"""What memory limits on a GPU: updates, dropout and normalisation, beside a copy, and PyTorch where it is.

    python -m twingrad.benchmarks.gpu_targets [--device cuda] [--quick]      # prints one JSON object

`of_copy` is the rate at which a workload moves the bytes that it must, as a share of a copy's. PyTorch runs eager and
compiled, with its fused Adam.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from twingrad import Tensor, backends, devices, fused, nn, optim
from twingrad import functional as F
from twingrad.benchmarks import machine
from twingrad.benchmarks.gpu_step import or_why_not, timed

Made = tuple[Callable[[], Any], Callable[[], None], int]
"""A step, what waits for it, and the bytes that it must move."""
P = 0.2


def copy(device: str, count: int) -> Made:
    backend = backends.get(device)
    source, target = backend.zeros_aligned(count, np.float32), backend.zeros_aligned(count, np.float32)

    def run() -> None:
        target[...] = source

    return run, backend.synchronize, 8 * count


def adam(device: str, sizes: Sequence[int]) -> Made:
    """One launch over parameters of these sizes."""
    backend, model = backends.get(device), nn.Module()
    for i, size in enumerate(sizes):
        setattr(model, f"p{i}", nn.Parameter(shape=(size,), dtype=np.float32, draw=nn.init.constant(1.0)))
    model.to(device)
    optimizer = optim.Adam(model, lr=1e-3)
    flat = model.flat()
    flat.grad[...] = 0.1
    flat.touched[...] = True
    return optimizer.step, backend.synchronize, 28 * sum(sizes)


def dropout(device: str, count: int) -> Made:
    """Forward and backward."""
    backend = backends.get(device)
    x, gradient = backend.zeros_aligned(count, np.float32), backend.zeros_aligned(count, np.float32)

    def run() -> None:
        with fused("require"):
            F.dropout(Tensor(x, requires_grad=True), p=P, seed=0, stream=0, step=1).backward(gradient)

    return run, backend.synchronize, 16 * count


def norm(device: str, shape: tuple[int, int]) -> Made:
    """Batch norm, ReLU and dropout: 12 bytes an element forward, 28 backward, as kernels/cuda/batch_norm.cu counts."""
    backend = backends.get(device)
    model = nn.Sequential(nn.BatchNorm(shape[1]), nn.ReLU(), nn.Dropout(P), seed=0)
    model.to(device)
    rng = np.random.default_rng(0)
    x, gradient = (backend.asarray(rng.standard_normal(shape, np.float32)) for _ in range(2))

    def run() -> None:
        model(Tensor(x, requires_grad=True)).backward(gradient)

    return run, backend.synchronize, 40 * shape[0] * shape[1]


def torch_of(device: str) -> tuple[Any, Callable[[], None]]:
    torch = machine.require("torch")
    if device != "cpu" and not torch.cuda.is_available():
        raise ImportError(f"torch {torch.__version__} finds no GPU")
    return torch, (lambda: None) if device == "cpu" else torch.cuda.synchronize


def torch_adam(device: str, sizes: Sequence[int]) -> Made:
    torch, wait = torch_of(device)
    parameters = [torch.nn.Parameter(torch.ones(size, device=device)) for size in sizes]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 0.1)
    return torch.optim.Adam(parameters, lr=1e-3, fused=True).step, wait, 28 * sum(sizes)


def torch_dropout(device: str, count: int) -> Made:
    torch, wait = torch_of(device)
    x, gradient = (torch.zeros(count, device=device) for _ in range(2))

    def run() -> None:
        torch.nn.functional.dropout(x.detach().requires_grad_(), P).backward(gradient)

    return run, wait, 16 * count


def torch_norm(device: str, shape: tuple[int, int], *, compiled: bool) -> Made:
    torch, wait = torch_of(device)
    of = torch.nn
    model = of.Sequential(of.BatchNorm1d(shape[1]), of.ReLU(), of.Dropout(P)).to(device)
    model = torch.compile(model) if compiled else model
    x, gradient = (torch.randn(shape, device=device) for _ in range(2))

    def run() -> None:
        model(x.detach().requires_grad_()).backward(gradient)

    return run, wait, 40 * shape[0] * shape[1]


def workloads(quick: bool) -> dict[str, dict[str, Callable[[str], Made]]]:
    """Each workload's contenders."""
    many = [100 + 7 * i for i in range(400)]
    one, drop, shape = ([4096], 4096, (64, 32)) if quick else ([100_000_000], 256_000_000, (65536, 1024))
    many = many[:40] if quick else many
    return {
        f"Adam, {one[0]:,} parameters": {
            "twingrad": partial(adam, sizes=one),
            "PyTorch": partial(torch_adam, sizes=one),
        },
        f"Adam, {len(many)} small tensors": {
            "twingrad": partial(adam, sizes=many),
            "PyTorch": partial(torch_adam, sizes=many),
        },
        f"dropout, {drop:,} elements": {
            "twingrad": partial(dropout, count=drop),
            "PyTorch": partial(torch_dropout, count=drop),
        },
        f"batch norm + ReLU + dropout, {shape}": {
            "twingrad": partial(norm, shape=shape),
            "PyTorch eager": partial(torch_norm, shape=shape, compiled=False),
            "PyTorch torch.compile": partial(torch_norm, shape=shape, compiled=True),
        },
    }


def measured(make: Callable[[str], Made], device: str, seconds: float, rate: float) -> dict[str, float]:
    """Microseconds, and the bytes a second beside a copy's `rate`."""
    run, wait, bytes_moved = make(device)
    times = timed(run, wait, seconds)
    return times | {"of_copy": bytes_moved / (times["median_us"] * 1e-6) / rate}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the JSON object; exit code 1 where one of twingrad's own workloads did not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small arrays, for a look")
    given = parser.parse_args(argv)
    device = str(devices.resolve(given.device))
    seconds = 0.05 if given.quick else 1.0
    run, wait, bytes_moved = copy(device, 4096 if given.quick else 256_000_000)
    rate = bytes_moved / (timed(run, wait, seconds)["median_us"] * 1e-6)
    found = {
        name: {who: or_why_not(measured, make, device, seconds, rate) for who, make in contenders.items()}
        for name, contenders in workloads(given.quick).items()
    }
    print(json.dumps({"device": device, "copy_gb_per_s": rate / 1e9, "workloads": found}))
    return int(any(isinstance(contenders["twingrad"], str) for contenders in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
