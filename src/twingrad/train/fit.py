"""`fit`: train a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twingrad.choice import choose
from twingrad.data import Dataset, Splits
from twingrad.devices import resolve
from twingrad.train import checks
from twingrad.train.callbacks import Callback, as_callback
from twingrad.train.history import History, Record
from twingrad.train.interrupt import Interrupted
from twingrad.train.losses import Loss, loss_function
from twingrad.train.model_file import MODEL
from twingrad.train.run_folder import RunFolder
from twingrad.train.stepper import MODES
from twingrad.train.trainer import Trainer

KEEP = ("best", "last")


def fit(
    model: Any,
    data: Dataset | Splits,
    *,
    loss: str | Loss = "cross_entropy",
    optimizer: Any = "adam",
    epochs: int = 30,
    batch_size: int = 64,
    device: str = "auto",
    seed: int = 0,
    callbacks: Iterable[Callback | Callable[[Record], object]] = (),
    keep: str = "best",
    capture: str = "auto",
    out: str | Path | RunFolder | None = None,
) -> History:
    """Train `model` in place and return its history.

    Each epoch visits every training example once, in mini-batches shuffled by (seed, epoch) alone, then measures loss
    and accuracy in evaluation mode. All arguments are checked before anything happens. Two calls with the same model,
    data, seed, device, thread count and BLAS give the same parameters, bit for bit.

    Args:
        model: an `nn.Module` from x (N, D) to logits (N, C). It is moved to the device, and left in the mode
            (training or evaluation) in which it came.
        data: `Splits`, whose train part is learned from and whose dev part chooses the best epoch (the test part is not
            touched); or one `Dataset`, all of it training data. Cast to the model's dtype once.
        loss: "cross_entropy", or a function (logits, target) -> mean loss, a Tensor.
        optimizer: "sgd", "adam", "adamw" with their defaults, or an optimizer such as `optim.Adam(lr=3e-3)`. One not
            yet bound to a model is bound to this one; one that is goes on from its state.
        epochs: passes over the training data; 0 trains nothing.
        batch_size: examples in a mini-batch. The last one of an epoch may be smaller; if the model has batch
            normalisation and one example would remain, it joins the mini-batch before.
        device: "cpu", "cuda", "cuda:1"; "auto" follows `use_device`, then TWINGRAD_DEVICE, then takes a GPU that works.
        seed: of the shuffles. The model's own seed decides its initial weights and dropout.
        callbacks: `Callback`s, or functions called with each epoch's `Record`.
        keep: "best" leaves the model with the parameters of the best epoch (highest dev accuracy, lower loss between
            equals; by the training data where there is no dev part), "last" with those of the last one.
        capture: "auto" runs the mini-batches of full size as a captured step, which gives the same bits, and falls
            back to eager steps, with the reason in `History.step`; "never" runs eager steps; "require" raises.
        out: a new or empty folder, where the run is written: model, history and, with matplotlib, the curves; or a
            `RunFolder` not yet claimed.

    Raises:
        TypeError, ValueError: a bad argument, by name, rule and value.
        DeviceError: the device does not exist or cannot be used.
        OSError: `out` cannot be written.
        Interrupted: Ctrl-C (a KeyboardInterrupt). The model holds the best parameters so far, `out` is written.

    >>> import twingrad as tg
    >>> from twingrad import nn, optim
    >>> data = tg.data.load("digits").split(seed=0)
    >>> model = nn.Sequential(nn.Linear(64, 10), seed=0)
    >>> history = fit(model, data, optimizer=optim.Adam(lr=0.02), epochs=3, device="cpu")
    >>> len(history), history.best.dev_accuracy > 0.9
    (3, True)
    """
    checks.check_numbers(epochs, batch_size, seed)
    choose("value of keep", keep, KEEP)
    choose("value of capture", capture, MODES)
    function, told = loss_function(loss), [as_callback(callback) for callback in callbacks]
    optimizer, (train, dev) = checks.make_optimizer(optimizer), checks.parts(data)
    checks.check_data(model, train, dev)
    checks.check_batch_size(model, batch_size, len(train))
    target = resolve(None if device == "auto" else device)
    optimizer.bind(model)
    folder = RunFolder(out) if isinstance(out, str | Path) else out
    if folder:
        folder.claim()
    try:
        trainer = Trainer(model.to(target), optimizer, function, train, dev, batch_size, seed, capture)
        history = trainer.run(epochs, told, keep)
        return _finish(model, history, train, folder)
    except Exception:
        if folder:
            folder.drop()
        raise


def _finish(model: Any, history: History, train: Dataset, folder: RunFolder | None) -> History:
    """Write the run; where Ctrl-C ended it, say what is kept and where."""
    best = history.best
    if folder and (best or not history.interrupted):
        folder.save(model, history, train)
    elif folder:
        folder.drop()
    if not history.interrupted:
        return history
    if best is None:
        raise Interrupted("interrupted before the first epoch ended: there is no trained model to keep", history)
    place = folder.path / MODEL if folder else "the model in memory"
    raise Interrupted(f"interrupted in epoch {len(history) + 1}: the best model so far ({best}) is in {place}", history)
