"""The suites of `twingrad bench`: complete, honest about what they leave out, and compared with earlier results."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from twingrad.benchmarks import bench_optimizers, compare, driver, plots, report, suites

MACHINE = {
    "cpu": "A",
    "cores": 2,
    "widest_instructions": "AVX2",
    "kernels": "x86-64-v3",
    "kernel_threads": 2,
    "blas": "B 1",
    "blas_core_type": "C",
    "python": "3.11",
    "libraries": {"numpy": "2.0"},
}


def row(contender, ms):
    return {
        "contender": contender,
        "traffic": 5_000_000,
        "path": "",
        "median_ms": ms,
        "quartiles_ms": [0.95 * ms, 1.05 * ms],
        "times_base": ms / 1.0,
        "times_quartiles": [0.95 * ms, 1.05 * ms],
    }


def result(layout="rows", **absent):
    case = {"absent": {}, "others_kept_busy_cores": 0.0, "rounds_repeated": 0}
    case["contenders"] = [row("fused", 1.0), row("reference", 8.0), row("copy", 0.5)]
    effort = {"rounds": 3, "seconds": 0.1, "quiet": 0.2}
    return {
        "workload": "w",
        "layout": layout,
        "machine": MACHINE,
        "effort": effort,
        "base": "fused",
        "failed": {},
        "cases": [copy.deepcopy(case | {"case": "one", "absent": absent}), copy.deepcopy(case | {"case": "two"})],
    }


def found(*workloads, quick=False):
    return {"format": 1, "date": "then", "quick": quick, "failed": {}, "skipped": {}, "workloads": list(workloads)}


def test_every_module_is_in_the_suite_of_all_or_told_to_be_outside():
    modules = {path.stem for path in Path(suites.__file__).parent.glob("bench_*.py")}
    assert modules == set(suites.SUITES["cpu"]) | (set(suites.OUTSIDE) & modules)
    for suite in suites.SUITES.values():
        assert set(suite) <= set(suites.SUITES["cpu"])


def test_the_command_line_offers_the_suites_that_there_are():
    from twingrad.cli import options

    assert sorted(options.SUITES) == sorted(suites.SUITES)


def test_quick_leaves_out_what_is_large_and_what_is_slow():
    for name in suites.SUITES["cpu"]:
        workload = suites.workload_of(name)
        small = suites.smaller(workload)
        assert small.cases
        assert not any(case.get("large") for case in small.cases.values())
        assert all(workload.cases[case]["large"] for case in set(workload.cases) - set(small.cases))
        assert workload.base in small.contenders
        assert set(workload.contenders) - set(small.contenders) == set(workload.slow)


def test_targets_are_of_contenders_that_there_are():
    aimed = []
    for name in suites.SUITES["cpu"]:
        workload = suites.workload_of(name)
        for case in workload.cases.values():
            for who in case.get("targets", {}):
                assert any(contender.startswith(who) for contender in workload.contenders), who
                aimed.append(who)
    assert len(aimed) > 10


def test_a_suite_runs_its_modules_and_tells_what_it_skips(monkeypatch):
    monkeypatch.setattr(driver, "run", lambda workload, effort, tell: tell("case") or result(torch="not installed"))
    told = []
    outcome = suites.run("cpu", True, told.append)
    assert told == ["case"] * len(suites.SUITES["cpu"])
    assert outcome["skipped"]["w: torch of 1 cases"] == "not installed"
    assert outcome["skipped"][f"optimizers: {2 * len(bench_optimizers.RULES)} large cases"] == "--quick"
    assert outcome["skipped"]["step: PyTorch torch.compile"] == "--quick"
    assert not any(what.startswith("cold process: ") for what in outcome["skipped"])
    assert any("bench_philox" in what for what in outcome["skipped"])
    json.dumps(outcome, allow_nan=False)


def test_a_workload_that_fails_is_told_and_the_others_are_measured(monkeypatch):
    def run(workload, effort, tell):
        if workload.name == "step":
            raise RuntimeError("losses of one and another differ")
        return result() | {"failed": {"one": "a contender ended"}}

    monkeypatch.setattr(driver, "run", run)
    outcome = suites.run("step", True, lambda line: None)
    assert outcome["failed"] == {"step": "losses of one and another differ", "epoch, one": "a contender ended"}
    assert len(outcome["workloads"]) == 1
    assert "## failed\n\n- step: losses of one and another differ\n" in suites.markdown(outcome)


def test_a_picture_of_each_workload():
    pytest.importorskip("matplotlib", reason="the extra `plot` brings it")
    outcome = found(result(torch="not installed") | {"workload": "two words"})
    (name, content), *_ = suites.pictures(outcome).items()
    assert (name, content[:8]) == ("two-words", b"\x89PNG\r\n\x1a\n")
    assert "![two words](two.png)" in suites.markdown(outcome, {"two-words": "two.png"})
    for left in (slice(1, None), slice(1)):  # without the base; with nothing beside it
        without = result()
        for case in without["cases"]:
            case["contenders"] = case["contenders"][left]
        assert suites.pictures(found(without)) == {}


def test_a_picture_tells_the_ratio_of_the_table():
    figure = pytest.importorskip("matplotlib.figure", reason="the extra `plot` brings it")
    axes = figure.Figure().subplots()
    measured = row("reference", 8.0) | {"times_base": 7.25, "times_quartiles": [7.0, 7.75]}
    plots._points(axes, [0.5], [measured], 0, "reference")
    assert [text.get_text() for text in axes.texts] == [report._ratio(measured)] == ["7.25"]
    (bars,) = axes.containers[0].lines[2]
    assert bars.get_segments()[0][:, 0].tolist() == [7.0, 7.75]


def test_pictures_that_cannot_be_drawn_are_told(monkeypatch):
    monkeypatch.setattr(plots, "available", lambda: False)
    outcome = found(result())
    assert suites.pictures(outcome) == {}
    assert "matplotlib is not installed" in outcome["skipped"]["plots"]


def test_targets_and_what_was_reached():
    aimed = result("tables")
    aimed["cases"][0]["targets"] = {"ref": 10, "copy": 0.25, "nobody": 2}
    text = suites.markdown(found(aimed))
    assert "| one | ref | 10 | 8.00 (missed by 20%) |" in text
    assert "| one | copy | 0.25 | 0.50 |" in text
    assert "| one | nobody | 2 | not measured |" in text


def test_tables_of_both_layouts():
    text = suites.markdown(found(result("rows"), result("tables")) | {"skipped": {"torch": "not installed"}})
    assert "| one | 1 | 5.0 | 10.0 | 8 (8.00) |" in text
    assert "| reference | 8 | 7.6 to 8.4 | 0.6 | 8.00 |" in text
    assert text.endswith("## not measured\n\n- torch: not installed\n")


def test_rows_measured_beside_busy_programs_are_marked():
    busy = result()
    busy["cases"][1]["others_kept_busy_cores"] = 0.3
    text = suites.markdown(found(busy))
    assert "| one | 1 |" in text
    assert "| two \\* | 1 |" in text
    assert r"\* beside more than 0.2 busy cores" in text
    assert r"\*" not in suites.markdown(found(result()))


def test_a_base_that_is_absent_leaves_its_cells_empty():
    without = result(fused="no compiler")
    for case in without["cases"]:
        case["contenders"] = [{k: v for k, v in r.items() if k != "times_base"} for r in case["contenders"][1:]]
    text = suites.markdown(found(without))
    assert "| one | absent |  | 10.0 | 8 |" in text
    assert "Absent: fused: no compiler." in text


def test_comparison_tells_what_became_slower_and_nothing_else():
    old, new = found(result()), found(result())
    fused, reference, limit = new["workloads"][0]["cases"][0]["contenders"]
    for one, factor in ((fused, 1.5), (reference, 1.05), (limit, 9.0)):
        one["median_ms"] *= factor
        one["quartiles_ms"] = [q * factor for q in one["quartiles_ms"]]
    (change,), shared = compare.slower(old, new)
    assert (change.name, change.old_ms, change.new_ms, change.factor) == ("w, one, fused", 1.0, 1.5, 1.5)
    assert shared == 2 * 2  # a copy is the machine's
    assert "1 of 4 measurements became slower" in compare.told(old, new)
    assert "w, one, fused: 1 ms, now 1.5 ms (1.50 times)" in compare.told(old, new)
    assert "differ" not in compare.told(old, new)
    assert compare.slower(new, old)[0] == []


def test_comparison_tells_that_the_machine_is_another():
    other = result()
    other["machine"] = MACHINE | {"cpu": "Z"}
    assert "The machine or the libraries differ" in compare.told(found(result()), found(other))


def test_scatter_is_no_slowdown():
    old, new = found(result()), found(result())
    first = new["workloads"][0]["cases"][0]["contenders"][0]
    first["median_ms"], first["quartiles_ms"] = 1.5, [1.0, 2.0]
    assert compare.slower(old, new)[0] == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2, "workloads": []}', '{"workload": 1}'])
def test_comparison_refuses_what_is_no_result(tmp_path, text):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(ValueError, match=r"old\.json is not a result of `twingrad bench` in format 1"):
        compare.read(tmp_path / "old.json")
