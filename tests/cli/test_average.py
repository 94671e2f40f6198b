"""`twingrad train --ema`."""

from __future__ import annotations

import json


def test_the_average_is_told_and_kept_in_the_run(call, tmp_path, quick):
    code, out, _ = call("train", *quick, "--ema", 0.9, "--out", "one")
    assert code == 0
    assert "  weights     averaged, ema 0.9\n" in out
    result = json.loads((tmp_path / "one" / "result.json").read_text())
    assert result["ema"] == 0.9
    assert "ema = 0.9\n" in (tmp_path / "one" / "config.toml").read_text()
    code, out, _ = call("evaluate", "one", "--part", "dev", "--json")
    assert code == 0
    assert json.loads(out)["parts"]["dev"]["loss"] == result["dev_loss"]

    code, out, _ = call("train", *quick, "--out", "two")
    assert code == 0
    assert "averaged" not in out
    plain = json.loads((tmp_path / "two" / "result.json").read_text())
    assert "ema" not in plain
    assert plain["dev_loss"] != result["dev_loss"]


def test_a_decay_of_1_is_refused(call, quick):
    code, _, err = call("train", *quick, "--ema", 1)
    assert code == 2
    assert "--ema" in err
    assert "must be a number from 0 and below 1; got '1'" in err
