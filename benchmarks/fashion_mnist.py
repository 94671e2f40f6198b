"""Fashion-MNIST: accuracy of the documented command, and seconds an epoch beside PyTorch's for the same network.

python -m twingrad.benchmarks.fashion_mnist [--epochs 25] [--rounds 5] [--json FILE]

784-512-256-10 with batch norm, ReLU and dropout 0.3, Adam, batches of 128. An epoch is one pass over the 54,000 images
to learn from, and loss and accuracy on them and on 6,000 more, for both. Rounds of one epoch alternate, each contender
in a process of its own that has done one epoch before it is timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HIDDEN, DROPOUT, BATCH, LR = (512, 256), 0.3, 128, 0.002
COMMAND = f"--data fashion-mnist --hidden 512,256 --dropout {DROPOUT} --batch-size {BATCH} --lr {LR} --schedule cosine"
CONTENDERS = ("twingrad", "PyTorch")


def main() -> None:
    """Run the command once and the contenders in turns, and print what they take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        _serve(options.contender)
        return
    result = {"command": f"twingrad train {COMMAND} --epochs {options.epochs}"} | _trained(options.epochs)
    result["seconds_an_epoch"] = _timed(options.rounds)
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _trained(epochs: int) -> dict[str, Any]:
    """What the documented command reaches."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "twingrad",
            "train",
            *COMMAND.split(),
            "--epochs",
            str(epochs),
            "--quiet",
            "--json",
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    kept = ("test_accuracy", "test_loss", "dev_accuracy", "best_epoch", "seconds", "device", "path", "step")
    return {name: found[name] for name in kept}


def _timed(rounds: int) -> dict[str, Any]:
    """Seconds of each round by contender, with their medians; a contender that is not installed is left out."""
    workers = {name: _worker(name) for name in CONTENDERS}
    times: dict[str, list[float]] = {name: [] for name, worker in workers.items() if _asked(worker) is not None}
    for _ in range(rounds):
        for name, seconds in times.items():
            seconds.append(_asked(workers[name]) or 0.0)
    for worker in workers.values():
        worker.kill()
        worker.communicate()
    return {name: {"median": statistics.median(seconds), "rounds": seconds} for name, seconds in times.items()}


def _worker(name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "twingrad.benchmarks.fashion_mnist", "--contender", name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _asked(worker: subprocess.Popen[str]) -> float | None:
    """Have a worker do one epoch: its seconds; None where it has gone."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write("epoch\n")
        worker.stdin.flush()
        return float(worker.stdout.readline())
    except (ValueError, BrokenPipeError):
        return None


def _serve(name: str) -> None:
    """Do an epoch for each line of standard input and answer its seconds."""
    epoch = {"twingrad": _twingrad, "PyTorch": _torch}[name]()
    for _ in sys.stdin:
        begin = time.perf_counter()
        epoch()
        print(round(time.perf_counter() - begin, 4), flush=True)


def _twingrad() -> Any:
    import twingrad as tg
    from twingrad import optim
    from twingrad.train import dense

    parts, _ = tg.data.prepare(tg.data.load("fashion-mnist").split(seed=0))
    model = dense(784, 10, hidden=HIDDEN, dropout=DROPOUT, batch_norm=True, seed=0)
    optimizer = optim.Adam(lr=LR)
    return lambda: tg.fit(model, parts, optimizer=optimizer, epochs=1, batch_size=BATCH, device="cpu", keep="last")


def _torch() -> Any:
    import torch

    import twingrad as tg

    parts, _ = tg.data.prepare(tg.data.load("fashion-mnist").split(seed=0))
    data = [(torch.tensor(part.x), torch.tensor(part.y)) for part in (parts.train, parts.dev)]
    layers: list[Any] = []
    for before, after in zip((784, *HIDDEN), HIDDEN, strict=False):
        layers += [
            torch.nn.Linear(before, after),
            torch.nn.BatchNorm1d(after),
            torch.nn.ReLU(),
            torch.nn.Dropout(DROPOUT),
        ]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(HIDDEN[-1], 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)

    def epoch() -> None:
        x, y = data[0]
        model.train()
        for index in torch.randperm(len(y)).split(BATCH):  # type: ignore[no-untyped-call]
            loss = torch.nn.functional.cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for inputs, labels in data:
                for part, target in zip(inputs.split(1024), labels.split(1024), strict=True):  # type: ignore[no-untyped-call]
                    outputs = model(part)
                    torch.nn.functional.cross_entropy(outputs, target).item()
                    (outputs.argmax(1) == target).sum().item()

    return epoch


if __name__ == "__main__":
    main()
