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
