"""Fashion-MNIST: accuracy of the documented command, and seconds an epoch beside PyTorch's for the same network.

python -m twingrad.benchmarks.fashion_mnist [--epochs 25] [--rounds 5] [--json FILE]

784-512-256-10 with batch norm, ReLU and dropout 0.3, Adam, batches of 128. An epoch is one pass over the 54,000 images
to learn from, and loss and accuracy on them and on 6,000 more, for both: see `bench_epoch`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from twingrad.benchmarks import bench_epoch, driver, report

WORKLOAD = replace(
    bench_epoch.WORKLOAD,
    name="epoch of Fashion-MNIST",
    module="twingrad.benchmarks.fashion_mnist",
    cases=bench_epoch.FASHION,
    contenders={
        "twingrad": bench_epoch.WORKLOAD.contenders["fit"],
        "PyTorch": bench_epoch.WORKLOAD.contenders["PyTorch eager"],
    },
    base="twingrad",
)
COMMAND = "--data fashion-mnist --hidden 512,256 --dropout 0.3 --batch-size 128 --lr 0.002 --schedule cosine"


def main() -> None:
    """Run the command once and the contenders in turns, and print what they take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    result = measure(options.epochs, driver.Effort(options.rounds, 0.0))
    print(report.markdown(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(epochs: int, effort: driver.Effort) -> dict[str, Any]:
    """What the command reaches, the machine, and the seconds of each round by contender with their medians."""
    timed = driver.run(WORKLOAD, effort)
    result = {"command": f"twingrad train {COMMAND} --epochs {epochs}"} | trained(epochs)
    result["machine"] = timed["machine"]
    result["seconds_an_epoch"] = {
        row["contender"]: {"median": row["median_ms"] / 1e3, "rounds": [ms / 1e3 for ms in row["rounds_ms"]]}
        for row in timed["cases"][0]["contenders"]
    }
    return result


def trained(epochs: int) -> dict[str, Any]:
    """What the documented command reaches."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "twingrad", "train", *COMMAND.split(), "--epochs", str(epochs)]
        done = subprocess.run([*command, "--quiet", "--json"], cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    kept = ("test_accuracy", "test_loss", "dev_accuracy", "best_epoch", "seconds", "device", "path", "step")
    return {name: found[name] for name in kept}


if __name__ == "__main__":
    main()
