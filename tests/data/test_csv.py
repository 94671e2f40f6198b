"""CSV files: what is read, how it is understood, and what is refused with line, column and value."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import twingrad as tg
from twingrad.data import csv_records

ROWS = [(20 + i, ("Oslo", "Rome", "Bonn")[i % 3], i / 4, ("no", "yes")[i % 2]) for i in range(12)]
GOOD = "age,city,size,y\n" + "".join(f"{age},{city},{size},{y}\n" for age, city, size, y in ROWS)


def test_numbers_text_and_target(write):
    data = tg.data.load(write("people.csv", GOOD))
    assert (data.name, data.task, data.classes, len(data)) == ("people", "binary", ("no", "yes"), 12)
    assert data.task_reason == "'y' holds text, 2 different values"
    assert (data.feature_names, data.target_names) == (("age", "city", "size"), ("y",))
    np.testing.assert_array_equal(data.x.column("age"), [row[0] for row in ROWS])
    city = data.x.column("city")
    assert [city.values[code] for code in city.codes] == [row[1] for row in ROWS]
    assert data.y.tolist() == [0, 1] * 6


def test_numbers_alone_are_an_array(write):
    data = tg.data.load(write("t.csv", GOOD), target="age", features=["size"])
    np.testing.assert_array_equal(data.x, [[row[2]] for row in ROWS])
    assert (data.feature_names, data.unused_names) == (("size",), ("city", "y"))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode() + b"\n\n",
        lambda text: text.replace("Oslo", '"Oslo"').encode(),
        lambda text: text.replace(",", " , ").encode(),
    ],
    ids=["carriage returns", "byte order mark", "empty lines at the end", "quotes", "space"],
)
def test_other_ways_to_write_it(write, change):
    expected, found = (tg.data.load(write("t.csv", content)) for content in (GOOD.encode(), change(GOOD)))
    for name in ("age", "size"):
        np.testing.assert_array_equal(found.x.column(name), expected.x.column(name))
    assert found.x.column("city").values == expected.x.column("city").values
    np.testing.assert_array_equal(found.x.column("city").codes, expected.x.column("city").codes)


def test_compressed_and_by_tabs(write):
    assert len(tg.data.load(write("t.csv.gz", gzip.compress(GOOD.encode())))) == 12
    assert tg.data.load(write("t.tsv", GOOD.replace(",", "\t"))).feature_names == ("age", "city", "size")
    assert tg.data.load(write("s.csv", GOOD.replace(",", ";")), delimiter=";").feature_names == ("age", "city", "size")


text = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(lambda cell: cell.strip())
number = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(number, text.map(str.strip), number), min_size=1, max_size=40))
def test_every_number_and_text_comes_back(tmp_path_factory, rows):
    assume(len(rows) == 1 or len({row[2] for row in rows}) > 1)  # a regression on one value is refused
    path = tmp_path_factory.getbasetemp() / "round.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b", "y"), *rows])
    data = tg.data.load(path, categories=["b"], task="regression")
    assert data.x.column("a").tolist() == [row[0] for row in rows]
    column = data.x.column("b")
    assert [column.values[code] for code in column.codes] == [row[1] for row in rows]
    assert data.y.tolist() == [row[2] for row in rows]


@given(st.integers(1, 30), st.integers(1, 7))
def test_the_size_of_chunks_does_not_matter(tmp_path_factory, n, rows):
    path = tmp_path_factory.getbasetemp() / "chunks.csv"
    path.write_text("a,y\n" + "".join(f'"{i}\n{i}",{i}\n' for i in range(n)))
    found = list(csv_records.records(path, ",", rows))
    assert [len(chunk.lines) for chunk in found] == [rows] * (n // rows) + [n % rows] * (n % rows > 0)
    assert [cell for chunk in found for cell in chunk.cells[1]] == [str(i) for i in range(n)]
    assert [line for chunk in found for line in chunk.lines] == [2 + 2 * i for i in range(n)]  # quoted line ends count


TASKS = {
    "text": (["a", "b", "c", "a"], None, "multi-class", "holds text, 3 different values", [0, 1, 2, 0]),
    "two": (["5", "7", "5", "5"], None, "binary", "2 different values", [0, 1, 0, 0]),
    "few whole numbers": (["1", "2", "3.0", "1"], None, "multi-class", "3 different whole numbers", [0, 1, 2, 0]),
    "fractions": (["0.5", "1", "2", "3"], None, "regression", "numbers with fractions", [0.5, 1, 2, 3]),
    "many": ([str(3 * i) for i in range(30)], None, "regression", "30 different whole numbers", range(0, 90, 3)),
    "many from 0 on": ([str(i % 25) for i in range(50)], None, "multi-class", "25 different", [*range(25)] * 2),
    "asked for": (["1", "2", "1", "2"], "regression", "regression", "asked for", [1, 2, 1, 2]),
    "asked for classes": ([str(3 * i) for i in range(30)], "multi-class", "multi-class", "asked for", range(30)),
    "asked for one label": (["0", "1", "1", "0"], "multi-label", "multi-label", "asked for", [[0], [1], [1], [0]]),
}


@pytest.mark.parametrize(("cells", "asked", "task", "reason", "y"), TASKS.values(), ids=TASKS)
def test_the_target_tells_the_task(write, cells, asked, task, reason, y):
    data = tg.data.load(write("t.csv", "x,y\n" + "".join(f"1,{cell}\n" for cell in cells)), task=asked)
    assert data.task == task
    assert reason in data.task_reason
    assert data.y.tolist() == list(y)


SEVERAL = {
    "labels": ("1,0,1\n0,0,0\n", None, "multi-label", [[1, 0, 1], [0, 0, 0]]),
    "one-hot": ("1,0,0\n0,0,1\n", None, "multi-class", [0, 2]),
    "one-hot as labels": ("1,0,0\n0,0,1\n", "multi-label", "multi-label", [[1, 0, 0], [0, 0, 1]]),
    "numbers": ("1,0,0.5\n0,1,1\n", None, "regression", [[1, 0, 0.5], [0, 1, 1]]),
}


@pytest.mark.parametrize(("rows", "asked", "task", "y"), SEVERAL.values(), ids=SEVERAL)
def test_several_targets(write, rows, asked, task, y):
    text = "a,b,c,x\n" + rows.replace("\n", ",7\n")
    data = tg.data.load(write("t.csv", text), target=["a", "b", "c"], task=asked)
    assert (data.task, data.y.tolist(), data.target_names) == (task, y, ("a", "b", "c"))
    assert data.classes == (() if task == "regression" else ("a", "b", "c"))


BAD = {
    "ragged, more": (
        GOOD.replace("22,", "22,,"),
        {},
        "line 4: has 5 fields where the header has 4 columns .'age' to 'y'",
    ),
    "ragged, less": (GOOD.replace("22,Bonn", "22"), {}, "line 4: has 3 fields where the header has 4 columns"),
    "gap": (GOOD.replace("22,", ","), {}, "line 4, column 'age': the cell is empty; fill it in or remove the row"),
    "gap of spaces": (GOOD.replace("22,Bonn", "22,  "), {}, "line 4, column 'city': the cell is empty"),
    "gap in the target": (GOOD.replace("0.5,no", "0.5,"), {}, "line 4, column 'y': the cell is empty"),
    "text for a number": (
        GOOD.replace("22,", "old,"),
        {},
        r"line 4, column 'age': a number is due, got 'old'; mend or remove the row, or .* categories=\['age'\]",
    ),
    "NA": (GOOD.replace("0.5", "NA"), {}, "line 4, column 'size': a missing value, 'NA'; fill it in"),
    "underscore": (GOOD.replace("22,", "2_2,"), {}, "line 4, column 'age': a number is due, got '2_2'"),
    "NaN": (GOOD.replace("22,", "NaN,"), {}, "line 4, column 'age': must be finite, got 'NaN'"),
    "infinity": (GOOD.replace("0.5", "-inf"), {}, "line 4, column 'size': must be finite, got '-inf'"),
    "too large": (GOOD.replace("0.5", "1e999"), {}, "line 4, column 'size': must be finite, got '1e999'"),
    "duplicate columns": (GOOD.replace("size", "age"), {}, "line 1: columns 1 and 3 are both called 'age'; rename one"),
    "no name": (GOOD.replace("size", " "), {}, "line 1: column 3 has no name"),
    "no header": ("1,2\n3,4\n", {}, "line 1: numbers where the names of the columns are due; add a header"),
    "no rows": ("age,y\n", {}, "no rows below the header"),
    "nothing": ("", {}, "line 1: a header with the names of the columns is due"),
    "one value": (
        "a,y\n1,2.5\n2,2.5\n3,2.5\n",
        {},
        r"target 'y' holds the one value 2\.5 in all 3 rows; a regression needs at least two",
    ),
    "one value of two targets": (
        "a,y,z\n1,2.5,0.5\n2,2.5,1.5\n",
        {"target": ["z", "y"]},
        r"target 'y' holds the one value 2\.5 in all 2 rows",
    ),
    "one class": (GOOD.replace("yes", "no"), {}, r"target 'y' holds one class alone \('no'\); .* needs at least two"),
    "no such target": (GOOD, {"target": "sise"}, "there is no column 'sise'; did you mean 'size'. It has age, city"),
    "no such feature": (GOOD, {"features": ["agee"]}, "there is no column 'agee'; did you mean 'age'"),
    "class beyond float64": ("a,y\n1,3\n2,9007199254740993\n", {}, "line 3, target 'y': too large for a class"),
    "no such category": (GOOD, {"categories": ["town"]}, "there is no column 'town'"),
    "no target": (
        GOOD.replace(",y\n", ",z\n", 1),
        {},
        "the target, as in target='z'; it has age, city, size, z",
    ),
    "target as feature": (GOOD, {"features": ["y", "age"]}, "column 'y' cannot be a feature and the target"),
    "target alone": ("y\n1\n2\n", {}, "beside the target there is no column to learn from"),
    "Latin 1": (
        GOOD.encode().replace(b"Oslo", b"\xd8slo"),
        {},
        "line 2: byte 0xd8 at position 19 of the file is not UTF-8 .*; save it as UTF-8",
    ),
    "Latin 1 far down": (GOOD.encode() + b"1,R\xe9,2,no\n", {}, "line 14: byte 0xe9 at position"),
    "Latin 1 below UTF-8": ("x,y\nÅ,1\n".encode() + b"\xc5,2\n", {}, "line 3: byte 0xc5 at position 9 of the file"),
    "UTF-16": (GOOD.encode("utf-16"), {}, "is UTF-16; save it as UTF-8"),
    "zero byte": (GOOD.replace("Bonn", "Bo\0n", 1), {}, "line 4: holds a zero byte"),
    "semicolons": (GOOD.replace(",", ";"), {}, "line 1: one column, .* separated by ';': delimiter=';'"),
    "open quote": (GOOD + '1,"Rome,2,no\n', {}, "line 14: not a CSV record .* is a quote left open"),
    "empty line": (GOOD.replace("22,", "\n22,"), {}, "line 4: is empty, with rows below it; remove it"),
    "carriage returns": (GOOD.replace("\n", "\r"), {}, "line 1: a line ends in a carriage return alone"),
    "decimal comma": ('x,y\n"1,5",0\n"2,5",1\n', {}, "column 'x': numbers need a decimal point; got '1,5'"),
    "regression of text": (GOOD, {"task": "regression"}, "task 'regression' needs numbers, but target 'y' .* 'no'"),
    "binary of three": (
        GOOD,
        {"task": "binary", "target": "city"},
        "needs two classes, but target 'city' holds 3: Bonn",
    ),
    "classes of fractions": (
        GOOD,
        {"task": "multi-class", "target": "size"},
        "line 3, target 'size': task 'multi-class' needs whole numbers or text; got 0.25",
    ),
    "labels of numbers": (
        GOOD,
        {"task": "multi-label", "target": ["age", "size"]},
        "line 2, target 'age': task 'multi-label' needs 0 or 1, or NaN for a missing one; got 20",
    ),
    "classes of columns": (
        GOOD,
        {"task": "multi-class", "target": ["age", "size"]},
        "'multi-class' needs one target column, or one 1 in each row; got 2 columns",
    ),
    "text among targets": (GOOD, {"target": ["age", "city"]}, "several target columns must hold numbers, but 'city'"),
    "unknown task": (GOOD, {"task": "regresion"}, "unknown task 'regresion'; did you mean 'regression'"),
    "unknown option": (GOOD, {"targte": "y"}, "unknown option of load 'targte'; did you mean 'target'"),
}


@pytest.mark.parametrize(("content", "options", "message"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told(write, content, options, message):
    name = write("bad.csv", content)
    with pytest.raises(ValueError, match=message) as caught:
        tg.data.load(name, **options)
    assert "bad.csv" in str(caught.value) or "unknown" in str(caught.value)


def test_a_bad_cell_in_a_column_that_is_not_used_does_not_matter(write):
    data = tg.data.load(write("t.csv", GOOD.replace("22,", ",")), features=["size"])
    assert len(data) == 12


def test_a_line_beyond_the_first_chunk_is_named(write):
    rows = csv_records.ROWS + 10
    text = "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(rows))
    with pytest.raises(ValueError, match=f"line {rows + 2}, column 'x': a number is due, got 'late'"):
        tg.data.load(write("t.csv", text + "late,0\n"))


@pytest.mark.parametrize("ending", [".csv.gz"])
def test_a_truncated_compressed_file_is_refused(write, ending):
    with pytest.raises(ValueError, match=rf"t{ending}: the compressed file is damaged or truncated"):
        tg.data.load(write(f"t{ending}", gzip.compress(GOOD.encode())[:-9]))


MISSING = {
    "file": ("goud.csv", FileNotFoundError, "no file 'goud.csv'; did you mean 'good.csv'"),
    "folder": ("nowhere/x.csv", FileNotFoundError, "no file 'nowhere/x.csv'$"),
    "alike in its ending alone": ("kinds.csv", FileNotFoundError, "no file 'kinds.csv'$"),
    "another ending": ("good.tsv", FileNotFoundError, "did you mean 'good.csv'"),
    "name": ("digit", ValueError, r"did you mean 'digits'\? .*or the path of a CSV file"),
    "kind": ("good.txt", ValueError, "good.txt: cannot tell from its name what it holds"),
    "pair": (("good.csv", "good.csv"), ValueError, "must be two .npy or two idx files"),
    "three": (("a", "b", "c"), ValueError, "two files are due"),
}


@pytest.mark.parametrize(("spec", "kind", "message"), MISSING.values(), ids=MISSING)
def test_what_is_not_there(write, spec, kind, message):
    for name in ("good.csv", "good.txt"):
        write(name, GOOD)
    with pytest.raises(kind, match=message):
        tg.data.load(spec)


def test_options_that_do_not_apply():
    with pytest.raises(ValueError, match="target does not apply to digits; it is for csv or npz or npy"):
        tg.data.load("digits", target="y")
    with pytest.raises(ValueError, match="task='regression' does not apply to digits, which is multi-class"):
        tg.data.load("digits", task="regression")
    assert tg.data.load("digits", task="multi-class").task == "multi-class"


def test_diabetes_as_scikit_learn_has_it(write):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn (extra `oracle`) is not installed")
    theirs = datasets.load_diabetes(scaled=False)
    lines = [",".join([*theirs.feature_names, "target"])]
    lines += [",".join(map(repr, [*map(float, x), float(y)])) for x, y in zip(theirs.data, theirs.target, strict=True)]
    data = tg.data.load(write("diabetes.csv", "\n".join(lines)))
    np.testing.assert_array_equal(data.x, theirs.data)
    np.testing.assert_array_equal(data.y, theirs.target)
    reason = "'target' holds 214 different whole numbers; task='multi-class' would take them for classes"
    assert (data.task, data.task_reason) == ("regression", reason)


def test_a_quote_may_follow_a_space(write):
    found = tg.data.load(write("t.csv", 'a, "the class"\n1, "p"\n2, "q, r"\n3,"p"\n'), target="the class")
    assert (found.classes, found.y.tolist()) == (("p", "q, r"), [0, 1, 0])
