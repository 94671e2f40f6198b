"""npz and npy files: what their arrays may be called, memory maps, and nothing unpickled."""

import io
import itertools
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import twingrad as tg
from twingrad.data import Preprocessing, loader
from twingrad.data.rows import Rows

X, Y = np.arange(20.0).reshape(5, 4), np.array([0, 1, 2, 1, 0])


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target")], ids="/".join)
def test_an_npz_by_its_usual_names(tmp_path, names):
    np.savez(tmp_path / "some.npz", **dict(zip(names, (X, Y), strict=True)), other=np.zeros(3))
    data = tg.data.load(tmp_path / "some.npz")
    np.testing.assert_array_equal(data.x, X)
    assert (data.y.tolist(), data.name, data.task) == (Y.tolist(), "some", "multi-class")


@pytest.mark.parametrize("letter", ["x", "X"])
def test_an_npz_in_two_parts(tmp_path, letter):
    np.savez(tmp_path / "p.npz", **{f"{letter}_train": X, "y_train": Y, f"{letter}_test": X[:2], "y_test": Y[:2]})
    data = tg.data.load(tmp_path / "p.npz")
    assert (len(data), data.own_test) == (7, 2)
    np.testing.assert_array_equal(data.split(1, 0).test.x, X[:2])


@pytest.mark.parametrize("names", [("a", "b"), (["a"], ["b"])], ids=str)
def test_an_npz_by_names_that_are_given(tmp_path, names):
    np.savez_compressed(tmp_path / "n.npz", a=X, b=Y)
    data = tg.data.load(tmp_path / "n.npz", features=names[0], target=names[1])
    np.testing.assert_array_equal(data.x, X)
    assert data.y.tolist() == Y.tolist()


@pytest.mark.parametrize("name", ["n.npz", "m.npy"])
def test_several_names_where_one_is_due(tmp_path, name):
    np.savez(tmp_path / "n.npz", a=X, b=Y)
    np.save(tmp_path / "m.npy", X)
    with pytest.raises(ValueError, match=f"{name}: one .* is due here; got 0, 1"):
        tg.data.load(tmp_path / name, target=["0", "1"])


@given(
    hnp.arrays(
        st.sampled_from(["f4", ">f8", "f2", "u1", "i8", "?"]),
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    st.sampled_from(["C", "F"]),
)
def test_every_pair_of_npy_comes_back(tmp_path_factory, x, order):
    folder = tmp_path_factory.getbasetemp()
    np.save(folder / "x.npy", np.asarray(x, order=order))
    np.save(folder / "y.npy", np.arange(len(x)) + 0.5)
    data = tg.data.load([folder / "x.npy", folder / "y.npy"])
    assert data.x.dtype == x.dtype
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, np.arange(len(x)) + 0.5)
    assert data.task == "regression"


@pytest.mark.parametrize("kind", ["u8", ">u8", "u1", "i8", "?"])
def test_labels_may_be_any_integers(tmp_path, kind):
    save = {
        "x.npy": X,
        "y.npy": np.array([1, 0, 1, 1, 0], kind),
        "ids.npy": np.array([2**63 + 5, 1, 1, 1, 1], np.uint64),
    }
    for name, array in save.items():
        np.save(tmp_path / name, array)
    data = tg.data.load((tmp_path / "x.npy", tmp_path / "y.npy"))
    assert (data.y.tolist(), data.classes) == ([1, 0, 1, 1, 0], ("0", "1"))
    with pytest.raises(ValueError, match="row 0, target 'target': too large for a class"):
        tg.data.load((tmp_path / "x.npy", tmp_path / "ids.npy"))


def test_labels_may_be_text(tmp_path):
    np.savez(tmp_path / "t.npz", x=X, y=np.array(["b", "a", "b", "a", "c"]))
    data = tg.data.load(tmp_path / "t.npz")
    assert (data.classes, data.y.tolist()) == (("a", "b", "c"), [1, 0, 1, 0, 2])


@pytest.mark.parametrize(("target", "rest"), [(-1, X[:, :3]), (["0"], X[:, 1:]), ("1", X[:, [0, 2, 3]])])
def test_one_matrix_with_its_target(tmp_path, target, rest):
    np.save(tmp_path / "m.npy", X + 0.5)
    data = tg.data.load(tmp_path / "m.npy", target=target)
    np.testing.assert_array_equal(data.x, rest + 0.5)
    np.testing.assert_array_equal(data.y, X[:, int(np.ravel(target)[0])] + 0.5)


def test_a_structured_array_has_columns(tmp_path):
    rows = [(1.5, "a", 0), (2.5, "b", 1), (3.5, "a", 1)]
    np.save(tmp_path / "s.npy", np.array(rows, [("size", "f4"), ("kind", "U3"), ("y", "i4")]))
    data = tg.data.load(tmp_path / "s.npy")
    assert (data.feature_names, data.y.tolist()) == (("size", "kind"), [0, 1, 1])
    assert data.x.column("kind").seen() == ("a", "b")


def test_a_structured_array_like_the_data_of_a_model(tmp_path):
    rows = np.array([(1.5, 7, 0, 2.5), (2.5, 8, 1, 3.5), (4.5, 9, 1, 0.5)], [(n, "f8") for n in ("a", "id", "t", "b")])
    np.save(tmp_path / "s.npy", rows)
    data = tg.data.load(tmp_path / "s.npy", target="t", features=["a", "b"])
    fitted = tg.data.Preprocessing.fit(data)
    again = tg.data.load(tmp_path / "s.npy", like=fitted)
    assert (again.feature_names, again.target_names, again.y.tolist()) == (("a", "b"), ("t",), [0, 1, 1])
    np.testing.assert_array_equal(fitted.apply(again), fitted.apply(data))


class Bomb:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def bad_files(folder):
    """By name: the file's path (or pair), options, and what the message must say."""
    bomb = np.array([Bomb(folder / "exploded")], dtype=object)
    np.savez(folder / "object.npz", x=bomb, y=np.zeros(1))
    np.save(folder / "object.npy", bomb)
    (folder / "pickle.npy").write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    (folder / "pickle.npz").write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    with zipfile.ZipFile(folder / "member.npz", "w") as archive:
        archive.writestr("x.pkl", pickle.dumps(Bomb(folder / "exploded")))
        archive.writestr("y.pkl", b"")
    np.savez(folder / "names.npz", a=X, b=Y)
    np.savez(folder / "lengths.npz", x=X, y=Y[:4])
    np.savez(folder / "nan.npz", x=np.where(X == 6, np.nan, X), y=Y)
    np.savez(folder / "text.npz", x=X.astype(str), y=Y)
    np.savez(folder / "flat.npz", x=X[:, 0], y=Y)
    np.savez(folder / "none.npz", x=X[:0], y=Y[:0])
    np.savez(folder / "one.npz", x=X, y=Y * 0)
    np.savez(folder / "inf.npz", x=X, y=np.where(Y == 2, np.inf, Y))
    np.savez(folder / "parts.npz", x_train=X, y_train=Y, x_test=X[:, :2], y_test=Y)
    whole = (folder / "names.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[:-30])
    (folder / "empty.npz").write_bytes(b"")
    (folder / "empty.npy").write_bytes(b"")
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    np.save(folder / "cube.npy", X.reshape(5, 2, 2))
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:-8])
    (folder / "renamed.npz").write_bytes((folder / "x.npy").read_bytes())
    (folder / "renamed.npy").write_bytes(whole)
    (folder / "archive.npy").write_bytes(whole[:-30])
    named = {"features": "x.pkl", "target": "y.pkl"}
    return {
        "object.npz": ({}, "array 'x' holds Python objects, that is a pickle, which is never loaded"),
        "object.npy": ({"target": -1}, "holds Python objects, that is a pickle, which is never loaded"),
        "pickle.npy": ({"target": -1}, "is no .npy file; perhaps a pickle, which is never loaded"),
        "pickle.npz": ({}, "is no .npz archive; perhaps a pickle, which is never loaded"),
        "member.npz": (named, "member 'x.pkl' is no array; only .npy members are read, and nothing is unpickled"),
        "names.npz": (
            {},
            "it holds a, b; name them with features='NAME' and target='NAME'",
        ),
        "lengths.npz": ({}, r"must hold as many examples; got shapes \(5, 4\) and \(4,\)"),
        "nan.npz": ({}, "must be finite; row 1, column 2 holds nan"),
        "text.npz": ({}, "features must be numbers; got <U"),
        "flat.npz": ({}, r"features must be \(N, ...\) .* got \(5,\)"),
        "none.npz": ({}, "there are no examples"),
        "one.npz": ({}, r"one class alone \('0'\)"),
        "inf.npz": ({}, "row 2, target 'target': must be finite; got inf"),
        "parts.npz": ({}, r"train and test examples differ: \(4,\) and \(2,\)"),
        "cut.npz": ({}, "not a whole .npz archive"),
        "empty.npz": ({}, "not a whole .npz archive"),
        "empty.npy": ({"target": 0}, "not a whole .npy file"),
        "archive.npy": ({"target": 0}, "not a whole .npy file"),
        "cut.npy": ({"target": 0}, "truncated: it has 280 bytes, 288 were due"),
        "x.npy": (
            {},
            "say which of its 4 columns is the target: target=-1 for the last, or give a pair of files, x.npy,y.npy$",
        ),
        "cube.npy": ({"target": 0}, r"must hold a matrix of features and target; got shape \(5, 2, 2\)"),
        "renamed.npz": ({}, "this is one .npy array; let its name end in .npy"),
        "renamed.npy": ({}, "this is an .npz archive; let its name end in .npz"),
    }


def test_what_is_wrong_is_told(tmp_path):
    for name, (options, message) in bad_files(tmp_path).items():
        with pytest.raises(ValueError, match=message) as caught:
            tg.data.load(tmp_path / name, **options)
        assert name in str(caught.value)
    assert not (tmp_path / "exploded").exists()


def test_every_flipped_byte_of_a_member_is_refused(tmp_path):
    """The bytes of the arrays: the archive's own headers hold times and attributes that no one reads."""
    np.savez(tmp_path / "w.npz", x=X, y=Y)
    whole = (tmp_path / "w.npz").read_bytes()
    begin = whole.index(b"\x93NUMPY")
    for position in range(begin, begin + 128 + X.nbytes):
        flipped = whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :]
        (tmp_path / "w.npz").write_bytes(flipped)
        with pytest.raises(ValueError, match=r"w\.npz: "):
            tg.data.load(tmp_path / "w.npz")


def test_any_flipped_byte_of_an_npy_header_is_refused_or_read(tmp_path):
    """An .npy file has no check sum: a flipped byte may give another array, but never another kind of error."""
    np.save(tmp_path / "w.npy", X)
    whole, refused = (tmp_path / "w.npy").read_bytes(), 0
    for position, bit in itertools.product(range(128), range(8)):
        flipped = whole[:position] + bytes([whole[position] ^ 1 << bit]) + whole[position + 1 :]
        (tmp_path / "w.npy").write_bytes(flipped)
        try:
            tg.data.load(tmp_path / "w.npy", target=0)
        except ValueError:
            refused += 1
    assert refused > 500


def test_any_flipped_byte_of_an_npz_is_refused_or_does_not_matter(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", x=X, y=Y)
    whole, refused = (tmp_path / "w.npz").read_bytes(), 0
    for position in range(len(whole)):
        flipped = whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :]
        (tmp_path / "w.npz").write_bytes(flipped)
        try:
            data = tg.data.load(tmp_path / "w.npz")
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(data.x, X)
            np.testing.assert_array_equal(data.y, Y)
    assert refused > 0.6 * len(whole)  # the rest are times, attributes and sizes that stand twice


@pytest.mark.parametrize("name", ["h.npy", "h.npz"])
def test_a_header_that_announces_more_than_there_is_memory(tmp_path, name):
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 4)})
    (tmp_path / "h.npy").write_bytes(huge.getvalue() + bytes(64))
    with zipfile.ZipFile(tmp_path / "h.npz", "w") as archive:
        archive.writestr("x.npy", huge.getvalue() + bytes(64))
        archive.writestr("y.npy", huge.getvalue() + bytes(64))
    with pytest.raises(ValueError, match=rf"{name}: "):
        tg.data.load(tmp_path / name, **({"target": 0} if name == "h.npy" else {}))


@pytest.fixture
def large(tmp_path):
    """60 MB in an .npy file, and its targets."""
    n = 60_000
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (n, 1000))
    for start in range(0, n, 1000):
        x[start : start + 1000] = (np.arange(start, start + 1000)[:, None] + np.arange(1000)) % 251
    x.flush()
    np.save(tmp_path / "y.npy", np.arange(n) % 7)
    return [tmp_path / "x.npy", tmp_path / "y.npy"]


def test_a_memory_map_is_split_fitted_and_loaded_in_bounded_memory(large):
    tracemalloc.start()
    try:
        parts = tg.data.load(large).split(seed=0)
        fitted = Preprocessing.fit(parts.train, scaling="standardise")
        with loader(parts.train, batch_size=100, preprocessing=fitted) as batches:
            total = sum(float(x.sum()) for x, _ in batches)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(parts.train.x, Rows)
    assert abs(total) < 100  # the sum of 36 million standardised numbers
    assert peak < 60e6, f"{peak / 1e6:.0f} MB at once, of 60 MB of bytes that are 240 MB as float32"


def test_rows_of_a_memory_map_are_those_of_the_array(large):
    data = tg.data.load(large)
    index = np.array([59_999, 3, 3, 40_000])
    np.testing.assert_array_equal(data.take(index).x[:], np.asarray(data.x)[index])
    np.testing.assert_array_equal(data.take(index).take(slice(1, 3)).x, np.asarray(data.x)[[3, 3]])
    assert data.take(slice(5, 9)).x.shape == (4, 1000)


@pytest.mark.parametrize(("names", "features"), [(["x", "y"], None), (["only"], None), (["a", "b"], "a")], ids=str)
def test_the_features_of_an_npz_for_prediction(tmp_path, names, features):
    fitted = tg.data.Preprocessing.fit(tg.data.Dataset(X, np.arange(5) % 2))
    np.savez(tmp_path / "n.npz", **{name: X for name in names})
    (found,) = tg.data.feature_batches(tmp_path / "n.npz", fitted, features=features)
    np.testing.assert_array_equal(found, fitted.apply(X))
    with pytest.raises(ValueError, match=r"n.npz: there is no array 'z'; it holds "):
        tg.data.feature_batches(tmp_path / "n.npz", fitted, features="z")


def test_a_structured_array_for_prediction(tmp_path):
    rows = np.array([(1.5, "a", 0), (2.5, "b", 1), (3.5, "a", 1)], [("size", "f4"), ("kind", "U3"), ("y", "i4")])
    np.save(tmp_path / "s.npy", rows)
    data = tg.data.load(tmp_path / "s.npy")
    fitted = tg.data.Preprocessing.fit(data)
    np.save(tmp_path / "new.npy", np.array([(b, a) for a, b, _ in rows.tolist()], [("kind", "U3"), ("size", "f4")]))
    for name in ("s.npy", "new.npy"):
        found = np.concatenate(list(tg.data.feature_batches(tmp_path / name, fitted, rows=2)))
        np.testing.assert_array_equal(found, fitted.apply(data))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2), [("a", "f4"), ("y", "i4")]), r"a structured array must have one axis; got shape \(2, 2\)"),
        (np.zeros(2, [("a", "f4", 3), ("y", "i4")]), r"field 'a' must hold numbers or text; got \('<f4', \(3,\)\)"),
        (np.zeros(2, [("a", "S3"), ("y", "i4")]), r"field 'a' must hold numbers or text; got \|S3"),
    ],
)
def test_fields_that_are_no_columns(tmp_path, array, message):
    np.save(tmp_path / "s.npy", array)
    with pytest.raises(ValueError, match=message):
        tg.data.load(tmp_path / "s.npy")
