"""Several labels per example, some of them missing: the course's numbers, and `fit` beside PyTorch's masked loss."""

import numpy as np
import pytest

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim
from twingrad.data import Dataset, batches
from twingrad.train import evaluate

Y = np.array([[1, 0, np.nan, 1], [np.nan, 1, 0, np.nan]])


def test_the_course_s_numbers():
    """Five labels there: 5 ln 2 summed, by two examples, and by the five labels: which, the reduction says."""
    z = np.zeros((2, 4))
    assert F.binary_cross_entropy(z, Y, reduction="sum") == pytest.approx(3.465736, abs=1e-6)
    assert F.binary_cross_entropy(z, Y, reduction="sum") / 2 == pytest.approx(1.732868, abs=1e-6)
    assert F.binary_cross_entropy(z, Y) == pytest.approx(0.693147, abs=1e-6)


def table(seed=0, n=50):
    """Four labels of five features, about half of them missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    y = (x @ rng.normal(size=(5, 4)) > 0).astype(float)
    hidden = rng.random((n, 4)) < 0.5
    hidden[np.arange(n), rng.integers(0, 4, n)] = False
    return x, np.where(hidden, np.nan, y)


@pytest.mark.oracle
def test_fit_learns_from_the_labels_that_are_there_as_pytorch_does():
    torch = pytest.importorskip("torch", reason="PyTorch (extra `oracle`) is not installed")
    x, y = table()
    model = nn.Sequential(nn.Linear(5, 4, dtype=np.float64), seed=1)
    theirs = torch.nn.Linear(5, 4, dtype=torch.float64)
    for parameter, value in zip(theirs.parameters(), model.state_dict().values(), strict=True):
        parameter.data[...] = torch.tensor(value)
    data = Dataset(x, y, task="multi-label")
    tg.fit(model, data, optimizer=optim.SGD(lr=0.5), epochs=3, batch_size=16, keep="last", device="cpu")
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.5)
    for epoch in range(3):
        for index in batches(50, 16, seed=0, epoch=epoch):
            z, target = theirs(torch.tensor(x[index])), torch.tensor(y[index])
            there = ~target.isnan()
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(z[there], target[there]).backward()
            optimizer.step()
    for found, value in zip(model.state_dict().values(), theirs.parameters(), strict=True):
        assert np.abs(found - value.detach().numpy()).max() < 1e-6  # the targets are float32


def test_what_is_measured_counts_the_labels_that_are_there():
    x, y = table(n=40)
    model = nn.Sequential(nn.Linear(5, 4, dtype=np.float64), seed=1)
    there, z = ~np.isnan(y), model(x).numpy()
    right = ((z > 0) == (y == 1)) & there
    loss = np.log1p(np.exp(-np.where(y == 1, z, -z)))
    for batch_size in (1024, 7):
        found = evaluate(model, Dataset(x, y, task="multi-label"), batch_size=batch_size)
        assert found.loss == pytest.approx(loss[there].mean(), rel=1e-9)
        assert found.accuracy == pytest.approx(right.sum() / there.sum())
        assert found.exact_match == pytest.approx((right | ~there).all(axis=1).mean())
        assert found.by_label == pytest.approx(right.sum(axis=0) / there.sum(axis=0))


def test_without_missing_labels_floats_and_integers_are_the_same():
    x, y = table()
    y = np.nan_to_num(y)
    model = nn.Sequential(nn.Linear(5, 4, dtype=np.float64), seed=1)
    floats, integers = (evaluate(model, Dataset(x, each, task="multi-label")) for each in (y, y.astype(int)))
    assert floats == integers


def test_a_label_that_no_example_has():
    x, y = table()
    y[:, 2] = np.nan
    y[np.isnan(y).all(axis=1), 0] = 1
    found = evaluate(nn.Sequential(nn.Linear(5, 4, dtype=np.float64), seed=1), Dataset(x, y, task="multi-label"))
    assert np.isnan(found.by_label[2])
    assert np.isfinite([found.loss, found.accuracy]).all()


def test_arrays_on_disk(tmp_path):
    x, y = table()
    np.savez(tmp_path / "table.npz", x=x, y=y)
    data = tg.data.load(tmp_path / "table.npz", task="multi-label")
    assert np.array_equal(data.y, y, equal_nan=True)
    with pytest.raises(ValueError, match="must be finite"):
        tg.data.load(tmp_path / "table.npz")
    parts = data.split(seed=0)
    model, adam = nn.Sequential(nn.Linear(5, 4), seed=0), optim.Adam(lr=0.05)
    history = tg.fit(model, parts, optimizer=adam, epochs=40, batch_size=8, device="cpu")
    assert history.best.dev_accuracy > 0.7


def test_empty_cells_of_a_csv_file(tmp_path):
    x, y = table()
    rows = [[f"{v:.6f}" for v in a] + ["" if np.isnan(v) else f"{v:.0f}" for v in b] for a, b in zip(x, y, strict=True)]
    file = tmp_path / "table.csv"
    file.write_text("\n".join(",".join(row) for row in [["a", "b", "c", "d", "e", "p", "q", "r", "s"], *rows]))
    data = tg.data.load(file, target=["p", "q", "r", "s"], task="multi-label")
    assert np.array_equal(data.y, y, equal_nan=True)
    with pytest.raises(ValueError, match=r"column 'p': the cell is empty; fill it in or remove the row"):
        tg.data.load(file, target=["p", "q"], features=["a", "b"])
    with pytest.raises(ValueError, match=r"column 'p': the cell is empty"):
        tg.data.load(file, target=["q", "r"], features=["a", "p"], task="multi-label")
    file.write_text(file.read_text().replace("," + rows[3][-1] + "\n" + rows[4][0], ",inf\n" + rows[4][0]))
    with pytest.raises(ValueError, match=r"line 5, column 's': must be finite, got 'inf'"):
        tg.data.load(file, target=["p", "q", "r", "s"], task="multi-label")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[1, np.nan], [0.5, 1]], "labels must be 0, 1 or NaN for missing; row 1, label 0 has 0.5"),
        ([[1, 0], [np.nan, np.nan]], "an example needs one label at least; row 1 has none: leave it out"),
        ([[1, np.inf], [0, 1]], "row 0, label 1 has inf"),
    ],
)
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        Dataset(np.ones((2, 3)), np.array(y), task="multi-label")
