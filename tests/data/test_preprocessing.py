"""Preprocessing: fitted on the train part alone, the same for every batch, and strict about what it is given."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import twingrad as tg
from twingrad.data import Dataset, Preprocessing, Table, Text, feature_batches, prepare

PEOPLE = "age,city,size,id,y\n" + "".join(
    f"{20 + i},{('Oslo', 'Rome', 'Bonn')[i % 3]},{i / 4},{i},{('no', 'yes')[i % 2]}\n" for i in range(12)
)
COLUMNS = ["age", "city", "size"]


@pytest.fixture
def people(write):
    return tg.data.load(write("people.csv", PEOPLE), features=COLUMNS)


def numbers(x, y=None, **rest):
    return Dataset(np.asarray(x), np.arange(len(x)) % 2 if y is None else y, **rest)


def test_pixels():
    data = numbers(np.arange(256, dtype=np.uint8).reshape(4, 8, 8))
    fitted = Preprocessing.fit(data)
    assert (fitted.scaling, fitted.scaling_reason, fitted.width) == ("pixels", "the features are bytes", 64)
    expected = (np.arange(256) / 255).astype(np.float32).reshape(4, 64)
    np.testing.assert_array_equal(fitted.apply(data.x), expected)
    np.testing.assert_array_equal(fitted.apply(data.x.astype(np.float64)), expected)


def test_what_lies_in_the_unit_interval_stays():
    data = tg.data.load("digits")
    fitted = Preprocessing.fit(data)
    assert fitted.scaling == "none"
    np.testing.assert_array_equal(fitted.apply(data), data.x)


@given(hnp.arrays(np.float64, (7, 3), elements=st.floats(-1e6, 1e6)))
def test_standardise(x):
    x = np.concatenate([x, np.full((7, 1), 0.1)], axis=1)  # a constant is shifted, not scaled
    fitted = Preprocessing.fit(numbers(x), scaling="standardise")
    found = fitted.apply(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    spread = found.std(axis=0)
    assert all(abs(each - 1) < 1e-4 or np.ptp(column) <= 1e-6 for each, column in zip(spread, x.T, strict=True))
    assert (abs(found[:, 3]) < 1e-15).all()


def test_standardise_as_scikit_learn_does():
    kind = pytest.importorskip(
        "sklearn.preprocessing", reason="scikit-learn (extra `oracle`) is not installed"
    ).StandardScaler
    x = np.random.default_rng(0).normal(3, [1e-3, 1, 1e4], (1000, 3))
    fitted = Preprocessing.fit(numbers(x), scaling="standardise")
    theirs = kind().fit(x)
    np.testing.assert_allclose(fitted.shift, theirs.mean_, rtol=1e-13)
    np.testing.assert_allclose(fitted.scale, theirs.scale_, rtol=1e-13)
    np.testing.assert_allclose(fitted.apply(x), theirs.transform(x), rtol=1e-6, atol=1e-7)


def test_a_row_does_not_depend_on_its_batch(people):
    fitted = Preprocessing.fit(people)
    whole = fitted.apply(people)
    rows = [fitted.apply(people.x[slice(i, i + 1)]) for i in range(len(people))]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


def test_only_the_train_part_is_looked_at(people):
    train = people.take(np.array([0, 1, 3, 4]))  # Oslo and Rome
    fitted = Preprocessing.fit(train)
    assert fitted.categories == (None, ("Oslo", "Rome"), None)
    assert fitted.shift[0] == np.mean([20, 21, 23, 24])


def test_one_hot(people):
    fitted = Preprocessing.fit(people)
    assert fitted.column_names == ("age", "city=Bonn", "city=Oslo", "city=Rome", "size")
    found = fitted.apply(people)
    assert found.shape == (12, fitted.width) == (12, 5)
    np.testing.assert_array_equal(found[:3, 1:4], [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_what_is_done_is_told(people):
    assert Preprocessing.fit(people).describe() == (
        "numbers are scaled to mean 0 and deviation 1 (the columns of a table have scales of their own)",
        "text becomes one column for each category: city (3)",
    )


def test_ordinal(people):
    fitted = Preprocessing.fit(people, encoding="ordinal", scaling="none")
    assert (fitted.width, fitted.column_names) == (3, ("age", "city", "size"))
    np.testing.assert_array_equal(fitted.apply(people)[:3], [[20, 1, 0], [21, 2, 0.25], [22, 0, 0.5]])


def test_one_hot_as_scikit_learn_does(people):
    kind = pytest.importorskip(
        "sklearn.preprocessing", reason="scikit-learn (extra `oracle`) is not installed"
    ).OneHotEncoder
    column = people.x.column("city")
    city = np.array(column.values)[column.codes][:, None]
    np.testing.assert_array_equal(Preprocessing.fit(people).apply(people)[:, 1:4], kind().fit_transform(city).toarray())


@pytest.mark.parametrize("options", [{}, {"encoding": "ordinal"}, {"scaling": "none"}, {"unknown": "zeros"}], ids=repr)
def test_json_and_back(people, options):
    fitted = Preprocessing.fit(people, **options)
    again = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again == fitted
    np.testing.assert_array_equal(again.apply(people), fitted.apply(people))


@pytest.mark.parametrize("change", [{"format": 2}, {"more": 1}, {"scale": None}])
def test_another_format_is_refused(people, change):
    found = Preprocessing.fit(people).to_dict() | change
    found = {name: value for name, value in found.items() if value is not None}
    with pytest.raises(ValueError, match="not a preprocessing of format 1"):
        Preprocessing.from_dict(found)


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 3)])
def test_targets_are_scaled_and_back(shape):
    y = np.random.default_rng(0).normal(1e4, 100, shape)
    fitted = Preprocessing.fit(Dataset(np.zeros((9, 1)), y))
    found = fitted.targets(y)
    assert (found.shape, found.dtype) == ((9, y.size // 9), np.float32)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(fitted.invert_targets(found), y.reshape(9, -1), rtol=1e-7)
    with pytest.raises(ValueError, match=f"the model has {y.size // 9} targets of a regression; got 5"):
        fitted.invert_targets(np.zeros((2, 5)))


def test_targets_unscaled():
    y = np.array([5.0, 7.0])
    fitted = Preprocessing.fit(Dataset(np.zeros((2, 1)), y), scale_targets=False)
    np.testing.assert_array_equal(fitted.targets(y), [[5], [7]])


def test_prepare(people):
    parts, fitted = prepare(people.split(0.5, 0.25, seed=1))
    assert [part.x.shape for part in parts] == [(6, 5), (3, 5), (3, 5)]
    assert parts.test.feature_names == fitted.column_names
    assert parts.test.classes == ("no", "yes")


# Other files: what differs from the training data is told by name.


def test_columns_in_another_order_are_put_right(people, write):
    fitted = Preprocessing.fit(people)
    header, *rows = [line.split(",") for line in PEOPLE.splitlines()]
    order = [4, 2, 0, 1]  # without id, which the model does not use
    text = "\n".join(",".join(row[i] for i in order) for row in [header, *rows])
    other = tg.data.load(write("other.csv", text), like=fitted)
    np.testing.assert_array_equal(fitted.apply(other), fitted.apply(people))
    np.testing.assert_array_equal(fitted.targets(other), people.y)
    (found,) = feature_batches("other.csv", fitted)
    np.testing.assert_array_equal(found, fitted.apply(people))


def test_an_array_with_names_is_put_right():
    x = np.random.default_rng(0).normal(size=(5, 3))
    fitted = Preprocessing.fit(numbers(x, feature_names=("a", "b", "c")))
    swapped = numbers(x[:, [2, 0, 1]], feature_names=("c", "a", "b"))
    np.testing.assert_array_equal(fitted.apply(swapped), fitted.apply(x))


@pytest.mark.parametrize("names", [("a", "b", "c", "y"), ("a", "y", "b", "c"), ("y", "c", "b", "a")])
def test_an_array_may_hold_columns_that_are_not_learned_from(names):
    x = np.random.default_rng(0).normal(size=(5, 3))
    fitted = Preprocessing.fit(numbers(x, feature_names=("a", "b", "c"), target_names=("y",)))
    columns = dict(zip("abc", x.T, strict=True)) | {"y": np.arange(5.0)}
    more = np.stack([columns[name] for name in names], axis=1)
    np.testing.assert_array_equal(fitted.apply(more, names), fitted.apply(x))


@pytest.mark.parametrize("rows", [1, 5, 100])
def test_feature_batches_need_no_target_and_hold_few_rows(people, write, rows):
    fitted = Preprocessing.fit(people)
    text = "\n".join(line.rpartition(",")[0] for line in PEOPLE.splitlines())
    found = list(feature_batches(write("new.csv", text), fitted, rows))
    assert [len(batch) for batch in found] == [rows] * (12 // rows) + [12 % rows] * (12 % rows > 0)
    np.testing.assert_array_equal(np.concatenate(found), fitted.apply(people))


OTHER = {
    "missing": ("age,city\n1,Oslo\n", "columns differ from those the model was trained on: missing 'size'"),
    "unexpected": ("age,city,size,weight\n1,Oslo,2,3\n", "trained on: unexpected 'weight'"),
    "renamed": ("age,city,sise\n1,Oslo,2\n", r"missing 'size'; unexpected 'sise' \(did you mean 'size'\?\)"),
    "text for a number": ("age,city,size\nx,Oslo,2\n", "line 2, column 'age': a number is due, got 'x'"),
    "gap": ("age,city,size\n1,Oslo,2\n2,,2\n", "line 3, column 'city': the cell is empty"),
    "NaN": ("age,city,size\n1,Oslo,nan\n", "line 2, column 'size': must be finite, got 'nan'"),
    "unknown category": (
        "age,city,size\n1,Oslo,2\n1,Paris,2\n",
        "line 3, column 'city': unknown category 'Paris'; the training part had 'Bonn', 'Oslo', 'Rome'",
    ),
    "too large": ("age,city,size\n1,Oslo,1e300\n", "column 'size': 1e.300 is too large for float32 once scaled"),
}


@pytest.mark.parametrize(("text", "message"), OTHER.values(), ids=OTHER)
def test_features_that_differ_are_named(people, write, text, message):
    fitted = Preprocessing.fit(people)
    with pytest.raises(ValueError, match=message):
        list(feature_batches(write("new.csv", text), fitted))


def test_an_unknown_category_may_be_none_of_them(people):
    fitted = Preprocessing.fit(people, unknown="zeros", scaling="none")
    table = Table(("age", "city", "size"), (np.ones(2), Text.of(["Paris", "Rome"]), np.ones(2)))
    np.testing.assert_array_equal(fitted.apply(table), [[1, 0, 0, 0, 1], [1, 0, 0, 1, 1]])


def test_kinds_that_differ_are_named(people):
    fitted = Preprocessing.fit(people)
    table = Table(("age", "city", "size"), (Text.of(["a"]), Text.of(["Rome"]), np.ones(1)))
    with pytest.raises(ValueError, match="column 'age': holds text, but the model was trained on numbers"):
        fitted.apply(table)
    with pytest.raises(ValueError, match=r"columns age, city, size; got numbers without names, of shape \(1, 3\)"):
        fitted.apply(np.ones((1, 3)))


def test_shapes_that_differ_are_told():
    fitted = Preprocessing.fit(numbers(np.zeros((4, 8, 8), np.uint8)))
    with pytest.raises(ValueError, match=r"trained on examples of shape \(8, 8\); got examples of shape \(7, 8\)"):
        fitted.apply(np.zeros((2, 7, 8)))
    assert fitted.apply(np.zeros((2, 64))).shape == (2, 64)


def test_nan_at_prediction_is_named():
    fitted = Preprocessing.fit(numbers(np.eye(3), feature_names=("a", "b", "c")), scaling="standardise")
    x = np.eye(3)
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match="row 2, column 'b': nan is not finite"):
        fitted.apply(x)


# Classes of other files.


def test_classes_are_matched_by_name(people, write):
    fitted = Preprocessing.fit(people)
    text = "age,city,size,y\n1,Oslo,2,yes\n2,Rome,3,yes\n"
    assert fitted.targets(tg.data.load(write("one.csv", text), like=fitted)).tolist() == [1, 1]
    other = Dataset(people.x, 1 - people.y, ("yes", "no"))
    np.testing.assert_array_equal(fitted.targets(other), people.y)


def test_an_unknown_class_is_named(people, write):
    fitted = Preprocessing.fit(people)
    text = "age,city,size,y\n1,Oslo,2,yes\n2,Rome,3,maybe\n"
    with pytest.raises(ValueError, match=r"line 3, target 'y': the model knows the classes no, yes, .*; got 'maybe'"):
        tg.data.load(write("one.csv", text), like=fitted)
    with pytest.raises(ValueError, match=r"its classes differ .* 'perhaps' against 'no', 'yes'"):
        fitted.targets(Dataset(people.x, people.y, ("no", "perhaps")))


def test_numbers_stand_for_named_classes(tmp_path):
    x = np.arange(8.0).reshape(4, 2)
    fitted = Preprocessing.fit(Dataset(x, np.array([0, 1, 2, 0]), ("shirt", "bag", "shoe")))
    np.savez(tmp_path / "t.npz", x=x, y=np.array([2, 1, 2, 1]))
    assert fitted.targets(tg.data.load(tmp_path / "t.npz", like=fitted)).tolist() == [2, 1, 2, 1]


@pytest.mark.parametrize("wrong", [-1, 3])
def test_numbers_beyond_named_classes_are_told(tmp_path, wrong):
    x = np.arange(8.0).reshape(4, 2)
    fitted = Preprocessing.fit(Dataset(x, np.array([0, 1, 2, 0]), ("shirt", "bag", "shoe")))
    np.savez(tmp_path / "t.npz", x=x, y=np.array([0, 1, wrong, 1]))
    with pytest.raises(ValueError, match=f"row 2, target .* the classes shirt, bag, shoe, no other; got '{wrong}'"):
        tg.data.load(tmp_path / "t.npz", like=fitted)


def test_another_task_is_refused(people):
    with pytest.raises(ValueError, match="is a regression task, but the model was trained on binary"):
        Preprocessing.fit(people).targets(Dataset(people.x, np.arange(12.0)))


REFUSED = {
    "scaling": ({"scaling": "pixel"}, "unknown scaling 'pixel'; did you mean 'pixels'"),
    "encoding": ({"encoding": "onehot"}, "unknown encoding 'onehot'; did you mean 'one-hot'"),
    "unknown": ({"unknown": "zero"}, "unknown value of unknown 'zero'; did you mean 'zeros'"),
    "zeros": ({"unknown": "zeros", "encoding": "ordinal"}, "unknown='zeros' needs encoding='one-hot'; got 'ordinal'"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_options_are_checked(people, options, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing.fit(people, **options)


def test_nothing_to_fit_on(people):
    with pytest.raises(ValueError, match="'people' holds no examples to fit the preprocessing on"):
        Preprocessing.fit(people.take(slice(0, 0)))


def test_numbers_beyond_standardising():
    with pytest.raises(ValueError, match=r"column 1 .* too large to be standardised"):
        Preprocessing.fit(numbers(np.array([[1.0, 1e308], [2.0, -1e308]])), scaling="standardise")


def test_too_many_categories(write):
    text = "name,y\n" + "".join(f"n{i},{i % 2}\n" for i in range(1001))
    data = tg.data.load(write("t.csv", text))
    with pytest.raises(ValueError, match=r"column 'name': 1001 different texts are too many .*; leave the column out"):
        Preprocessing.fit(data)


def test_a_column_that_names_each_row_is_better_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("id,a,y\n" + "".join(f"u{i},{i % 7},{i % 2}\n" for i in range(100)))
    parts = tg.data.load(tmp_path / "t.csv").split(seed=0)
    with pytest.raises(ValueError, match=r"t\.csv, line \d+, column 'id': .*: leave the column out of the features$"):
        Preprocessing.fit(parts.train).check_categories(parts.test)


def test_numbers_beyond_float64_are_told_by_name():
    x, y = np.array([[1.0, 1e300], [2.0, -1e300]]), np.array([1e300, -1e300])
    with pytest.raises(ValueError, match="column 'b' holds numbers too large to be standardised"):
        Preprocessing.fit(Dataset(x, y, feature_names=("a", "b")))
    with pytest.raises(ValueError, match="column 'price' holds numbers too large to be standardised"):
        Preprocessing.fit(Dataset(x[:, :1], y, target_names=("price",)))
