"""`fit`: train a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from twingrad.choice import choose
from twingrad.data import Dataset, Preprocessing, Splits
from twingrad.data.augmenting import Augment
from twingrad.devices import computing_on, resolve
from twingrad.functional.checks import below_one
from twingrad.precision import check_precision, on_device, use_precision
from twingrad.threads import use_threads
from twingrad.train import checks
from twingrad.train.callbacks import Callback, as_callbacks
from twingrad.train.diverged import Diverged, cures
from twingrad.train.history import History, Record
from twingrad.train.interrupt import Interrupted
from twingrad.train.interval import Interval
from twingrad.train.job import Job
from twingrad.train.losses import AUTO, Loss, check_loss
from twingrad.train.model_file import MODEL
from twingrad.train.plan import TRAIN_LOSSES, Plan
from twingrad.train.residence import Reading
from twingrad.train.run_folder import RunFolder
from twingrad.train.stepper import MODES
from twingrad.train.trainer import Trainer

KEEP = ("best", "last")


def fit(
    model: Any,
    data: Dataset | Splits | Iterable[Any] | Callable[[int], Iterable[Any]],
    *,
    loss: str | Loss = AUTO,
    optimizer: Any = "adam",
    epochs: int = 30,
    batch_size: int = 64,
    device: str = "auto",
    seed: int = 0,
    callbacks: Iterable[Callback | Callable[[Record], object]] = (),
    keep: str = "best",
    capture: str = "auto",
    dev: Dataset | None = None,
    preprocessing: str | Preprocessing | None = None,
    accumulate: int = 1,
    evaluate_every: int | None = None,
    train_loss: str = "evaluated",
    class_weight: Any = None,
    example_weight: Any = None,
    label_smoothing: float = 0.0,
    dropout: bool = True,
    prefetch: int | None = None,
    resident: bool | None = None,
    threads: int | None = None,
    augment: Augment | None = None,
    precision: str = "float32",
    out: str | Path | RunFolder | None = None,
    resume: str | Path | RunFolder | None = None,
    checkpoint_every: int | str | None = "30s",
) -> History:
    """Train `model` in place and return its history.

    Each epoch visits every training example once, in mini-batches shuffled by (seed, epoch) alone, then measures loss
    and metrics in evaluation mode. All arguments are checked before anything happens. Two calls with the same model,
    data, seed, device and BLAS give the same parameters, bit for bit; so do one run, and one that was cut
    short, by whatever, and resumed.

    Args:
        model: an `nn.Module` from x (N, D) to outputs (N, C). It is moved to the device, and left in the mode
            (training or evaluation) in which it came.
            A model that begins with an `nn.Embedding` takes whole numbers as they are (`Module.takes_integers`).
        data: `Splits`, whose train part is learned from and whose dev part chooses the best evaluation (the test part
            is not touched); one `Dataset`, all of it training data; or batches, see `twingrad.data.BatchSource`.
            Cast to the model's dtype once; memory-mapped data of more than 256 MiB so cast are read batch by batch.
        loss: "cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute_error"; "auto" takes the
            first that suits the task of the data; or a function (outputs, targets) -> mean loss, a Tensor.
        optimizer: "sgd", "rmsprop", "adam", "adamw" with their defaults, or an optimizer such as `optim.Adam(lr=3e-3)`,
            whose lr may be a schedule; with `ema=0.999` the average of the weights is measured and kept. One not
            yet bound to a model is bound to this one; one that is goes on from its state.
        epochs: passes over the training data; 0 trains nothing.
        batch_size: examples in a mini-batch. The last one of an epoch may be smaller; if the model has batch
            normalisation and one example would remain, it joins the mini-batch before.
        device: "cpu", "cuda", "cuda:1"; "auto" follows `use_device`, then TWINGRAD_DEVICE, then takes a GPU that works.
        seed: of the shuffles. The model's own seed decides its initial weights and dropout.
        callbacks: `Callback`s, such as `EarlyStopping(5)`, or functions called with each evaluation's `Record`.
        keep: "best" leaves the model with the parameters of the best evaluation (`Record.score`: highest dev accuracy,
            lower loss between equals, for a regression the loss; by the training data where there is no dev part),
            "last" with those of the last step.
        capture: "auto" runs the mini-batches of full size as a captured step, which gives the same bits, and falls
            back to eager steps, with the reason in `History.step`; "never" runs eager steps; "require" raises.
        dev: a dev part beside a `Dataset` or batches.
        preprocessing: "auto" fits a `Preprocessing` on the train part; or one fitted already. It becomes
            `model.preprocessing` and goes into the model file; the data stay raw. None takes the model's, if there is.
        accumulate: an update takes the gradient of so many mini-batches, the mean over their examples: each enters
            times its share of them, in order. The last update of an epoch may take fewer.
        evaluate_every: measure after so many updates (and at the end), instead of at the end of each epoch.
        train_loss: "evaluated" measures the train part as the dev part, by a pass of its own; "steps" takes the mean of
            the mini-batches' losses while they were learned from (dropout, weights and all), which costs no time and
            tells no other metric. Without a dev part that loss chooses the best.
        class_weight: (C,), or (2,) for two classes, multiplies the loss of each class; "balanced" takes N / (C N_c),
            so that each class weighs the same in total.
        example_weight: (N,), multiplies the loss of each training example. Neither enters what the history reports.
        label_smoothing: s in [0, 1), of the cross-entropies: targets t become (1 - s) t + s / C over C classes (2 for
            one logit and for labels). It does not enter what the history reports.
        dropout: False turns off every `nn.Dropout` of the model for this run: the course's switch for debugging, under
            which the cost must fall.
        prefetch: read batches so many ahead in a thread, as for large memory-mapped data, instead of holding all.
        precision: "float32"; "tf32", whose products round their factors to TF32; or "bf16", whose layers store and
            multiply bfloat16, while parameters, their gradients, statistics and losses are float32: `use_precision`.
        resident: on a GPU, whether the data set lies there as a whole, bytes as bytes, and each step gathers its batch,
            or is streamed beside the steps; None decides by the memory that is free there (`History.data` tells). Off a
            GPU True reads memory-mapped data as a whole. The same bits.
        threads: 1 to 256 share the work of the CPU kernels while this runs, see `use_threads`. The kernels' results do
            not depend on it, so no checkpoint knows of it.
        augment: changes the raw x of every training batch anew, as `twingrad.augment.Compose(...)` does: by draws that
            (seed, epoch, batch) alone decide; on the host, for a GPU in a thread ahead of the steps: the data are
            streamed. What is measured, of the train part too, is not changed.
        out: a new or empty folder, where the run is written: history.jsonl while it goes on, checkpoints, the model
            and, with matplotlib, the curves; or a `RunFolder`, which the caller releases.
        resume: the folder of a run that was cut short. Called with the arguments of that run, it goes on within the
            epoch, to the same bytes, on another device as far as its arithmetic agrees; from the beginning where there
            is no checkpoint yet. With more epochs it ends as a run of so many would have (but keeps the evaluation at
            its old end, with evaluate_every). A Python function as learning rate is not saved, only its name compared:
            give the same one.
        checkpoint_every: 500 (updates), "30s", "10min" or None; and always at the end, and on Ctrl-C and SIGTERM.

    Raises:
        TypeError, ValueError: a bad argument, by name, rule and value; a checkpoint of another configuration.
        DeviceError: the device does not exist or cannot be used.
        PrecisionError: the device has no bf16, or the package ml_dtypes is missing.
        OSError: `out` cannot be written, or another process is at work there.
        SaveError: an OSError: the disk is full, or the like, while the run goes on; what was saved before stays.
        Diverged: an ArithmeticError: the loss of a mini-batch (read every 64 updates, and where the run evaluates or
            saves) or of the train part is NaN or infinite, or a number of a model that would be kept. The model, and
            `out`, hold the best parameters before that, if there are any.
        Interrupted: Ctrl-C or SIGTERM (a KeyboardInterrupt). The model holds the best parameters so far, the run is
            saved and can be resumed.

    >>> import twingrad as tg
    >>> from twingrad import nn, optim
    >>> data = tg.data.load("digits").split(seed=0)
    >>> model = nn.Sequential(nn.Linear(64, 10), seed=0)
    >>> history = fit(model, data, optimizer=optim.Adam(lr=0.02), epochs=3, device="cpu")
    >>> len(history), history.best.dev_accuracy > 0.9
    (3, True)
    """
    checks.check_model("fit", model)
    checks.check_learns(model)
    epochs, batch_size, seed = checks.counts(epochs=epochs, batch_size=batch_size, seed=seed)
    accumulate, evaluate_every, prefetch, threads = checks.counts(
        accumulate=accumulate, evaluate_every=evaluate_every, prefetch=prefetch, threads=threads
    )
    choose("value of keep", keep, KEEP)
    checks.check_reading(prefetch, resident, augment)
    choose("value of capture", capture, MODES)
    choose("value of train_loss", train_loss, TRAIN_LOSSES)
    check_precision(precision)
    check_loss(loss)
    smoothing = below_one("fit: label_smoothing", label_smoothing)
    if not isinstance(dropout, bool):
        raise TypeError(f"fit: dropout is True or False, a layer has its own probability; got {dropout!r}")
    decided = accumulate, evaluate_every, dropout, smoothing, train_loss, precision
    plan = Plan(epochs, batch_size, seed, keep, capture, *decided)
    told, every = as_callbacks(callbacks), Interval(checkpoint_every)
    optimizer, (train, dev) = checks.make_optimizer(optimizer), checks.parts(data, dev)
    weight = checks.check_example_weight(example_weight, train)
    reading = Reading(prefetch, resident, accumulate)
    job = Job(model, optimizer, train, dev, plan, loss, preprocessing, class_weight, weight, reading, augment)
    target = resolve(device)
    on_device(precision, target)
    folder = _folder(out, resume)
    optimizer.bind(model)
    if folder:
        folder.claim()
    try:
        with use_threads(threads) if threads else nullcontext(), use_precision(precision), computing_on(target):
            return _finish(job.begin(target, told, folder, every), job.title, folder)
    except (Diverged, Interrupted):
        raise
    except BaseException:
        if folder:
            folder.drop()
        raise
    finally:
        if folder and folder not in (out, resume):
            folder.release()


def _folder(out: Any, resume: Any) -> RunFolder | None:
    if out is not None and resume is not None:
        raise ValueError(f"fit: give out for a new run or resume to go on with one, not both; got {out} and {resume}")
    name, given = ("out", out) if resume is None else ("resume", resume)
    if not isinstance(given, str | Path | RunFolder | None):
        raise TypeError(f"fit: {name} must be the path of a folder or a RunFolder; got {given!r}")
    return RunFolder(given, resume=given is resume) if isinstance(given, str | Path) else given


def _finish(trainer: Trainer, title: str, folder: RunFolder | None) -> History:
    """Run, and write the run; where a signal or a loss that is not finite ended it, say what is kept and where."""
    history = trainer.go()
    best, cut = history.best, history.interrupted or bool(history.diverged)
    if folder and (best or not cut):
        folder.save(trainer.model, history, title)
    if not cut:
        return history
    saved = bool(folder and folder.resumable)
    if folder and not saved and not best:
        folder.drop()
    place = folder.path / MODEL if folder else "the model in memory"
    kept = f"the best model so far ({best}) is in {place}" if best else "there is no trained model to keep"
    if history.diverged:
        advice = cures(trainer.lr, trainer.optimizer.clip_norm is not None)
        raise Diverged(f"training diverged: {history.diverged}; {advice}; {kept}", history)
    when = f"in epoch {trainer.run.epoch}" if best or saved else "before the first epoch ended"
    on = f"; go on with it: --resume {folder.path}" if folder and saved else ""
    raise Interrupted(f"interrupted {when}: {kept}{on}", history, trainer.signal)
