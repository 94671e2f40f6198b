"""Every task from a file to predictions: chosen by the labels or by --task, told, measured in its own way."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from twingrad.train import load_model, save_model

QUICK = ("--epochs", "30", "--hidden", "16", "--lr", "0.01", "--device", "cpu", "--out", "run")
N = 240


def write(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def homes(tmp_path):
    """A regression with text in two columns: price = area * (9 in Oslo, 5 in Rome) + 300 for a house."""
    draw = np.random.default_rng(0)
    city, kind, area = draw.choice(["Oslo", "Rome"], N), draw.choice(["flat", "house"], N), draw.uniform(20, 200, N)
    price = area * np.where(city == "Oslo", 9, 5) + 300 * (kind == "house")
    write(tmp_path / "homes.csv", ["city", "kind", "area", "price"], zip(city, kind, area, price, strict=True))
    return tmp_path / "homes.csv"


@pytest.fixture
def flowers(tmp_path):
    """Two classes by name that a line separates; and a column of three, and three labels of 0 and 1."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(N, 3)) * [1, 100, 0.01]
    score = x / [1, 100, 0.01]
    two, three = np.where(score.sum(1) > 0, "yes", "no"), np.digitize(score[:, 0], [-0.5, 0.5])
    labels = (score > 0).astype(int)
    rows = zip(*x.T, two, three, *labels.T, strict=True)
    write(tmp_path / "flowers.csv", ["a", "b", "c", "two", "three", "l0", "l1", "l2"], rows)
    return tmp_path / "flowers.csv"


CASES = {
    "binary": (["--target", "two", "--features", "a,b,c"], "binary", "accuracy", 0.9),
    "multi-class": (["--target", "three", "--features", "a,b,c"], "multi-class", "accuracy", 0.8),
    "multi-label": (["--target", "l0,l1,l2", "--features", "a,b,c"], "multi-label", "exact_match", 0.7),
    "multi-class asked for": (
        ["--target", "two", "--features", "a,b,c", "--task", "multi-class"],
        "multi-class",
        "accuracy",
        0.9,
    ),
    "regression asked for": (
        ["--target", "three", "--features", "a,b,c", "--task", "regression"],
        "regression",
        "r2",
        0.7,
    ),
    "two targets": (["--target", "a,b", "--features", "c,l0"], "regression", "mae", 0.0),
}


@pytest.mark.parametrize(("options", "task", "metric", "least"), CASES.values(), ids=CASES)
def test_each_task_is_told_trained_and_measured(call, flowers, options, task, metric, least):
    code, out, err = call("train", "--data", flowers, *options, *QUICK, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["task"] == task
    assert result[f"test_{metric}"] >= least
    assert re.search(rf"task +{task} \(", err)
    assert load_model("run").preprocessing.task == task
    code, out, err = call("evaluate", "run", "--json")
    assert (code, err) == (0, "")
    parts = json.loads(out)["parts"]
    assert {f"{part}_{name}": value for part in parts for name, value in parts[part].items() if name != "examples"} == {
        name: value for name, value in result.items() if name.startswith(("train_", "dev_", "test_"))
    }


def test_a_table_with_text_end_to_end(call, homes, tmp_path):
    code, out, err = call("train", "--data", homes, "--target", "price", *QUICK)
    assert (code, err) == (0, "")
    assert re.search(r"loss +R2 +RMSE +MAE", out)
    assert "'price' holds numbers with fractions" in out
    rows = read(homes)[:50]
    write(tmp_path / "new.csv", ["area", "city", "kind"], [[row["area"], row["city"], row["kind"]] for row in rows])
    code, out, err = call("predict", "run", "--data", "new.csv", "--batch-size", 7)
    found = np.array([float(row["prediction"]) for row in csv.DictReader(out.splitlines())])
    actual = np.array([float(row["price"]) for row in rows])
    assert 1 - ((found - actual) ** 2).sum() / ((actual - actual.mean()) ** 2).sum() > 0.95
    assert call("predict", "run", "--data", "new.csv")[1] == out


def test_a_category_of_one_row_needs_unknown_zeros(call, homes):
    lines = homes.read_text(encoding="utf-8").splitlines()
    rare = [line.replace("Oslo", f"Town{i}").replace("Rome", f"Town{i}") for i, line in enumerate(lines[1:6])]
    homes.write_text("\n".join([*lines, *rare]) + "\n", encoding="utf-8")
    code, _, told = call("train", "--data", homes, "--target", "price", *QUICK)
    assert code == 2
    assert "unknown category 'Town" in told
    assert "train with --unknown zeros" in told
    assert not Path("run").exists()
    code, _, told = call("train", "--data", homes, "--target", "price", "--unknown", "zeros", *QUICK)
    assert code == 0, told


def test_predictions_in_csv_and_json_lines(call, flowers):
    call("train", "--data", flowers, *CASES["binary"][0], *QUICK, "--quiet")
    _, plain, _ = call("predict", "run", "--data", flowers, "--probabilities", "--top-k", 2)
    rows = list(csv.DictReader(plain.splitlines()))
    assert len(rows) == N
    assert list(rows[0]) == ["prediction", "p(no)", "p(yes)", "top1", "p1", "top2", "p2"]
    for row in rows:
        chances = {name: float(row[f"p({name})"]) for name in ("no", "yes")}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-12)
        assert row["prediction"] == row["top1"] == max(chances, key=chances.get)
        assert float(row["p1"]) == chances[row["top1"]] >= float(row["p2"])
    _, lines, _ = call("predict", "run", "--data", flowers, "--probabilities", "--top-k", 1, "--json")
    found = [json.loads(line) for line in lines.splitlines()]
    assert [line["prediction"] for line in found] == [row["prediction"] for row in rows]
    assert [line["row"] for line in found] == list(range(N))
    assert found[3]["probabilities"] == {name: float(rows[3][f"p({name})"]) for name in ("no", "yes")}
    assert found[3]["top"] == [{"class": rows[3]["top1"], "probability": float(rows[3]["p1"])}]


def test_labels_in_csv_and_json_lines(call, flowers, tmp_path):
    call("train", "--data", flowers, *CASES["multi-label"][0], *QUICK, "--quiet")
    _, plain, _ = call("predict", "run", "--data", flowers, "--out", "p.csv", "--json")
    assert json.loads(plain) == {"run": "run", "rows": N, "out": "p.csv"}
    code, _, _ = call("predict", "run", "--data", flowers, "--out", "p.jsonl", "--top-k", 2)
    assert code == 0
    rows, lines = (
        read(tmp_path / "p.csv"),
        [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()],
    )
    assert [{name: int(value) for name, value in row.items()} for row in rows] == [line["prediction"] for line in lines]
    assert all(len(line["top"]) == 2 for line in lines)


def test_the_confusion_of_classes_in_another_file(call, flowers, tmp_path):
    """A file that holds one class alone is measured with the model's numbers for its classes."""
    call("train", "--data", flowers, *CASES["binary"][0], *QUICK, "--quiet")
    rows = [row for row in read(flowers) if row["two"] == "yes"]
    write(tmp_path / "yes.csv", list(rows[0]), [row.values() for row in rows])
    found = json.loads(call("evaluate", "run", "--data", "yes.csv", "--json")[1])["parts"]["all"]
    assert found["examples"] == len(rows)
    assert found["accuracy"] > 0.9


BAD = {
    "unknown category": (
        ["city,kind,area", "Oslo,flat,3", "Paris,flat,5"],
        "line 3, column 'city': unknown category 'P",
    ),
    "missing column": (["city,area", "Oslo,3"], "missing 'kind'"),
    "other case": (["City,kind,area", "Oslo,flat,3"], "missing 'city'; unexpected 'City' (did you mean 'city'?)"),
    "too large": (
        ["city,kind,area", "Oslo,flat,1", "Rome,flat,1e300"],
        "line 3, column 'area': 1e+300 is too large for",
    ),
    "unexpected column": (["city,kind,area,size", "Oslo,flat,3,4"], "unexpected 'size'"),
    "text for a number": (["city,kind,area", "Oslo,flat,big"], "line 2, column 'area': a number is due, got 'big'"),
    "no rows": (["city,kind,area"], "there are no rows"),
    "ragged": (["city,kind,area", "Oslo,flat"], "line 2"),
}


@pytest.mark.parametrize(("lines", "message"), BAD.values(), ids=BAD)
def test_bad_data_for_a_prediction_write_nothing(call, homes, tmp_path, lines, message):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, out, err = call("predict", "run", "--data", "bad.csv", "--out", "p.csv")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "p"))]


@pytest.mark.parametrize("out", ["homes.csv", "sub/../homes.csv", "link.csv", "run/history.jsonl"])
def test_predictions_overwrite_nothing_that_they_are_made_of(call, homes, tmp_path, out):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").hardlink_to(homes)
    before = (tmp_path / out).read_bytes()
    code, told, err = call("predict", "run", "--data", homes, "--features", "city,kind,area", "--out", out)
    assert (code, told) == (2, "")
    assert f"--out {out} would overwrite " in err
    assert err.endswith("which is read; name another file\n")
    assert (tmp_path / out).read_bytes() == before


WRONG = {
    "probabilities of a regression": (["predict", "run", "--probabilities"], "this model is of a regression"),
    "ending": (["predict", "run", "--out", "p.txt"], "--out: must end in .csv or .jsonl; got 'p.txt'"),
    "no run": (["predict", "nowhere"], "error: there is no run folder or model file 'nowhere'"),
    "a table": (["predict", "homes.csv"], "homes.csv is not a model file, or not a whole one ("),
    "another ending": (["predict", "run", "--data", "homes"], "there is no file 'homes'; did you mean 'homes.csv'?"),
    "no such data": (
        ["predict", "run", "--data", "home.csv"],
        "there is no file 'home.csv'; did you mean 'homes.csv'?",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_predictions(call, homes, arguments, message):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    arguments = arguments if "--data" in arguments else [*arguments, "--data", homes]
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_changed_since_training_is_noted(call, homes):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    assert call("evaluate", "run")[::2] == (0, "")
    homes.write_text(homes.read_text().replace("Oslo", "Rome", 9))
    code, out, err = call("evaluate", "run")
    assert code == 0
    assert re.fullmatch(r"twingrad: note: .*homes.csv has changed since training: .*\n", err)
    assert "test" in out
    code, out, err = call("evaluate", "run", "--data", homes)
    assert (code, "test" in out) == (0, False)
    assert re.fullmatch(r"twingrad: note: the model was trained on a part of .*homes.csv; without --data its .*\n", err)


def test_the_columns_of_the_model_can_be_chosen_among_others(call, homes, tmp_path):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    with_more = [
        f"{line},{'extra' if number == 0 else number}" for number, line in enumerate(homes.read_text().split())
    ]
    (tmp_path / "more.csv").write_text("\n".join(with_more) + "\n")
    for command, told in (("evaluate", '"all"'), ("predict", '"prediction"')):
        code, _, err = call(command, "run", "--data", "more.csv", "--json")
        assert code == 2
        assert "unexpected 'extra'; to leave it out: --features city,kind,area\n" in err
        code, out, _ = call(command, "run", "--data", "more.csv", "--json", "--features", "area,city,kind")
        assert (code, told in out) == (0, True)
        assert out == call(command, "run", "--data", homes, "--json")[1]
        code, _, err = call(command, "run", "--data", "more.csv", "--features", "area,city")
        assert (code, "missing 'kind'" in err) == (2, True)


def test_data_with_a_test_part_are_measured_on_it(call, tmp_path):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(90, 3)), np.arange(90) % 3
    np.savez(tmp_path / "own.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    call("train", "--data", "own.npz", *QUICK, "--quiet")
    for part, sizes in {None: {"test": 30}, "all": {"train": 60, "test": 30}, "train": {"train": 60}}.items():
        given = [] if part is None else ["--part", part]
        found = json.loads(call("evaluate", "run", "--data", "own.npz", "--json", *given)[1])["parts"]
        assert {name: each["examples"] for name, each in found.items()} == sizes
    code, _, err = call("evaluate", "run", "--data", "own.npz", "--part", "dev")
    assert (code, "--part dev does not apply to own.npz, which has the parts train, test" in err) == (2, True)
    own = json.loads(call("evaluate", "run", "--part", "dev", "--json")[1])["parts"]
    assert {name: each["examples"] for name, each in own.items()} == {"dev": 6}


def test_a_model_that_diverged_is_refused(call, homes):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    model = load_model("run")
    model[0].bias.assign(np.full(16, np.nan))
    save_model(model, "run/model.safetensors")
    for command in ("evaluate", "predict"):
        code, out, err = call(command, "run", "--data", homes)
        assert (code, out) == (2, "")
        assert "run holds a model that diverged: 0.bias is not finite" in err


def test_a_name_that_holds_a_comma_stands_in_quotes(call, tmp_path):
    rows = [(i % 7, i % 5, i % 7 + 0.5) for i in range(60)]
    write(tmp_path / "t.csv", ["width, cm", 'the "x"', "price, EUR"], rows)
    options = ["--target", '"price, EUR"', "--features", '"width, cm","the ""x"""']
    assert call("train", "--data", "t.csv", *options, *QUICK, "--epochs", 1, "--quiet")[0] == 0
    assert load_model("run").preprocessing.names == ("width, cm", 'the "x"')
    assert call("train", "--config", "run/config.toml", "--out", "again", "--quiet")[0] == 0
    code, _, err = call("train", "--data", "t.csv", "--target", '"price')
    assert (code, "--target: must be names, joined by commas; quote one that holds a comma" in err) == (2, True)


TOLD = {
    "delimiter": ("a;b;y\n1;2;0\n", [], "separated by ';': --delimiter ';'\n"),
    "categories": (
        "a,b,y\n1,2,0\n2,x,1\n3,4,1\n",
        ["--target", "y"],
        "got 'x'; mend or remove the row, or declare the column to be text: --categories b\n",
    ),
    "target": ("a,b\n1,2\n", [], "say which column is the target, as in --target b; it has a, b\n"),
    "does not apply": (
        None,
        ["--target", "y"],
        "error: --target does not apply to digits; it is for csv or npz or npy\n",
    ),
    "task": (
        None,
        ["--task", "regression"],
        "error: --task regression does not apply to digits, which is multi-class\n",
    ),
    "ordinal": (
        "a,b,y\n" + "x,2,0\ny,3,1\n" * 10,
        ["--target", "y", "--unknown", "zeros", "--encoding", "ordinal"],
        "--unknown zeros needs --encoding one-hot; got 'ordinal'\n",
    ),
}


@pytest.mark.parametrize(("text", "options", "message"), TOLD.values(), ids=TOLD)
def test_messages_speak_of_options(call, tmp_path, text, options, message):
    (tmp_path / "t.csv").write_text(text or "")
    code, _, err = call("train", *(["--data", "t.csv"] if text else []), *options)
    assert code == 2
    assert err.endswith(message)


def test_another_table_is_told_by_its_count_of_columns(call, homes, quick):
    call("train", *quick, "--quiet", "--out", "run")
    for command, count in (("predict", 4), ("evaluate", 3)):
        code, _, err = call(command, "run", "--data", homes)
        assert code == 2
        assert f"{count} columns of features, but the model was trained on 64, without names" in err


def test_text_for_numbers_at_a_prediction_has_no_advice_for_training(call, homes, tmp_path):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    (tmp_path / "bad.csv").write_text("city,kind,area\nOslo,flat,big\n")
    for command in ("predict", "evaluate"):
        (tmp_path / "bad.csv").write_text("city,kind,area,price\nOslo,flat,big,2.5\n")
        err = call(command, "run", "--data", "bad.csv")[2]
        assert err.endswith("a number is due, got 'big'; mend or remove the row; the model takes numbers\n")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("no/p.csv", r"--out no/p.csv cannot be written \(No such file or directory\); name another file"),
        ("d.csv", "is a folder"),
    ],
)
def test_predictions_that_cannot_be_written(call, homes, tmp_path, out, message):
    call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, "--quiet")
    (tmp_path / "d.csv").mkdir()
    code, _, err = call("predict", "run", "--data", homes, "--out", out)
    assert code == 2
    assert re.search(message, err)


def test_another_program_s_configuration_beside_a_model_file_does_not_matter(call, homes, tmp_path):
    call("train", "--data", homes, "--target", "price", *QUICK, "--quiet")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "m.safetensors").write_bytes((tmp_path / "run" / "model.safetensors").read_bytes())
    for text in ("[tool]\nx = 1", "no = toml = at all"):
        (tmp_path / "alone" / "config.toml").write_text(text)
        for command in ("evaluate", "gradcheck"):
            code, _, err = call(command, "alone/m.safetensors", "--data", homes)
            assert (code, err) == (0, "")
            code, _, err = call(command, "alone/m.safetensors")
            assert (code, "alone/m.safetensors holds no config.toml that tells its data" in err) == (2, True)
    assert call("evaluate", "run/model.safetensors")[0] == 0
    (tmp_path / "run" / "config.toml").write_text(text)
    assert call("evaluate", "run", "--data", homes)[0] == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "one-hot, by categories of the train part: city (2), kind (2)"),
        (("--unknown", "zeros"), "one-hot, by categories of the train part: city (2), kind (2), unknown ones as zeros"),
        (("--encoding", "ordinal"), "ordinal, by categories of the train part: city (2), kind (2)"),
        (("--features", "area"), None),
    ],
)
def test_how_text_is_encoded_is_told(call, homes, options, told):
    out = call("train", "--data", homes, "--target", "price", *QUICK, "--epochs", 1, *options)[1]
    assert re.findall(r"\n  text +(.*)\n", out) == ([told] if told else [])


def test_a_model_of_arrays_takes_a_table_of_as_many_columns(call, tmp_path):
    draw = np.random.default_rng(0)
    x = draw.integers(0, 99, (60, 3)) / 4.0
    y = x @ [1.0, 2.0, 3.0] + 0.25
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    write(tmp_path / "t.csv", ["a", "b", "c", "y"], np.column_stack([x, y]).tolist())
    write(tmp_path / "x.csv", ["a", "b", "c"], x.tolist())
    assert call("train", "--data", "x.npy,y.npy", *QUICK, "--quiet")[0] == 0
    of_arrays, of_table = (
        json.loads(call("evaluate", "run", "--data", *data, "--json")[1])["parts"]
        for data in (("x.npy,y.npy",), ("t.csv", "--target", "y"))
    )
    assert of_arrays == of_table
    predicted = call("predict", "run", "--data", "x.npy")[1]
    assert predicted.count("\n") == 61
    assert call("predict", "run", "--data", "x.csv")[1] == predicted
    for command, rest in (("evaluate", ("--target", "y")), ("predict", ())):
        code, _, err = call(command, "run", "--data", "t.csv", *rest, "--features", "a,b")
        assert (code, "2 columns of features, but the model was trained on 3, without names" in err) == (2, True)
