"""What `predict` writes of numbers that JSON does not have."""

import io
import json

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn
from twingrad.cli.answers import Answers


@pytest.mark.parametrize("targets", [1, 2])
def test_what_is_not_finite_is_null_in_json(targets):
    model = nn.Sequential(nn.Linear(2, targets), seed=0)
    x = np.arange(8.0).reshape(4, 2)
    data = tg.data.Dataset(x, np.arange(4.0 * targets).reshape(4, targets) / 3, task="regression")
    model.preprocessing = tg.data.Preprocessing.fit(data)
    file = io.StringIO()
    Answers(model, False, 0).jsonl(file)(np.array([[np.nan] * targets, [np.inf] * targets, [0.0] * targets]))

    def refuse(name):
        raise AssertionError(name)

    nan, inf, number = (json.loads(line, parse_constant=refuse)["prediction"] for line in file.getvalue().splitlines())
    values = [[each] if targets == 1 else list(each.values()) for each in (nan, inf, number)]
    assert values[:2] == [[None] * targets] * 2
    assert all(isinstance(value, float) for value in values[2])


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_where_outputs_are_not_finite_nothing_is_predicted(task):
    model = nn.Sequential(nn.Linear(2, 3), seed=0)
    y = np.arange(6) % 3 if task == "multi-class" else np.eye(3, dtype=np.int64)[np.arange(6) % 3]
    model.preprocessing = tg.data.Preprocessing.fit(tg.data.Dataset(np.arange(12.0).reshape(6, 2), y, task=task))
    outputs = np.array([[1.0, 2.0, 3.0], [np.nan, 1.0, 2.0], [np.inf, np.inf, 0.0]])
    table, lines, width = io.StringIO(), io.StringIO(), 1 if task == "multi-class" else 3
    answers = Answers(model, True, 2)
    answers.csv(table)(outputs)
    with pytest.warns(UserWarning, match=r"^2 of 3 predictions are empty: .* not finite \(rows 1, 2\)$"):
        answers.warn()
    rows = [row.split(",") for row in table.getvalue().splitlines()[1:]]
    assert "" not in rows[0]
    assert [row[:width] + row[-4:] for row in rows[1:]] == [[""] * (width + 4)] * 2
    Answers(model, True, 2).jsonl(lines)(outputs)
    good, *bad = map(json.loads, lines.getvalue().splitlines())
    assert len(good["top"]) == 2
    for line in bad:
        assert line["prediction"] in (None, dict.fromkeys("012"))
        assert line["top"] == []


def test_only_the_first_rows_without_a_prediction_are_named():
    model = nn.Sequential(nn.Linear(2, 1), seed=0)
    data = tg.data.Dataset(np.arange(8.0).reshape(4, 2), np.arange(4.0))
    model.preprocessing = tg.data.Preprocessing.fit(data)
    answers = Answers(model, False, 0)
    write = answers.csv(io.StringIO())
    for _ in range(2):
        write(np.full((4, 1), np.nan))
    with pytest.warns(UserWarning, match=r"^8 of 8 .* \(rows 0, 1, 2, 3, 4, \.\.\.\)$"):
        answers.warn()


def test_more_classes_than_there_are_cannot_be_the_top():
    model = nn.Sequential(nn.Linear(2, 3), seed=0)
    model.preprocessing = tg.data.Preprocessing.fit(tg.data.Dataset(np.zeros((3, 2)), np.arange(3)))
    with pytest.raises(ValueError, match=r"--top-k must not exceed the model's 3 classes; got 9"):
        Answers(model, False, 9)
