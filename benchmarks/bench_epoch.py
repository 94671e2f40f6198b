"""An epoch, as `fit` does it: beside PyTorch's, and scikit-learn's MLPClassifier where that knows the network.

    python -m twingrad.benchmarks.bench_epoch     # contenders in processes of their own, interleaved
    pytest benchmarks/bench_epoch.py              # the same in few rounds

A pass over the examples in shuffled mini-batches with Adam, then loss and accuracy on them (and on the dev part, where
there is one), for all. From equal weights, without dropout, with all examples compared as one batch, the losses after
the first epochs must agree before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.benchmarks import agreement, driver, machine
from twingrad.benchmarks.networks import Case, initial, network, noise, torch_model, twingrad_model
from twingrad.benchmarks.worker import Prepared

EPOCHS = 3
"""Epochs after which the losses are compared, over COMPARED examples."""
COMPARED = 512

Part = tuple[Any, Any]
Epoch = Callable[[], list[float]]
"""One epoch, which returns the loss and the accuracy on each part after it."""


def of_noise(examples: int, widths: Sequence[int], batch: int) -> tuple[str, Case]:
    """A row of CASES: a plain network on so many examples."""
    name, case = network(widths, batch, targets={"MLPClassifier": 3})
    return f"{examples:,} examples, {name}", case | {"examples": examples}


CASES: dict[str, Case] = dict(
    [
        of_noise(6400, [784, 100, 10], 200),  # MLPClassifier's defaults
        of_noise(6400, [784, 512, 512, 10], 128),
    ]
)
FASHION: dict[str, Case] = {
    "Fashion-MNIST": network([784, 512, 256, 10], 128, batch_norm=True, dropout=0.3, lr=0.002)[1]
    | {"data": "fashion-mnist"}
}
"""The network of `fashion_mnist`, which is measured there: it needs the images."""


@cache
def images(name: str) -> list[Part]:
    """The scaled train and dev parts of a data set."""
    try:
        parts, _ = tg.data.prepare(tg.data.load(name).split(seed=0))
    except OSError as error:
        raise ImportError(str(error)) from error
    return [(part.x, part.y) for part in (parts.train, parts.dev)]


def parts_of(case: Case) -> list[Part]:
    """The examples to learn from, and those to measure on as well."""
    return images(case["data"]) if "data" in case else [noise(case, case["examples"])]


def twingrad_epoch(case: Case, parts: list[Part], dropout: float) -> Epoch:
    model, optimizer = twingrad_model(case, dropout), optim.Adam(lr=case["lr"])
    train, *dev = (tg.data.Dataset(*part) for part in parts)
    how = {"epochs": 1, "batch_size": case["batch"], "device": "cpu", "keep": "last"}

    def epoch() -> list[float]:
        last = tg.fit(model, train, dev=dev[0] if dev else None, optimizer=optimizer, **how)[-1]
        return [last.train_loss, last.train_accuracy]

    return epoch


def torch_epoch(case: Case, parts: list[Part], dropout: float) -> Epoch:
    torch = machine.require("torch")
    model = torch_model(case, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=case["lr"])
    data = [(torch.tensor(x), torch.tensor(y)) for x, y in parts]

    def epoch() -> list[float]:
        x, y = data[0]
        model.train()
        for index in torch.randperm(len(y)).split(case["batch"]):
            loss = torch.nn.functional.cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            return [value for part in data for value in torch_measured(torch, model, *part)]

    return epoch


def torch_measured(torch: Any, model: Any, x: Any, y: Any) -> list[float]:
    """Mean loss and accuracy, by batches of 1024."""
    loss = right = 0.0
    for inputs, target in zip(x.split(1024), y.split(1024), strict=True):
        outputs = model(inputs)
        loss += torch.nn.functional.cross_entropy(outputs, target, reduction="sum").item()
        right += (outputs.argmax(1) == target).sum().item()
    return [loss / len(y), right / len(y)]


def sklearn_epoch(case: Case, parts: list[Part], dropout: float) -> Epoch:
    if case["batch_norm"] or case["dropout"]:
        raise ImportError("MLPClassifier has neither batch norm nor dropout")
    network = machine.require("sklearn.neural_network")
    (x, y), classes = parts[0], np.arange(case["widths"][-1])
    options = {"alpha": 0.0, "batch_size": case["batch"], "learning_rate_init": case["lr"], "random_state": 0}
    model = network.MLPClassifier(tuple(case["widths"][1:-1]), **options)
    model.partial_fit(x[: case["batch"]], y[: case["batch"]], classes=classes)  # makes the arrays that are set below
    for ours, weight, bias in zip(initial(case), model.coefs_, model.intercepts_, strict=True):
        weight[...], bias[...] = ours.T, 0
    del model._optimizer  # and with it the moments of that step

    def epoch() -> list[float]:
        model.partial_fit(x, y)
        found = model.predict_proba(x)
        return [-float(np.log(found[np.arange(len(y)), y]).mean()), float((found.argmax(1) == y).mean())]

    return epoch


def contender(make: Callable[..., Epoch], case: Case) -> Prepared:
    def check() -> Sequence[float]:
        (x, y), *_ = parts_of(case)
        few = [(x[:COMPARED], y[:COMPARED])]
        epoch = make(case | {"batch": COMPARED}, few, 0.0)
        return [epoch()[0] for _ in range(EPOCHS)]

    return Prepared(make(case, parts_of(case), case["dropout"]), check)


def agree(case: Case, checks: agreement.Checks) -> None:
    """The same losses, to the rounding of sums in another order."""
    agreement.losses(checks, rtol=1e-3)


WORKLOAD = driver.Workload(
    name="epoch",
    module="twingrad.benchmarks.bench_epoch",
    cases=CASES,
    contenders={
        "fit": partial(contender, twingrad_epoch),
        "PyTorch eager": partial(contender, torch_epoch),
        "MLPClassifier": partial(contender, sklearn_epoch),
    },
    base="fit",
    agree=agree,
)


def test_epoch_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders' losses agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
