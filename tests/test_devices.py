"""Devices by name, the order of choice, the probe and its reasons, and the two backends."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from twingrad import backends, devices
from twingrad.devices import Device, DeviceError, DeviceWarning, device_of, resolve, use_device

import fake_cupy

NO_DRIVER = "cudaErrorInsufficientDriver: CUDA driver version is insufficient"
NO_NVRTC = 'Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file: libnvrtc.so.13 or libnvrtc.so.12\n'
NO_CUBLAS = "libcublas.so.12: cannot open shared object file: No such file or directory"
"""What CuPy 14.2 says without a driver, without its extra `ctk`, and for CUDA 12 where it meets CUDA 13's libraries."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No variables, nothing probed, nothing told, no driver, and no CuPy."""
    monkeypatch.delenv("TWINGRAD_DEVICE", raising=False)
    monkeypatch.delenv("TWINGRAD_REQUIRE_GPU", raising=False)
    monkeypatch.setattr(devices, "_told", set())
    monkeypatch.setattr(devices, "DRIVER_FILES", ())
    monkeypatch.setitem(sys.modules, "cupy", None)
    devices._probe.cache_clear()
    yield
    devices._probe.cache_clear()


@pytest.fixture
def install(monkeypatch):
    """install(count, ...) puts a fake CuPy where `import cupy` finds it."""

    def put(*args, **kwargs):
        cupy = fake_cupy.make(*args, **kwargs)
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        return cupy

    return put


@pytest.fixture
def broken(monkeypatch):
    """CuPy installed, but one of its libraries missing."""

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "cupy":
                raise ImportError("libcudart.so.13: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])


@pytest.mark.parametrize(
    ("name", "kind", "index", "same"),
    [
        ("cpu", "cpu", 0, "cpu"),
        ("cuda", "cuda", 0, "cuda"),
        ("cuda:0", "cuda", 0, "cuda"),
        ("cuda:12", "cuda", 12, "cuda:12"),
    ],
)
def test_a_device_is_its_name(name, kind, index, same):
    device = Device(name)
    assert (device.kind, device.number, device) == (kind, index, same)
    assert copy.deepcopy(device) == pickle.loads(pickle.dumps(device)) == same
    assert type(pickle.loads(pickle.dumps(device))) is Device


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("gpu", '"cuda"'),
        ("CPU", '"cpu"'),
        ("cuda1", '"cuda:1"'),
        ("gpu:0", '"cuda:0"'),
        ("cuda:01", '"cuda:1"'),
        ("cud", '"cuda"'),
        ("cuda:", '"cuda"'),
        ("cpu:0", '"cpu"'),
    ],
)
def test_an_unknown_device_is_named_with_what_is_allowed_and_the_nearest(name, suggestion):
    with pytest.raises(DeviceError) as error:
        resolve(name)
    assert repr(name) in str(error.value)
    assert '"cpu", "cuda" or "cuda:N"' in str(error.value)
    assert str(error.value).endswith(f"did you mean {suggestion}?")


def test_auto_is_named_where_it_is_allowed_and_no_far_name_is_suggested():
    with pytest.raises(DeviceError) as error:
        resolve("tpu")
    assert str(error.value).endswith(', or "auto"')
    with pytest.raises(DeviceError) as error:
        Device("auto")
    assert '"auto"' not in str(error.value)


@pytest.mark.parametrize("name", ["", "xyzzy", "cuda:-1", 3, b"cpu", np.float32(1)])
def test_what_is_no_device_is_refused(name):
    with pytest.raises(DeviceError, match="unknown device"):
        resolve(name)


def test_the_order_is_argument_then_context_then_variable_then_automatic(install, monkeypatch):
    install(2)
    assert resolve() == resolve("auto") == "cuda"
    monkeypatch.setenv("TWINGRAD_DEVICE", "cuda:1")
    assert resolve() == "cuda:1"
    with use_device("cpu") as device:
        assert device == resolve() == "cpu"
        with use_device("cuda"):
            assert resolve() == "cuda"
        assert resolve() == "cpu"
        assert resolve("cuda") == "cuda"
        assert resolve("auto") == "cpu"
    assert resolve() == "cuda:1"
    assert resolve("cpu") == "cpu"


def test_use_device_is_undone_by_an_exception(install):
    install()
    with pytest.raises(KeyError), use_device("cpu"):
        raise KeyError
    assert resolve() == "cuda"


def test_a_bad_variable_is_named(monkeypatch):
    monkeypatch.setenv("TWINGRAD_DEVICE", "cuda1")
    with pytest.raises(DeviceError, match=r"TWINGRAD_DEVICE: unknown device 'cuda1'.*cuda:1"):
        resolve()
    assert resolve("cpu") == "cpu"
    monkeypatch.delenv("TWINGRAD_DEVICE")
    monkeypatch.setenv("TWINGRAD_REQUIRE_GPU", "maybe")
    with pytest.raises(DeviceError, match="TWINGRAD_REQUIRE_GPU is 1 or 0; got 'maybe'"):
        resolve()


def test_no_cupy_and_no_driver_falls_back_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve() == "cpu"
    reason = devices.probe().reason
    assert "CuPy is not installed" in reason
    assert "no NVIDIA driver" in reason
    assert "twingrad[cuda13]" in reason


def test_a_driver_without_cupy_is_said_once(monkeypatch):
    monkeypatch.setattr(devices, "DRIVER_FILES", ("/",))
    with pytest.warns(DeviceWarning, match=r"using the CPU: CuPy is not installed.*pip install") as caught:
        resolve()
    assert resolve() == "cpu"
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ({"driver_error": NO_DRIVER, "driver": 0}, f"finds no NVIDIA driver.*{NO_DRIVER}"),
        (
            {"driver_error": NO_DRIVER, "driver": 12040},
            r"driver is too old: CuPy 14.0.0 is for CUDA 13, the driver for up to 12.4; update .* or pip uninstall "
            r"cupy-cuda13x and pip install 'twingrad\[cuda12\]'",
        ),
        ({"driver_error": NO_DRIVER, "driver": 11080}, r"for up to 11.8; update the driver \(nvidia.com/drivers\)"),
        (
            {"kernel_error": RuntimeError(NO_NVRTC)},
            r"trial kernel and matrix product.*libnvrtc.so.13 .* is for CUDA 13, .* 'twingrad\[cuda13\]' brings",
        ),
        (
            {"kernel_error": ImportError(NO_CUBLAS), "runtime": 12090},
            r"libcublas.so.12: cannot .*; CuPy 14.0.0 is for CUDA 12, the driver for up to 13.0; pip install "
            r"'twingrad\[cuda12\]' brings the libraries of that; where those of CUDA 13 are installed too, "
            r"pip uninstall cupy-cuda12x and pip install 'twingrad\[cuda13\]'",
        ),
        (
            {"kernel_error": ImportError(NO_CUBLAS), "runtime": 12090, "driver": 12040},
            r"CUDA 12, the driver for up to 12.4; pip install 'twingrad\[cuda12\]' brings the libraries of that$",
        ),
        (
            {"kernel_error": RuntimeError(NO_NVRTC), "runtime": 11080},
            r"is for CUDA 11, .*; pip uninstall that CuPy, then pip install 'twingrad\[cuda13\]'",
        ),
        ({"count": 0}, "it counts 0 devices"),
    ],
)
def test_cupy_that_cannot_compute_is_said_once_and_an_error_when_asked_for(install, faults, reason):
    install(**faults)
    with pytest.warns(DeviceWarning, match=reason):
        assert resolve() == "cpu"
    assert resolve() == "cpu"
    with pytest.raises(DeviceError, match=f"the device 'cuda' cannot be used: .*{reason}"):
        resolve("cuda")


def test_cupy_that_does_not_import_is_told_apart_from_none(broken):
    said = r"CuPy is installed but cannot be imported: .*libcudart.*; pip uninstall that CuPy .*'twingrad\[cuda13"
    with pytest.warns(DeviceWarning, match=said):
        assert resolve() == "cpu"


def test_cuda_without_cupy_says_how_to_install():
    with pytest.raises(
        DeviceError, match=r"'cuda' cannot be used: CuPy is not installed.*pip install 'twingrad\[cuda13\]'"
    ):
        resolve("cuda")


def test_a_gpu_that_is_not_there_is_named_with_those_that_are(install):
    install(2)
    assert resolve("cuda:1") == "cuda:1"
    assert devices.available() == ["cuda", "cuda:1", "cpu"]
    with pytest.raises(DeviceError, match="no GPU number 2 here: the CUDA devices are cuda, cuda:1"):
        resolve("cuda:2")


def test_a_required_gpu_makes_the_fallback_an_error(install, monkeypatch):
    monkeypatch.setenv("TWINGRAD_REQUIRE_GPU", "1")
    with pytest.raises(DeviceError, match="TWINGRAD_REQUIRE_GPU=1, and no GPU can be used: CuPy is not installed"):
        resolve()
    assert resolve("cpu") == "cpu"
    devices._probe.cache_clear()
    install()
    assert resolve() == "cuda"


def test_the_probe_runs_once_and_never_for_the_cpu(install):
    cupy = install()
    with use_device("cpu"):
        resolve(), resolve("cpu"), backends.get("cpu")
    assert cupy.launches == 0
    resolve(), resolve("cuda"), resolve()
    assert cupy.launches == 1


def test_the_import_and_the_cpu_path_leave_cupy_alone(tmp_path):
    (tmp_path / "cupy.py").write_text("raise SystemExit('cupy was imported')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import twingrad, twingrad.devices, twingrad.backends\n"
        "twingrad.devices.resolve('cpu'); twingrad.backends.get('cpu').asarray([1.0])\n"
        "assert 'cupy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_device_of_an_array(install):
    cupy = install(2)
    assert device_of(np.ones(2)) == "cpu"
    with cupy.cuda.Device(1):
        assert device_of(cupy.zeros(2, "float32")) == "cuda:1"
    with pytest.raises(DeviceError, match=r"arrays of builtins \(list\)"):
        device_of([1.0])


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1"])
def test_a_backend_moves_arrays_here_and_back(install, name):
    install(2)
    backend = backends.get(name)
    host = np.arange(6, dtype=np.float64).reshape(2, 3)
    here = backend.asarray(host, dtype="float32")
    assert device_of(here) == backend.device == name
    assert here.dtype == np.float32
    np.testing.assert_array_equal(backend.to_numpy(here), host)
    assert type(backend.to_numpy(here)) is np.ndarray
    assert backend.asarray(here) is here
    assert backend.address(backend.asarray(here, copy=True)) != backend.address(here)
    assert backend.asarray([1.0, 2.0]).shape == (2,)
    backend.synchronize()
    free, total = backend.memory()
    assert 0 <= free <= total


def test_arrays_move_between_backends(install):
    install(2)
    host, first, second = (backends.get(name) for name in ("cpu", "cuda", "cuda:1"))
    array = second.asarray(first.asarray(np.asarray([1.0, 2.0])))
    assert device_of(array) == "cuda:1"
    back = host.asarray(array)
    assert type(back) is np.ndarray
    assert back.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("size", [0, 1, 3, 17, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_buffers_are_zero_and_aligned(size, dtype):
    backend = backends.get("cpu")
    for _ in range(8):
        buffer = backend.zeros_aligned(size, dtype)
        assert buffer.shape == (size,)
        assert buffer.dtype == dtype
        assert size == 0 or backend.address(buffer) % 64 == 0
        assert not buffer.any()
        assert buffer.flags.writeable


def test_an_array_of_another_library_is_refused_by_name(install):
    install()
    strict = pytest.importorskip("array_api_strict")
    for name in ("cpu", "cuda"):
        with pytest.raises(TypeError, match=rf"cannot move a array_api_strict\..*Array to '{name}'.*numpy.asarray"):
            backends.get(name).asarray(strict.asarray([1.0]))


def test_a_backend_has_at_most_eight_members():
    for kind in (backends.CpuBackend, backends.CudaBackend):
        members = {name for name in dir(backends.Backend) if not name.startswith("_")}
        assert members >= {name for name in dir(kind) if not name.startswith("_")}
        assert len(members) <= 8
