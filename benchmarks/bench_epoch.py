"""An epoch, as `fit` does it: beside PyTorch's, and scikit-learn's MLPClassifier where that knows the network.

    python -m twingrad.benchmarks.bench_epoch     # contenders in processes of their own, interleaved
    pytest benchmarks/bench_epoch.py              # the same in few rounds

An epoch is a pass over the examples in shuffled mini-batches with Adam, one of a run of RUN epochs. What is measured of
the model meanwhile is the same for all. "steps": the mean of the mini-batches' losses, which is what
`MLPClassifier.fit` reports, and `fit(train_loss="steps")`; nothing else. "pass": after each epoch loss and accuracy on
all examples (and on the dev part, where there is one), as `fit` does without being asked; MLPClassifier by
`partial_fit` and `predict_proba`. From equal weights, without dropout, with all examples compared as one batch, the
losses of the first epochs must agree before anything is timed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

import twingrad as tg
from twingrad import optim
from twingrad.benchmarks import agreement, driver, machine
from twingrad.benchmarks.networks import Case, initial, network, noise, torch_model, twingrad_model
from twingrad.benchmarks.worker import Prepared

RUN = 10
"""Epochs of the run of which one is timed."""
EPOCHS = 3
"""Epochs whose losses are compared, over COMPARED examples."""
COMPARED = 512

Part = tuple[Any, Any]
Epochs = Callable[[], list[float]]
"""A run of `case["epochs"]`, which returns the loss of each on the examples to learn from."""
LOSSES = {"steps": "loss of the steps", "pass": "measured after it"}


def of_noise(examples: int, widths: Sequence[int], batch: int, loss: str) -> tuple[str, Case]:
    """A row of CASES: a plain network on so many examples."""
    name, case = network(widths, batch, targets={"MLPClassifier": 3} if loss == "steps" else {})
    return f"{examples:,} examples, {name}, {LOSSES[loss]}", case | {"examples": examples, "loss": loss}


CASES: dict[str, Case] = dict(
    [
        of_noise(6400, widths, batch, loss)
        for widths, batch in (([784, 100, 10], 200), ([784, 512, 512, 10], 128))  # MLPClassifier's defaults, and wider
        for loss in LOSSES
    ]
)
FASHION: dict[str, Case] = {
    "Fashion-MNIST": network([784, 512, 256, 10], 128, batch_norm=True, dropout=0.3, lr=0.002)[1]
    | {"data": "fashion-mnist", "loss": "pass"}
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


def twingrad_epochs(case: Case, parts: list[Part], dropout: float) -> Epochs:
    model, optimizer = twingrad_model(case, dropout), optim.Adam(lr=case["lr"])
    train, *dev = (tg.data.Dataset(*part) for part in parts)
    how = {"epochs": case["epochs"], "batch_size": case["batch"], "device": "cpu", "keep": "last"}
    how |= {"train_loss": "steps" if case["loss"] == "steps" else "evaluated", "dev": dev[0] if dev else None}
    return lambda: [record.train_loss for record in tg.fit(model, train, optimizer=optimizer, **how)]


def torch_epochs(case: Case, parts: list[Part], dropout: float) -> Epochs:
    torch = machine.require("torch")
    model = torch_model(case, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=case["lr"])
    data = [(torch.tensor(x), torch.tensor(y)) for x, y in parts]

    def epoch() -> float:
        (x, y), total = data[0], 0.0
        model.train()
        for index in torch.randperm(len(y)).split(case["batch"]):
            loss = torch.nn.functional.cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        if case["loss"] == "steps":
            return total / len(y)
        model.eval()
        with torch.no_grad():
            measured = [torch_measured(torch, model, *part) for part in data]
        return float(measured[0][0])

    return lambda: [epoch() for _ in range(case["epochs"])]


def torch_measured(torch: Any, model: Any, x: Any, y: Any) -> list[float]:
    """Mean loss and accuracy, by batches of 1024."""
    loss = right = 0.0
    for inputs, target in zip(x.split(1024), y.split(1024), strict=True):
        outputs = model(inputs)
        loss += torch.nn.functional.cross_entropy(outputs, target, reduction="sum").item()
        right += (outputs.argmax(1) == target).sum().item()
    return [loss / len(y), right / len(y)]


def sklearn_epochs(case: Case, parts: list[Part], dropout: float) -> Epochs:
    if case["batch_norm"] or case["dropout"]:
        raise ImportError("MLPClassifier has neither batch norm nor dropout")
    network = machine.require("sklearn.neural_network")
    (x, y), classes, epochs = parts[0], np.arange(case["widths"][-1]), case["epochs"]
    options = {"alpha": 0.0, "batch_size": case["batch"], "learning_rate_init": case["lr"], "random_state": 0}
    options |= {"warm_start": True, "max_iter": epochs, "tol": 0.0, "n_iter_no_change": float("inf")}  # never early
    model = network.MLPClassifier(tuple(case["widths"][1:-1]), **options)
    model.partial_fit(x[: case["batch"]], y[: case["batch"]], classes=classes)  # makes the arrays that are set below
    for ours, weight, bias in zip(initial(case), model.coefs_, model.intercepts_, strict=True):
        weight[...], bias[...] = ours.T, 0
    del model._optimizer  # and with it the moments of that step

    def run() -> list[float]:
        before = len(model.loss_curve_)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged after so many epochs
            model.fit(x, y)
        losses = [float(loss) for loss in model.loss_curve_[before:]]
        assert len(losses) == epochs, f"MLPClassifier ended after {len(losses)} epochs of {epochs}"
        return losses

    def epoch() -> float:
        model.partial_fit(x, y)
        return sklearn_measured(model, x, y)[0]

    return run if case["loss"] == "steps" else lambda: [epoch() for _ in range(epochs)]


def sklearn_measured(model: Any, x: Any, y: Any) -> list[float]:
    """Mean loss and accuracy."""
    found = model.predict_proba(x)
    return [-float(np.log(found[np.arange(len(y)), y]).mean()), float((found.argmax(1) == y).mean())]


def contender(make: Callable[..., Epochs], case: Case) -> Prepared:
    def check() -> Sequence[float]:
        (x, y), *_ = parts_of(case)
        few = [(x[:COMPARED], y[:COMPARED])]
        return make(case | {"batch": COMPARED, "epochs": EPOCHS}, few, 0.0)()

    return Prepared(make(case | {"epochs": RUN}, parts_of(case), case["dropout"]), check, repeats=RUN)


def agree(case: Case, checks: agreement.Checks) -> None:
    """The same losses, to the rounding of sums in another order."""
    agreement.losses(checks, rtol=1e-3)


WORKLOAD = driver.Workload(
    name="epoch",
    module="twingrad.benchmarks.bench_epoch",
    cases=CASES,
    contenders={
        "fit": partial(contender, twingrad_epochs),
        "PyTorch eager": partial(contender, torch_epochs),
        "MLPClassifier": partial(contender, sklearn_epochs),
    },
    base="fit",
    agree=agree,
)


def test_epoch_beside_peers(beside_peers: Callable[..., None], case: str) -> None:
    """The contenders' losses agree, each in its own process; prints their table."""
    beside_peers(WORKLOAD, case)


if __name__ == "__main__":
    raise SystemExit(driver.main(WORKLOAD))
