"""Searches: the same trials however they are run, what is pruned, what fails, what another study's storage says."""

import math
import multiprocessing
import threading

import numpy as np
import pytest

import twingrad as tg
from twingrad import nn, optim
from twingrad.tune import LogUniform, Uniform, importance_png, search, slices_png
from twingrad.tune.search import Desk
from twingrad.tune.workers import Worker

from objectives import SPACE, DiesUnanswered, KillsItself, bowl, failing, steep
from processes import PATIENCE, wait_for

pytest.importorskip("optuna", reason="Optuna (extra `tune`) is not installed")


def told(found):
    return [(trial.index, trial.values, trial.value, trial.state) for trial in found]


@pytest.mark.parametrize("strategy", ["random", "grid", "coarse-to-fine"])
def test_the_same_trials_in_one_process_in_two_and_in_pieces(strategy, tmp_path):
    whole = search(bowl, SPACE, trials=16, strategy=strategy, seed=3)
    if strategy == "coarse-to-fine":
        folder = tmp_path / "parallel"
        assert told(search(bowl, SPACE, trials=16, strategy=strategy, seed=3, workers=2, folder=folder)) == told(whole)
    with pytest.raises(KeyError, match="third"):
        search(failing, SPACE, trials=16, strategy=strategy, seed=3, folder=tmp_path / "pieces")
    rest = search(bowl, SPACE, trials=16, strategy=strategy, seed=3, folder=tmp_path / "pieces")
    assert told(rest) == told(whole)
    again = search(bowl, SPACE, trials=16, strategy=strategy, seed=3, folder=tmp_path / "pieces")
    assert told(again) == told(whole)
    other = search(bowl, SPACE, trials=16, strategy=strategy, seed=4)
    if strategy == "random":  # the others' points depend on how many there are
        with pytest.raises(ValueError, match="trials must be at least the 16 of the search that goes on; got 15"):
            search(bowl, SPACE, trials=15, strategy=strategy, seed=3, folder=tmp_path / "pieces")
    assert (told(other) == told(whole)) == (strategy == "grid")


def test_coarse_to_fine_zooms_into_the_best_region_and_samples_more_densely():
    found = search(bowl, SPACE, trials=30, strategy="coarse-to-fine", seed=0)
    place = np.asarray([[SPACE[n].place(trial.values[n]) for n in ("lr", "beta")] for trial in found])
    rounds = np.split(place, 3)
    for number in (1, 2):
        best = min(list(found)[: 10 * number], key=lambda trial: trial.value)
        width = 3.0**-number
        for axis, name in enumerate(("lr", "beta")):
            low = min(max(SPACE[name].place(best.values[name]) - width / 2, 0), 1 - width)
            assert (rounds[number][:, axis] >= low - 1e-9).all()
            assert (rounds[number][:, axis] <= low + width + 1e-9).all()
    spans = [np.ptp(each, axis=0).max() for each in rounds]
    assert spans[0] > spans[1] > spans[2]
    assert {trial.values["kind"] for trial in list(found)[20:]} == {"b"}
    assert found.best.value < search(bowl, SPACE, trials=30, seed=0).best.value


def test_tpe_is_optunas():
    found = search(bowl, SPACE, trials=30, strategy="tpe", seed=0)
    assert len(found) == 30
    assert found.best.value < 0.2
    assert told(found) == told(search(bowl, SPACE, trials=30, strategy="tpe", seed=0))


def test_maximize():
    upside_down = lambda values, report: -bowl(values, lambda value: report(-value))  # noqa: E731
    up, down = (
        search(f, SPACE, trials=20, strategy="coarse-to-fine", maximize=m, prune=True)
        for f, m in ((upside_down, True), (bowl, False))
    )
    assert [trial.values for trial in up] == [trial.values for trial in down]
    assert up.best.value == -down.best.value
    assert [trial.state for trial in up] == [trial.state for trial in down]


def test_pruning_is_by_the_median_of_those_that_came_to_an_end():
    pruned = search(bowl, SPACE, trials=30, prune=True)
    complete: list[float] = []
    for trial in search(bowl, SPACE, trials=30):
        worse = len(complete) >= 5 and trial.value > np.median(complete)  # at each step all reports lie as the ends do
        assert pruned.trial(trial.index).state == ("pruned" if worse else "complete")
        if worse:
            assert pruned.trial(trial.index).reports == (trial.value + 3,)
        else:
            complete.append(trial.value)
    assert 5 <= len(complete) <= 25


def test_diverged_trials_are_told_and_never_the_best():
    found = search(steep, SPACE, trials=20)
    for trial in found:
        bad = trial.values["lr"] > 0.1 or trial.values["lr"] < 0.001
        assert (trial.state, trial.value is None) == (("diverged", True) if bad else ("complete", False))
    assert found.best.value < 0.5
    worst = max(trial.value for trial in found.ranked)
    assert all(value == worst for trial, value in found.known if trial.state == "diverged")


def test_nothing_but_divergence_has_no_best():
    def hopeless(values, report):
        return math.inf

    found = search(hopeless, SPACE, trials=3)
    with pytest.raises(ValueError, match=r"none of the 3 trials is complete: trial 0: diverged \(lr "):
        _ = found.best


def test_a_worker_that_has_died_is_found_at_the_next_look():
    worker = Worker(bowl, 1)
    worker.process.kill()
    worker.process.join()
    worker.give(0, {"lr": 0.1})
    worker.tell(False)  # an answer to its report
    with pytest.raises((EOFError, ConnectionResetError)):
        worker.here.recv()
    worker.stop()


@pytest.mark.parametrize(("times", "state"), [(1, "complete"), (5, "failed")])
def test_a_worker_that_dies_is_replaced(tmp_path, times, state):
    found = search(KillsItself(str(tmp_path), times), SPACE, trials=4, workers=2, folder=tmp_path / "study")
    assert [trial.state for trial in found] == ["complete", state, "complete", "complete"]
    assert len(list(tmp_path.glob("death*"))) == min(times, 3)
    expected = search(bowl, SPACE, trials=4)
    assert [trial.values for trial in found] == [trial.values for trial in expected]


def test_a_worker_that_dies_before_it_reads_the_answer_to_its_report_is_replaced(tmp_path, monkeypatch):
    report = Desk.report

    def answered_late(desk, index, value, step):
        if index == 1 and not (tmp_path / "buried").exists():
            wait_for(lambda: len(multiprocessing.active_children()) < 2)
            (tmp_path / "buried").touch()
        return report(desk, index, value, step)

    monkeypatch.setattr(Desk, "report", answered_late)
    found = search(DiesUnanswered(str(tmp_path)), SPACE, trials=4, workers=2)
    assert told(found) == told(search(bowl, SPACE, trials=4))
    assert (tmp_path / "buried").exists()


def test_an_error_in_a_worker_comes_out(tmp_path):
    with pytest.raises(KeyError, match="third"):
        search(failing, SPACE, trials=6, workers=2, folder=tmp_path)
    assert len(search(bowl, SPACE, trials=6, folder=tmp_path)) == 6


def test_an_objective_that_cannot_travel():
    with pytest.raises(TypeError, match="an objective for several workers must be a function of a module"):
        search(lambda values, report: 0.0, SPACE, trials=4, workers=2)


def test_more_trials_go_further(tmp_path):
    first = search(bowl, SPACE, trials=5, folder=tmp_path)
    assert told(search(bowl, SPACE, trials=9, folder=tmp_path))[:5] == told(first)


OTHERS = [
    ({"seed": 1}, "seed was 0 and is 1"),
    ({"strategy": "tpe"}, 'strategy was "random" and is "tpe"'),
    ({"maximize": True}, "maximize was false and is true"),
    ({"about": {"data": "b"}}, 'about.data was "a" and is "b"'),
    ({"space": {"lr": LogUniform(1e-4, 0.5)}}, "space.lr.high was 1.0 and is 0.5"),
    ({"space": {"lr": Uniform(1e-4, 1)}}, 'space.lr.scale was "LogUniform" and is "Uniform"'),
]


@pytest.mark.parametrize(("changes", "message"), OTHERS)
def test_the_storage_of_another_study(tmp_path, changes, message):
    options = {"space": {"lr": LogUniform(1e-4, 1)}, "about": {"data": "a"}, "trials": 3, "folder": tmp_path}
    line = lambda values, report: values["lr"]  # noqa: E731
    search(line, **options)
    with pytest.raises(ValueError, match=rf"{tmp_path} holds another study: .*{message}.*name a new folder"):
        search(line, **options | changes)
    assert len(search(line, **options)) == 3


def test_a_grid_or_zoom_of_another_size_is_another_study(tmp_path):
    search(bowl, SPACE, trials=9, strategy="coarse-to-fine", folder=tmp_path)
    with pytest.raises(ValueError, match="trials was 9 and is 12"):
        search(bowl, SPACE, trials=12, strategy="coarse-to-fine", folder=tmp_path)


def test_another_process_at_work(tmp_path):
    entered, leave = threading.Event(), threading.Event()

    def waits(values, report):
        entered.set()
        leave.wait(PATIENCE)
        return 0.0

    thread = threading.Thread(target=search, args=(waits, SPACE), kwargs={"trials": 1, "folder": tmp_path})
    thread.start()
    try:
        assert entered.wait(PATIENCE)
        with pytest.raises(FileExistsError, match="is in use by process"):
            search(waits, SPACE, trials=1, folder=tmp_path)
    finally:
        leave.set()
        thread.join()


def test_a_torn_line_is_cut_off(tmp_path):
    whole = search(bowl, SPACE, trials=6)
    search(bowl, SPACE, trials=3, folder=tmp_path)
    journal = tmp_path / "study.journal"
    content = journal.read_bytes()
    journal.write_bytes(content[:-7])
    assert told(search(bowl, SPACE, trials=6, folder=tmp_path)) == told(whole)


def test_what_is_no_journal(tmp_path):
    (tmp_path / "study.journal").write_text("hello\n")
    with pytest.raises(ValueError, match=r"study\.journal is no journal of Optuna's"):
        search(bowl, SPACE, trials=3, folder=tmp_path)


BAD = [
    ({"trials": 0}, ValueError, "search: trials must be at least 1; got 0"),
    ({"workers": 0}, ValueError, "search: workers must be at least 1; got 0"),
    ({"trials": 2.5}, TypeError, "search: trials must be an int; got 2.5"),
    ({"strategy": "gird"}, ValueError, "unknown strategy 'gird'; did you mean 'grid'?"),
    ({"strategy": "grid", "trials": 1}, ValueError, "a grid over lr, .*, kind needs at least 16 trials, two .*; got 1"),
    ({"strategy": "grid", "trials": 15}, ValueError, "needs at least 16 trials, two values of each; got 15"),
    ({"space": {}}, ValueError, "a space must hold at least one hyperparameter; got none"),
    ({"space": {"lr": (1e-4, 1)}}, TypeError, r"space: 'lr' must be a name with a scale .* got \(0.0001, 1\)"),
    ({"space": [1]}, TypeError, "a space maps names to scales .* got a list"),
]


@pytest.mark.parametrize(("changes", "kind", "message"), BAD)
def test_bad_arguments(changes, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        search(bowl, **{"space": SPACE, "trials": 4, "folder": tmp_path / "new"} | changes)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (3, r"search: objective must be a function \(values, report\) -> value; got 3"),
        (lambda values, report: None, "search: what the objective returns must be a number, got None"),
    ],
)
def test_an_objective_that_is_none(objective, message):
    with pytest.raises(TypeError, match=message):
        search(objective, SPACE, trials=2)


def test_a_trial_that_is_not_there():
    with pytest.raises(IndexError, match="no trial 7 among the 2 that have ended"):
        search(bowl, SPACE, trials=2).trial(7)


def test_importance_names_what_mattered():
    shares = search(bowl, SPACE, trials=40, seed=0).importance()
    assert next(iter(shares)) == "lr"
    assert shares["lr"] > 0.5
    assert sum(shares.values()) == pytest.approx(1)
    assert search(bowl, SPACE, trials=5).importance() == {}
    assert search(lambda values, report: 1.0, SPACE, trials=8).importance() == {}


def test_pictures():
    pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")
    found = search(steep, SPACE, trials=30, prune=True)
    assert importance_png(found).startswith(b"\x89PNG")
    assert slices_png(found).startswith(b"\x89PNG")
    few = search(bowl, SPACE, trials=2)
    assert importance_png(few) is None
    assert slices_png(few).startswith(b"\x89PNG")


def test_with_fit():
    data = tg.data.load("digits").take(slice(0, 300)).split(seed=0)

    def objective(values, report):
        model = nn.Sequential(nn.Linear(64, 10), seed=0)
        optimizer = optim.Adam(lr=values["lr"])
        watch = [report.watch("dev_loss")]
        return tg.fit(model, data, optimizer=optimizer, epochs=6, device="cpu", callbacks=watch).best.dev_loss

    found = search(objective, {"lr": LogUniform(1e-5, 10)}, trials=14, prune=True)
    assert 1e-3 < found.best.values["lr"] < 1
    assert any(trial.state == "pruned" for trial in found)
