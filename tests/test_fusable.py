"""The dispatch: which path runs, what is said of it, and what may be registered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from twingrad import CaptureError, FusedError, Tensor, fused, fused_report, recording
from twingrad import functional as F
from twingrad.autodiff import Destination
from twingrad.fusable import clear_fused_report, fusable, fused_mode, registry
from twingrad.fusable.kernel import providers

from kernels_here import no_kernels


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    clear_fused_report()
    yield
    clear_fused_report()


class Double:
    """An operation 2 x whose kernel counts its calls and refuses what `refusal` says."""

    def __init__(self, *, kernel: bool = True) -> None:
        self.calls: list[str] = []
        self.refusal: str | None = None
        self.into: Any = None

        @fusable(validate=self.validate)
        def double(x: Any, y: Any = None, *, times: float = 2.0) -> Any:
            """Twice x."""
            self.calls.append("reference")
            return x * times if y is None else x * times + y

        self.operation = double
        if kernel:
            double.kernel("cpu", accepts=self.accepts, backward=self.backward)(self.forward)

    def validate(self, x: Any, y: Any = None, *, times: float = 2.0) -> None:
        assert not isinstance(x, Tensor), "validate is given plain arrays"
        assert not isinstance(y, Tensor), "validate is given plain arrays"
        if times < 0:
            raise ValueError("times is negative")

    def accepts(self, x: Any, y: Any = None, *, times: float = 2.0) -> str | None:
        assert not isinstance(x, Tensor), "accepts is given plain arrays"
        return self.refusal

    def forward(self, x: Any, y: Any = None, *, times: float = 2.0) -> Any:
        assert not isinstance(x, Tensor), "kernels are given plain arrays"
        self.calls.append("kernel")
        return x * times if y is None else x * times + y, times

    def backward(self, saved: Any, grad: Any, into: Any) -> tuple[Any, ...]:
        self.calls.append("backward")
        self.into = into
        return tuple(None if d is None else grad * factor for d, factor in zip(into, (saved, 1.0), strict=False))


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Double]:
    """Makes operations that are forgotten after the test, with a provider that says why kernels cannot run."""

    def make(unavailable: str | None = None, **options: Any) -> Double:
        registry.pop("double", None)
        monkeypatch.setitem(providers, "cpu", SimpleNamespace(unavailable=lambda: unavailable))
        return Double(**options)

    yield make
    registry.pop("double", None)


X = np.asarray([1.0, 2.0])


def test_the_mode_chooses_the_path(make: Any) -> None:
    double = make()
    for mode, path in (("auto", "kernel"), ("never", "reference"), ("require", "kernel")):
        with fused(mode):
            assert double.operation(X).tolist() == [2.0, 4.0]
        assert double.calls.pop() == path
    assert fused_report() == []


def test_modes_nest_and_end_with_an_exception() -> None:
    assert fused_mode() == "auto"
    with fused("never"):
        with fused("require"):
            assert fused_mode() == "require"
        assert fused_mode() == "never"
        with pytest.raises(KeyError), fused("auto"):
            raise KeyError
        assert fused_mode() == "never"
    assert fused_mode() == "auto"


def test_the_mode_is_of_one_thread() -> None:
    seen: list[str] = []
    with fused("never"):
        thread = threading.Thread(target=lambda: seen.append(fused_mode()))
        thread.start()
        thread.join()
    assert seen == ["auto"]


@pytest.mark.parametrize("mode", ["always", "", None, "AUTO", 1])
def test_an_unknown_mode(mode: Any) -> None:
    with pytest.raises(ValueError, match=r"one of auto, never, require; got"), fused(mode):
        pass
    assert fused_mode() == "auto"


def test_a_refusal_falls_back_and_is_counted_by_reason(make: Any) -> None:
    double = make()
    for reason, times in (("too large", 3), ("too small", 1)):
        double.refusal = reason
        for _ in range(times):
            assert double.operation(X).tolist() == [2.0, 4.0]
    assert double.calls == ["reference"] * 4
    row = {"operation": "double", "backend": "cpu"}
    assert fused_report() == [{**row, "reason": "too large", "count": 3}, {**row, "reason": "too small", "count": 1}]
    with fused("never"):
        double.operation(X)
    assert sum(r["count"] for r in fused_report()) == 4, "what was asked for is no refusal"
    clear_fused_report()
    assert fused_report() == []


REASONS = {
    "refused": ({}, "the kernel's reason"),
    "no kernel": ({"kernel": False}, "no kernel for cpu"),
    "not available": ({"unavailable": "no compiler at install"}, "no compiler at install"),
}


@pytest.mark.parametrize("label", REASONS)
def test_require_raises_with_the_reason_and_runs_nothing(label: str, make: Any) -> None:
    options, reason = REASONS[label]
    double = make(**options)
    double.refusal = "the kernel's reason"
    with fused("require"), pytest.raises(FusedError, match=rf'double .*fused\("require"\) forbids it: {reason}'):
        double.operation(X)
    assert double.calls == []
    assert fused_report() == []
    double.operation(X)
    assert [(r["reason"], r["count"]) for r in fused_report()] == [(reason, 1)]


def test_an_array_of_another_library_is_refused_by_its_type(make: Any) -> None:
    import array_api_strict as strict

    double = make()
    double.operation(strict.ones(2))
    (row,) = fused_report()
    assert (row["backend"], row["reason"]) == ("array_api_strict", "no kernels for arrays of type Array")


def test_validation_comes_first_on_both_paths(make: Any) -> None:
    double = make()
    for mode in ("never", "require"):
        with fused(mode), pytest.raises(ValueError, match="times is negative"):
            double.operation(Tensor(X), Tensor(X), times=-1.0)
    assert double.calls == []


def test_a_fused_operation_is_one_node(make: Any) -> None:
    double = make()
    x, y = Tensor(X, requires_grad=True), Tensor(X)
    out = double.operation(x, y, times=5.0)
    assert isinstance(out, Tensor)
    assert out.node is not None
    assert out.node.name == "double"
    out.backward(np.ones(2))
    assert double.calls == ["kernel", "backward"]
    assert double.into == (Destination(None, False), None)
    assert x.grad.tolist() == [5.0, 5.0]
    assert y.grad is None


def test_only_tensors_give_tensors_and_only_gradients_record(make: Any) -> None:
    double = make()
    assert type(double.operation(X)) is np.ndarray
    out = double.operation(X, Tensor(X))
    assert isinstance(out, Tensor)
    assert out.node is None


CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "by position": lambda f, x, y: f(x, y),
    "last by name": lambda f, x, y: f(x, y=y),
    "all by name": lambda f, x, y: f(x=x, y=y),
    "by name in another order": lambda f, x, y: f(y=y, x=x, times=2.0),
}


@pytest.mark.parametrize("label", CALLS)
def test_arguments_by_name_take_the_same_path(label: str, make: Any) -> None:
    double = make()
    with fused("require"):
        assert CALLS[label](double.operation, X, X).tolist() == [3.0, 6.0]
        x, y = Tensor(X, requires_grad=True), Tensor(X, requires_grad=True)
        CALLS[label](double.operation, x, y).backward(np.ones(2))
    assert (x.grad.tolist(), y.grad.tolist()) == ([2.0, 2.0], [1.0, 1.0])


@pytest.mark.parametrize("label", ["missing", "unknown", "twice"])
def test_wrong_arguments_are_a_type_error(label: str, make: Any) -> None:
    operation = make().operation
    calls: dict[str, Callable[[], Any]] = {
        "missing": lambda: operation(y=X),
        "unknown": lambda: operation(X, z=X),
        "twice": lambda: operation(X, x=X),
    }
    with pytest.raises(TypeError, match="argument"):
        calls[label]()


def test_capture_refuses_the_reference_path_by_name(make: Any) -> None:
    double = make()
    double.refusal = "not today"
    with recording.record():
        with pytest.raises(CaptureError, match="double cannot be captured: not today"):
            double.operation(X)
        with fused("never"), pytest.raises(CaptureError, match=r'double cannot be captured: fused\("never"\)'):
            double.operation(X)


def test_a_leaf_keeps_the_gradient_that_a_kernel_made(make: Any) -> None:
    double, kept = make(), []

    def backward(saved: Any, grad: Any, into: Any) -> tuple[Any, ...]:
        kept.append(grad * saved)
        return (kept[-1], None)[: len(into)]

    double.operation.kernels["cpu"] = double.operation.kernels["cpu"]._replace(backward=backward)
    x = Tensor(np.ones(3), requires_grad=True)
    double.operation(x).sum().backward()
    assert x.grad is kept[0]
    (double.operation(x) + double.operation(x)).sum().backward()
    np.testing.assert_array_equal(kept[0], np.full(3, 2.0))
    np.testing.assert_array_equal(x.grad, np.full(3, 6.0))


def test_registering_twice(make: Any) -> None:
    double = make()
    with pytest.raises(ValueError, match="double already has a kernel for 'cpu'"):
        double.operation.kernel("cpu")(lambda x: x)
    double.operation.kernel("elsewhere")(lambda x: x)
    with pytest.raises(ValueError, match="an operation named double exists already"):
        fusable()(double.operation.reference)


def test_an_operation_looks_like_its_reference(make: Any) -> None:
    operation = make().operation
    assert (operation.__name__, operation.__doc__) == ("double", "Twice x.")
    assert F.linear.__doc__ == F.linear.reference.__doc__


def test_the_registry_holds_every_operation_of_functional() -> None:
    assert set(registry) == {name for name in F.__all__ if hasattr(getattr(F, name), "reference")}
    assert all(getattr(F, name) is operation for name, operation in registry.items())


REFUSED = {
    "dtype": (lambda: F.relu(np.ones(2, np.float16)), "float16"),
    "integers": (lambda: F.relu(np.ones(2, np.int64)), "int64"),
    "strides": (lambda: F.relu(np.ones((4, 4))[:, ::2]), "not C-contiguous"),
    "two dtypes": (lambda: F.linear(np.ones((2, 2)), np.ones((2, 2), np.float32)), "weight has dtype float32, but x"),
    "scalar": (lambda: F.relu(np.float64(2.0)), "float64"),
    "labels": (lambda: F.softmax_cross_entropy(np.ones((1, 2)), np.zeros(1, np.int32)), "target is a .*int32"),
    "read-only": (lambda: F.batch_norm(np.ones((2, 1)), *_frozen(4), training=True), "running_mean is read-only"),
}


def _frozen(count: int) -> list[np.ndarray]:
    arrays = [np.ones(1) for _ in range(count)]
    for array in arrays:
        array.flags.writeable = False
    return arrays


@pytest.mark.parametrize("label", REFUSED)
def test_every_kernel_says_why_it_refuses(label: str) -> None:
    reason = no_kernels()
    if reason:
        pytest.skip(f"no kernels to refuse: {reason}")
    call, message = REFUSED[label]
    with fused("require"), pytest.raises(FusedError, match=message):
        call()


ARRAY = np.ones((2, 2))
MISUSES = {
    "missing": (lambda: F.linear(ARRAY), "linear: missing a required argument: 'weight'"),
    "nothing": (lambda: F.relu(), "relu: missing a required argument: 'x'"),
    "too many": (lambda: F.tanh(ARRAY, 1), "tanh: too many positional arguments"),
    "unknown, unchecked": (lambda: F.relu(ARRAY, slope=1), "relu: got an unexpected keyword argument 'slope'"),
    "unknown": (lambda: F.dropout(ARRAY, prob=0.5), "dropout: missing a required .*argument: 'p'"),
    "list": (lambda: F.linear([[1.0, 2.0]], ARRAY), "expected an array .* got list"),
    "list of labels": (lambda: F.softmax_cross_entropy(ARRAY, [0, 1]), "expected an array .* got list"),
    "its own": (lambda: F.softmax_cross_entropy(ARRAY, np.zeros(2)), "integer class numbers .* float64"),
}


@pytest.mark.parametrize("label", MISUSES)
def test_a_wrong_call_is_told_of_the_operation(label: str) -> None:
    call, message = MISUSES[label]
    with pytest.raises(TypeError, match=message):
        call()


FEW = np.asarray([-np.inf, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.5, np.inf, np.nan, -np.nan])


@pytest.mark.skipif(no_kernels() is not None, reason=f"compares with compiled kernels: {no_kernels()}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(10,), (1,), (0,), (), (2, 5), (256,), (257,), (260,)])
@pytest.mark.parametrize("operation", [F.relu, F.tanh, F.sigmoid])
def test_few_elements_have_the_bits_of_the_kernel(operation: Any, shape: tuple[int, ...], dtype: type) -> None:
    x = np.resize(FEW, shape).astype(dtype)
    x.flags.writeable = False
    with fused("require"):
        want = operation(x)
    found = operation(x)
    assert (type(found), found.shape, found.dtype) == (type(want), want.shape, want.dtype)
    assert found.tobytes() == want.tobytes() == operation(Tensor(x)).data.tobytes()
    gradients = []
    for mode in ("auto", "require"):
        leaf = Tensor(x, requires_grad=True)
        with fused(mode):
            out = operation(leaf)
        out.backward(np.ones(shape, dtype))
        gradients.append((out.data.tobytes(), leaf.grad.tobytes()))
    assert gradients[0] == gradients[1]


@pytest.mark.parametrize("operation", [F.relu, F.tanh, F.sigmoid])
def test_few_elements_of_any_layout_and_kind(operation: Any) -> None:
    values = np.linspace(-2.0, 2.0, 12).reshape(3, 4)
    want = operation(values)
    for x in (np.asfortranarray(values), values.astype(">f8"), np.repeat(values, 2, axis=1)[:, ::2]):
        assert np.allclose(operation(x), want, rtol=1e-15)
    assert np.allclose(operation(values.astype(np.float16)), want, rtol=2e-3, atol=1e-3)


def test_few_elements_need_no_launch(make: Any) -> None:
    double = make()
    double.operation.few(lambda x: (-x, 2.0) if x.size < 5 else None)
    for mode, first in (("auto", -1.0), ("require", 2.0), ("never", 2.0)):
        with fused(mode):
            assert double.operation(X)[0] == double.operation(Tensor(X)).data[0] == first
    x = Tensor(X, requires_grad=True)
    double.operation(x).backward(np.ones(X.shape))
    assert double.calls[-1] == "backward"
    assert double.operation(X, X)[0] == 3.0
    assert double.operation(np.ones(5))[0] == 2.0
    with pytest.raises(ValueError, match="times is negative"):
        double.operation(X, times=-1.0)
    with pytest.raises(CaptureError, match=r"double.*is given plain arrays"), recording.record():
        double.operation(X)


ONES = np.ones(4)
OF_FLOATS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "leaky_relu": F.leaky_relu,
    "softmax": F.softmax,
    "softmax_cross_entropy": lambda x: F.softmax_cross_entropy(x, np.zeros(3, int)),
    "linear": lambda x: F.linear(x, np.ones((2, 4))),
    "layer_norm": lambda x: F.layer_norm(x, ONES, ONES),
    "batch_norm": lambda x: F.batch_norm(x, ONES, ONES, ONES.copy(), ONES.copy(), training=True),
    "dropout": lambda x: F.dropout(x, p=0.5, seed=0, stream=0, step=0),
}


def test_every_operation_that_needs_floats_is_tried() -> None:
    assert {name for name, operation in registry.items() if operation.floating} == set(OF_FLOATS)


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.complex64])
@pytest.mark.parametrize("name", OF_FLOATS)
def test_what_is_no_real_floating_number_is_refused(name: str, dtype: Any, mode: str) -> None:
    with (
        fused(mode),
        pytest.raises(TypeError, match=f"^{name} takes .* of a real floating dtype, got {np.dtype(dtype)}"),
    ):
        OF_FLOATS[name](np.ones((3, 4), dtype))
    with fused(mode):
        OF_FLOATS[name](np.ones((3, 4), np.float16))


@pytest.mark.parametrize("operation", [F.relu, F.tanh, F.sigmoid, F.softmax])
@pytest.mark.parametrize("given", [1.0, [1.0]])
def test_what_is_no_array_is_refused(operation: Any, given: Any) -> None:
    with pytest.raises(TypeError, match=f"expected an array.*got {type(given).__name__}"):
        operation(given)
