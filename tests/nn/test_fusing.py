"""Neighbours in one pass: which they are, and that they leave the bits of the layers one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn
from twingrad.autodiff import checkpoint
from twingrad.nn import fusing

import networks
from kernels_here import no_kernels


class Own(nn.ReLU):
    def forward(self, x: Any) -> Any:
        return F.relu(x) * 2.0


def layers(text: str) -> list[nn.Module]:
    """One layer for each letter."""
    make: dict[str, Any] = {
        "L": lambda: nn.Linear(6, 6),
        "B": lambda: nn.BatchNorm(6),
        "N": lambda: nn.LayerNorm(6),
        "r": nn.ReLU,
        "o": Own,
        "l": nn.LeakyReLU,
        "-": lambda: nn.LeakyReLU(-0.1),
        "s": nn.Sigmoid,
        "t": nn.Tanh,
        "m": nn.Softmax,
        "d": lambda: nn.Dropout(0.3),
    }
    return [make[letter]() for letter in text]


GROUPS = {
    "LBrdLrdL": "L Brd Lrd L",
    "LrLlLsLtLm": "Lr Ll Ls Lt L m",
    "rdLd": "r d L d",
    "LtdBsdBld": "Lt d Bs d Bl d",
    "LrrdBrdd": "Lr r d Brd d",
    "LoL-Nrd": "L o L - N r d",
    "": "",
}


@pytest.mark.parametrize("text", GROUPS)
def test_groups(text: str) -> None:
    sizes = [len(group) for group in fusing.groups(layers(text))]
    assert sizes == [len(group) for group in GROUPS[text].split()]


def test_a_forward_of_an_instance_runs_by_itself() -> None:
    given = layers("Lr")
    given[1].forward = lambda x: x  # type: ignore[method-assign]
    assert len(fusing.groups(given)) == 2


class Apart(nn.Sequential):
    """The oracle: layer by layer."""

    def forward(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x


def trained(kind: Any, text: str, mode: str, wrap: Any = lambda step: step, dtype: Any = np.float32) -> dict[str, Any]:
    model = kind(nn.Linear(networks.IN, 6), *layers(text), nn.Linear(6, networks.OUT), seed=4)
    model.to(dtype=dtype)
    optimizer = networks.OPTIMIZERS["adam"](model)
    step = wrap(networks.stepper(model, optimizer))
    with tg.fused(mode):
        for i in range(4):
            step(*networks.batch(16, dtype, seed=i))
    return networks.everything(model, optimizer)


TEXTS = ["BrdLrdLBr", "rdLBtdLs", "lBlLtBs", "dLBrd"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("text", TEXTS)
def test_the_bits_of_one_layer_after_another(text: str, mode: str, dtype: Any) -> None:
    networks.assert_same_bits(trained(nn.Sequential, text, mode, dtype=dtype), trained(Apart, text, mode, dtype=dtype))


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
@pytest.mark.parametrize("text", TEXTS)
def test_captured(text: str) -> None:
    networks.assert_same_bits(trained(nn.Sequential, text, "auto", tg.capture), trained(Apart, text, "require"))


def test_in_evaluation() -> None:
    models = [kind(*layers("LBrdLrd"), seed=2) for kind in (nn.Sequential, Apart)]
    x = np.random.default_rng(0).standard_normal((9, 6)).astype(np.float32)
    one, other = [model.eval()(x).numpy() for model in models]
    assert one.tobytes() == other.tobytes()
    assert [counter.value for counter in models[0].counters().values()] == [0, 0, 0]


@pytest.mark.skipif(no_kernels() is not None, reason=str(no_kernels()))
def test_a_group_is_one_node() -> None:
    model = nn.Sequential(*layers("Brd"))
    with tg.fused("require"):
        out = model(np.ones((4, 6), np.float32))
    assert out.node is not None
    assert out.node.name == "batch_norm"
    assert out.node.inputs[0].node is None


def test_a_failed_forward_advances_nothing() -> None:
    model = nn.Sequential(*layers("Lrd"))
    with pytest.raises(ValueError, match="linear of 6 features"):
        model(np.ones((4, 5), np.float32))
    assert [counter.value for counter in model.counters().values()] == [0]


def test_what_fails_when_it_is_computed_again_takes_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> Any:
        raise MemoryError

    model = nn.Sequential(*layers("Lrd"))
    out = checkpoint(model)(np.ones((4, 6), np.float32))
    monkeypatch.setattr(nn.Linear, "followed_by", fails)
    with pytest.raises(MemoryError):
        F.mean_squared_error(out, np.ones((4, 6), np.float32)).backward()
    assert [counter.value for counter in model.counters().values()] == [1]


def test_the_summary_names_the_pass_by_path() -> None:
    model = nn.Sequential(nn.Sequential(*layers("Lr")), nn.Sequential(*layers("rLrd")))
    told = {line.split()[0]: line.partition("in the pass of ")[2] for line in model.summary().splitlines()[1:]}
    assert {path: head for path, head in told.items() if head} == {"0.1": "0.0", "1.2": "1.1", "1.3": "1.1"}


def test_the_summary_names_each_place_of_a_layer_that_stands_in_several() -> None:
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Linear(6, 6), relu)
    assert model.joined() == {"2": "1"}


def test_the_summary_of_a_subclass_with_a_forward_of_its_own_names_no_pass() -> None:
    assert Apart(*layers("Lr")).joined() == {}


def test_arrays_of_other_libraries(library: Any) -> None:
    """The reference path has the same groups, and their parts' kernels where a backend has those alone."""
    rng = np.random.default_rng(3)
    x, weight = (library.asarray(rng.standard_normal(shape).astype(np.float32)) for shape in ((4, 6), (5, 6)))
    tail = F.Tail("relu", mask=F.Mask(0.4, 1, 2, 3))
    found = F.linear(x, weight, tail=tail)
    want = F.dropout(F.relu(F.linear(x, weight)), p=0.4, seed=1, stream=2, step=3)
    assert library.numpy(found).tobytes() == library.numpy(want).tobytes()
