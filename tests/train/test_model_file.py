"""Model files: the same bytes every time, and a model that computes the same when it is loaded."""

import numpy as np
import pytest
from safetensors.numpy import load, save

import twingrad as tg
from twingrad import nn
from twingrad.train import dense, load_model, predict, predict_probabilities, save_model
from twingrad.train.model_file import model_bytes
from twingrad.train.sealed import seal

NETWORKS = {
    "dense": lambda: dense(64, 10, hidden=[16, 8], dropout=0.3, batch_norm=True, seed=4),
    "linear": lambda: dense(64, 10, hidden=[]),
    "no bias": lambda: nn.Sequential(nn.Linear(64, 10, bias=False), seed=1),
    "odd batch norm": lambda: nn.Sequential(nn.Linear(64, 10), nn.BatchNorm(10, momentum=0.3, eps=1e-3), seed=1),
    "float64": lambda: dense(64, 10, hidden=[16], batch_norm=True).to(dtype=np.float64),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_loaded_model_computes_the_same(data, make, tmp_path):
    model = make()
    tg.fit(model, data, epochs=1, batch_size=16, device="cpu", out=tmp_path)
    loaded = load_model(tmp_path)
    x = data.test.x.astype(str(loaded.state_dict()["0.weight"].dtype))
    assert loaded.training is False
    np.testing.assert_array_equal(loaded(x).numpy(), model.eval()(x).numpy())
    assert model_bytes(loaded) == model_bytes(model)
    save_model(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == model_bytes(model)


def test_a_loaded_model_can_be_trained_on(data, tmp_path):
    save_model(dense(64, 10, hidden=[16], batch_norm=True), tmp_path / "m.safetensors")
    history = tg.fit(load_model(tmp_path / "m.safetensors"), data, epochs=9, batch_size=16, device="cpu")
    assert history[-1].train_loss < history[0].train_loss - 0.5


def test_arrays_out_of_c_order_are_written_right():
    class Odd:
        def state_dict(self):
            return {"a": np.arange(6.0).reshape(2, 3).T, "b": np.arange(8)[::2], "c": np.float32(3)}

    arrays = load(model_bytes(Odd()))
    np.testing.assert_array_equal(arrays["a"], np.arange(6.0).reshape(2, 3).T)
    np.testing.assert_array_equal(arrays["b"], [0, 2, 4, 6])
    assert arrays["c"].shape == ()


def test_a_model_of_another_make_is_saved_without_an_architecture(tmp_path):
    class Mine(nn.Sequential):
        pass

    model = Mine(nn.Linear(3, 2), seed=0)
    save_model(model, tmp_path / "m.safetensors")
    assert load((tmp_path / "m.safetensors").read_bytes()).keys() == model.state_dict().keys()
    with pytest.raises(ValueError, match="holds arrays but no architecture: build the model yourself"):
        load_model(tmp_path / "m.safetensors")


def small():
    return model_bytes(dense(4, 2, hidden=[]))


DAMAGED = {
    "empty": (lambda: b"", "is not a model file, or not a whole one"),
    "text": (lambda: b"hello, this is no model", "is not a model file, or not a whole one"),
    "not ours": (lambda: save({"a": np.zeros(2)}), "is not a model file of twingrad's"),
    "an older one": (lambda: save({"a": np.zeros(2)}, {"twingrad": "{}"}), "is not a model file of twingrad's"),
    "next format": (lambda: seal("model", 3, {}, {}), "has format version 3; this twingrad reads version 2"),
    "checkpoint": (lambda: seal("checkpoint", 1, {}, {}), "is a checkpoint file; a model file is due"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_model_file_is_refused(tmp_path, content, message):
    (tmp_path / "m.safetensors").write_bytes(content())
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "m.safetensors")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        load_model(tmp_path)


def test_every_byte_flipped_and_every_truncation_are_refused(tmp_path):
    """Each bit of each byte in turn would take eight times as long and find the same."""
    whole, file = small(), tmp_path / "m.safetensors"
    for place in range(len(whole)):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]):
            file.write_bytes(content)
            with pytest.raises(ValueError, match=r"m\.safetensors is (damaged|not a whole|not a model file)"):
                load_model(file)
    file.write_bytes(whole)
    assert len(load_model(file)) == 1


@pytest.mark.parametrize("task", ["regression", "multi-label", "binary", "multi-class"])
def test_the_task_of_a_model_without_a_preprocessing_is_kept(tmp_path, task):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3)).astype(np.float32)
    y = {
        "regression": x @ np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]) + 0.25,
        "multi-label": (x > 0).astype(np.int64),
        "binary": (x[:, 0] > 0).astype(np.int64),
        "multi-class": x.argmax(axis=1),
    }[task]
    outputs = {"regression": 2, "binary": 1}.get(task, 3)
    model = nn.Sequential(nn.Linear(3, outputs), seed=0)
    tg.fit(model, tg.data.Dataset(x, y, task=task), epochs=2, batch_size=8, device="cpu", out=tmp_path / "run")
    z = model.eval()(x).numpy()
    expected = {
        "regression": z.astype(np.float64),
        "multi-label": (z > 0).astype(np.int64),
        "binary": (z[:, 0] > 0).astype(np.int64),
        "multi-class": z.argmax(axis=1),
    }[task]
    for each in (model, load_model(tmp_path / "run")):
        found = predict(each, x)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        if task == "regression":
            with pytest.raises(ValueError, match="a regression has no probabilities"):
                predict_probabilities(each, x)
        else:
            assert predict_probabilities(each, x).shape == (40, 2 if task == "binary" else 3)
