"""Batch norm: the batch's statistics, the running ones, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twingrad import Tensor, xp
from twingrad import functional as F

from numerics import central_differences, relative_error

SHAPES = [(5, 3), (2, 3), (64, 1), (33, 70), (4, 0)]


class Case:
    """x (N, C), and for each of the C features weight, bias, running mean and running variance."""

    def __init__(self, n: int, c: int) -> None:
        rng = np.random.default_rng([n, c])
        self.x = rng.normal(2.0, 3.0, (n, c))
        self.weight, self.bias = rng.normal(1.0, 0.3, (2, c))
        self.mean = rng.normal(size=c)
        self.var = rng.uniform(0.5, 2.0, c)
        self.seed = rng.normal(size=(n, c))

    def run(self, x: Any, weight: Any, bias: Any, *, training: bool = True, **options: float) -> Any:
        """The result, and copies of the running arrays after it."""
        mean, var = self.mean.copy(), self.var.copy()
        out = F.batch_norm(x, weight, bias, mean, var, training=training, **options)
        return out, mean, var

    def formula(self, training: bool, momentum: float = 0.1, eps: float = 1e-5) -> Any:
        """The same in float64, written out independently."""
        x = self.x.astype(np.float64)
        mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (self.mean, self.var)
        out = self.weight * (x - mean) / np.sqrt(var + eps) + self.bias
        if not training:
            return out, self.mean, self.var
        return (
            out,
            (1 - momentum) * self.mean + momentum * mean,
            (1 - momentum) * self.var + momentum * x.var(axis=0, ddof=1),
        )


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.4, "eps": 1e-2}, {"momentum": 1.0}, {"momentum": 0.0}], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values(shape: tuple[int, int], options: dict[str, float], training: bool, path: str) -> None:
    case = Case(*shape)
    found = case.run(case.x, case.weight, case.bias, training=training, **options)
    for array, expected in zip(found, case.formula(training, **options), strict=True):
        assert np.allclose(array, expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("shape", [(5, 3), (2, 3), (9, 1)], ids=str)
def test_gradients(shape: tuple[int, int], training: bool, path: str) -> None:
    case = Case(*shape)
    arrays, seed = (case.x, case.weight, case.bias), case.seed
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    case.run(*tensors, training=training)[0].backward(seed)
    numeric = central_differences(lambda *a: case.run(*a, training=training)[0], arrays, seed)
    for tensor, expected in zip(tensors, numeric, strict=True):
        # With two examples x's gradient is nearly zero: what is left of large terms that cancel.
        assert np.max(np.abs(tensor.grad - expected)) <= 1e-7 * max(1.0, float(np.max(np.abs(expected))))


@pytest.mark.parametrize("needed", [(0,), (1,), (2,), (1, 2)], ids=str)
def test_only_the_gradients_asked_for(needed: tuple[int, ...], path: str) -> None:
    case = Case(5, 3)
    every = [Tensor(a, requires_grad=True) for a in (case.x, case.weight, case.bias)]
    some = [Tensor(a, requires_grad=i in needed) for i, a in enumerate((case.x, case.weight, case.bias))]
    case.run(*every)[0].backward(case.seed)
    case.run(*some)[0].backward(case.seed)
    for i, (a, b) in enumerate(zip(some, every, strict=True)):
        assert (a.grad is not None) == (i in needed)
        assert i not in needed or np.array_equal(a.grad, b.grad)


def test_every_library(library: Any) -> None:
    for training in (True, False):
        case = Case(6, 4)
        x, weight, bias = (library.asarray(a) for a in (case.x, case.weight, case.bias))
        mean, var = library.writable(case.mean), library.writable(case.var)
        tensors = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
        out = F.batch_norm(*tensors, mean, var, training=training)
        for array, expected in zip((out, mean, var), case.formula(training), strict=True):
            assert str(library.numpy(array).dtype) == library.floats[-1]
            assert relative_error(library.numpy(array), expected) <= library.tolerance()
        xp.sum(out * out).backward()
        wide = [Tensor(a, requires_grad=True) for a in (case.x, case.weight, case.bias)]
        reference = case.run(*wide, training=training)[0]
        xp.sum(reference * reference).backward()
        for tensor, expected in zip(tensors, wide, strict=True):
            found = library.numpy(tensor.grad)
            assert np.allclose(found, expected.grad, rtol=0, atol=100 * library.tolerance())


@pytest.mark.oracle
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("shape", [(2, 3), (64, 10), (33, 70)], ids=str)
def test_against_torch(shape: tuple[int, int], training: bool, path: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of batch norm; it comes with the extra `oracle`")
    case = Case(*shape)
    ours = [Tensor(a, requires_grad=True) for a in (case.x, case.weight, case.bias)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (case.x, case.weight, case.bias)]
    mean, var = torch.tensor(case.mean), torch.tensor(case.var)
    out, our_mean, our_var = case.run(*ours, training=training)
    reference = torch.nn.functional.batch_norm(theirs[0], mean, var, *theirs[1:], training=training)
    for mine, expected in ((out.data, reference.detach()), (our_mean, mean), (our_var, var)):
        assert relative_error(mine, expected.numpy()) <= 1e-14
    out.backward(case.seed)
    reference.backward(torch.tensor(case.seed))
    for tensor, expected in zip(ours, theirs, strict=True):
        assert np.max(np.abs(tensor.grad - expected.grad.numpy())) <= 1e-13 * shape[0]


def test_a_large_mean_loses_no_variance(path: str) -> None:
    x = np.asarray([[1e4], [1e4 + 1], [1e4 + 2], [1e4 + 3]], np.float32)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    out = F.batch_norm(x, one, zero, zero.copy(), one.copy(), training=True)
    assert np.allclose(out[:, 0], [-1.341641, -0.447214, 0.447214, 1.341641], atol=1e-5)


def test_a_constant_feature(path: str) -> None:
    x = Tensor(np.full((4, 1), 3.0), requires_grad=True)
    mean, var = np.zeros(1), np.ones(1)
    out = F.batch_norm(x, np.ones(1), np.asarray([0.5]), mean, var, training=True)
    out.backward(np.asarray([[1.0], [-1.0], [0.0], [0.0]]))
    assert np.array_equal(out.data, np.full((4, 1), 0.5))
    assert np.allclose(x.grad[:, 0], np.asarray([1.0, -1.0, 0.0, 0.0]) / np.sqrt(1e-5))
    assert np.allclose((mean[0], var[0]), (0.3, 0.9), rtol=1e-15)


def test_evaluation_leaves_the_running_arrays(path: str) -> None:
    case = Case(5, 3)
    _, mean, var = case.run(case.x, case.weight, case.bias, training=False)
    assert np.array_equal(mean, case.mean)
    assert np.array_equal(var, case.var)


def test_a_shift_of_the_input_changes_nothing(path: str) -> None:
    case = Case(16, 4)
    out = case.run(case.x, case.weight, case.bias)[0]
    shifted = case.run(case.x + 7.0, case.weight, case.bias)[0]
    assert np.allclose(out, shifted, atol=1e-13)


BAD = [
    ({"x": (5, 4)}, r"3 features takes x of shape \(N, 3\), got \(5, 4\)"),
    ({"x": (5,)}, r"got \(5,\)"),
    ({"x": (5, 3, 2)}, r"got \(5, 3, 2\)"),
    ({"x": (1, 3)}, r"more than one example.*\(1, 3\)"),
    ({"x": (0, 3)}, r"more than one example.*\(0, 3\)"),
    ({"weight": (3, 1)}, r"weight of shape \(C,\), got \(3, 1\)"),
    ({"bias": (1,)}, r"bias of shape \(3,\), got \(1,\)"),
    ({"running_mean": (1,)}, r"running_mean of shape \(3,\), got \(1,\)"),
    ({"running_var": (4,)}, r"running_var of shape \(3,\), got \(4,\)"),
]


@pytest.mark.parametrize(("changed", "message"), BAD, ids=[row[1] for row in BAD])
def test_shapes_that_do_not_fit(changed: dict[str, Any], message: str, path: str) -> None:
    shapes = {"x": (5, 3), "weight": (3,), "bias": (3,), "running_mean": (3,), "running_var": (3,), **changed}
    arrays = {name: np.ones(shape) for name, shape in shapes.items()}
    with pytest.raises(ValueError, match=message):
        F.batch_norm(*arrays.values(), training=True)
    for name in ("running_mean", "running_var"):
        assert np.array_equal(arrays[name], np.ones(shapes[name])), "written before the error"


def test_one_example_is_fine_in_evaluation(path: str) -> None:
    case = Case(1, 3)
    out, _, _ = case.run(case.x, case.weight, case.bias, training=False)
    assert relative_error(out, case.formula(False)[0]) <= 1e-15


@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_running_arrays_that_cannot_take_averages_are_named(name: str) -> None:
    fixed = np.ones(3)
    fixed.flags.writeable = False
    for array, error, why in (
        (np.ones(3, int), TypeError, "takes floats; got int64"),
        (fixed, ValueError, "read-only"),
    ):
        running = {"running_mean": np.ones(3), "running_var": np.ones(3)} | {name: array}
        with pytest.raises(error, match=f"batch norm in training updates {name} in place, .*{why}"):
            F.batch_norm(np.eye(4, 3), np.ones(3), np.zeros(3), **running, training=True)
        assert all(np.array_equal(each, np.ones(3)) for each in running.values()), "written before the error"


def test_read_only_running_arrays_raise_and_keep_their_values() -> None:
    case = Case(5, 3)
    case.mean.flags.writeable = case.var.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        F.batch_norm(case.x, case.weight, case.bias, case.mean, case.var, training=True)
    F.batch_norm(case.x, case.weight, case.bias, case.mean, case.var, training=False)


@pytest.mark.parametrize("training", [True, False])
def test_numpy_numbers_as_options_keep_the_dtype(training: bool, path: str) -> None:
    x, vectors = np.arange(12, dtype=np.float32).reshape(4, 3), [np.ones(3, np.float32) for _ in range(4)]
    out = F.batch_norm(x, *vectors, training=training, eps=np.float64(1e-5), momentum=np.float64(0.1))
    assert out.dtype == np.float32


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_running_averages_that_are_tensors_count_as_overwritten(training: bool, path: str) -> None:
    case = Case(5, 3)
    mean, var = Tensor(case.mean.copy()), Tensor(case.var.copy())
    F.batch_norm(case.x, case.weight, case.bias, running_mean=mean, running_var=var, training=training)
    assert (mean.version, var.version) == ((1, 1) if training else (0, 0))


@pytest.mark.parametrize(("name", "value"), [("momentum", float("nan")), ("momentum", 1.5), ("eps", -1.0)])
def test_settings_out_of_range_are_refused(name: str, value: float, path: str) -> None:
    case = Case(5, 3)
    with pytest.raises(ValueError, match=f"batch norm: {name} must be .*, got {value}"):
        case.run(case.x, case.weight, case.bias, **{name: value})
