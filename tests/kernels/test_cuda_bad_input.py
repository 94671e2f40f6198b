"""Where CUDA kernels cannot run: the reason is clear and said once, and the reference path goes on."""

from __future__ import annotations

import sys
import types
import warnings

import cuda_on_host
import numpy as np
import pytest

from twingrad import Tensor, fused, fused_report, xp
from twingrad import functional as F
from twingrad.errors import DeviceError, FusedError
from twingrad.fusable import clear_fused_report
from twingrad.kernels.cuda import build, launching, nvrtc, overrides

import fake_cupy

LOADED: list[bytes] = []


class Module:
    """`cupy.cuda.Module` of a driver that refuses what `refused` names."""

    refused = ""

    def load(self, image: bytes) -> None:
        if self.refused:
            raise RuntimeError(self.refused)
        LOADED.append(image)

    def get_function(self, name):
        return cuda_on_host.function(name)


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """CuPy of NumPy arrays with nothing compiled yet; kernels are compiled for a GPU and run on the host."""
    caches = overrides.unavailable, launching.why_not, launching._module, launching._function, nvrtc.find
    uncached = [function.cache_clear for function in caches]
    for name, module in fake_cupy.modules(cuda_on_host.CUPY).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(cuda_on_host.CUPY.cuda, "Module", Module, raising=False)
    monkeypatch.setenv("TWINGRAD_CACHE_DIR", str(tmp_path))
    for clear in (*uncached, clear_fused_report):
        clear()
    LOADED.clear()
    yield cuda_on_host.CUPY
    for clear in (*uncached, clear_fused_report):
        clear()


def falls_back_once(match):
    """relu by the reference path: a warning the first time, none the second, each counted, an error if required."""
    x = fake_cupy.ndarray(np.asarray([-1.0, 2.0], np.float32))
    with pytest.warns(launching.KernelWarning, match=match) as told:
        assert F.relu(x).tolist() == [0.0, 2.0]
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert F.relu(x).tolist() == [0.0, 2.0]
    (counted,) = fused_report()
    assert (counted["operation"], counted["backend"], counted["count"]) == ("relu", "cuda", 2)
    with fused("require"), pytest.raises(FusedError, match=match):
        F.relu(x)


def test_no_nvrtc(gpu, monkeypatch):
    monkeypatch.setattr(nvrtc, "_candidates", lambda: iter(["/nowhere/libnvrtc.so.13"]))
    falls_back_once(
        r"libnvrtc of CUDA 13 was not found; tried /nowhere/libnvrtc.so.13.*; pip install nvidia-cuda-nvrtc"
    )


def test_nvrtc_of_another_cuda_than_cupys(gpu, monkeypatch, nvrtc):
    monkeypatch.setattr(gpu.cuda.runtime, "runtimeGetVersion", lambda: 11080)
    falls_back_once(rf"libnvrtc of CUDA 11 was not found; tried .*\(CUDA {nvrtc.version[0]}\)")


def test_a_gpu_too_old_for_the_compiler(gpu, monkeypatch, nvrtc):
    monkeypatch.setattr(fake_cupy.FakeDevice, "compute_capability", "30")
    falls_back_once(r"compute capability 3\.0 is below")


@pytest.fixture
def same_cuda(nvrtc):
    if nvrtc.version[0] != 13:
        pytest.skip(f"the stand-in says CUDA 13; the compiler found here is of CUDA {nvrtc.version[0]}")


@pytest.mark.usefixtures("same_cuda")
def test_a_kernel_that_does_not_compile_names_itself_and_the_others_run(gpu, monkeypatch):
    read = build.read
    broken = lambda name: (read(name)[0] + "\nint x = missing;", read(name)[1])  # noqa: E731
    monkeypatch.setattr(build, "read", lambda name: broken(name) if name == "activations" else read(name))
    falls_back_once(r"activations\.cu cannot be compiled or loaded for cuda: NvrtcError: activations\.cu: .*sm_90")
    launching.why_not.cache_clear()
    with pytest.warns(launching.KernelWarning, match=r'(?s)error: identifier "missing" is undefined'):
        F.relu(fake_cupy.ndarray(np.ones(2, np.float32)))
    launching.why_not.cache_clear()
    with fused("require"):
        assert F.softmax(fake_cupy.ndarray(np.ones(4, np.float32))).tolist() == [0.25] * 4
    assert len(LOADED) == 1


@pytest.mark.usefixtures("same_cuda")
def test_a_driver_that_does_not_take_the_machine_code(gpu, monkeypatch):
    monkeypatch.setattr(Module, "refused", "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available")
    falls_back_once(
        r"activations\.cu cannot be .* for cuda: RuntimeError: CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image"
    )


@pytest.mark.usefixtures("same_cuda")
def test_a_truncated_cubin_is_compiled_again(gpu, tmp_path):
    x = fake_cupy.ndarray(np.asarray([-1.0, 2.0], np.float32))
    with fused("require"):
        F.relu(x)
        (file,) = tmp_path.iterdir()
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        for function in (launching._module, launching._function, launching.why_not):
            function.cache_clear()
        assert F.relu(x).tolist() == [0.0, 2.0]
    assert file.read_bytes() == whole
    assert LOADED[0] == LOADED[1]


def on(number, *shape):
    return fake_cupy.ndarray(np.ones(shape, np.float32), number)


TWO_GPUS = {
    "linear": (lambda: F.linear(on(0, 2, 2), on(1, 2, 2)), "linear: "),
    "tensors": (lambda: F.linear(Tensor(on(0, 2, 2), requires_grad=True), on(0, 2, 2), on(1, 2)), "linear: "),
    "by name": (lambda: F.layer_norm(on(0, 2, 2), on(0, 2), bias=on(1, 2)), "layer_norm: "),
    "in place": (lambda: F.adam_update(on(0, 2), on(1, 2), on(0, 2), on(0, 2), step=1, lr=1e-3), ""),
    "operator": (lambda: Tensor(on(0, 2)) + on(1, 2), "xp.add: "),
    "reflected": (lambda: on(1, 2, 2) @ Tensor(on(0, 2, 2), requires_grad=True), "xp.matmul: "),
    "joined": (lambda: xp.concat([Tensor(on(0, 2)), on(1, 2)]), "xp.concat: "),
    "three": (lambda: xp.where(Tensor(on(0, 2)) > 0, on(0, 2), on(1, 2)), "xp.where: "),
}


@pytest.mark.parametrize("mode", ["auto", "never"])
@pytest.mark.parametrize("label", TWO_GPUS)
def test_arrays_of_two_gpus_in_one_operation(label, mode, gpu, monkeypatch):
    cuda_on_host.stand_in(monkeypatch)
    call, name = TWO_GPUS[label]
    said = rf"^{name}arrays of two devices in one operation: (cuda and cuda:1|cuda:1 and cuda); move one with x\.to_dev"
    with fused(mode), pytest.raises(DeviceError, match=said):
        call()


def test_a_kernel_tells_which_array_lives_on_another_gpu(gpu, monkeypatch):
    cuda_on_host.stand_in(monkeypatch)
    x, weight = on(0, 2, 2), on(1, 2, 2)
    with fused("require"), pytest.raises(FusedError, match="weight lives on cuda:1, its neighbour on cuda; move one"):
        F.linear(x, weight)
    with fused("require"), pytest.raises(FusedError, match=r"bias is a numpy\.ndarray, not a CuPy array"):
        F.linear(x, x, np.ones(2, np.float32))


def test_arrays_of_two_libraries_in_one_operation(gpu, monkeypatch):
    cuda_on_host.stand_in(monkeypatch)
    with pytest.raises(TypeError, match=r"arrays of two libraries in one operation: .*cupy.* and numpy"):
        F.linear(on(0, 2, 2), np.ones((2, 2), np.float32))


def test_plain_cupy_multiplies_where_its_binding_of_cublas_is_missing(gpu, monkeypatch):
    cuda_on_host.stand_in(monkeypatch)
    monkeypatch.setitem(sys.modules, "cupy.cublas", None)
    monkeypatch.setattr(gpu, "cublas", types.SimpleNamespace(), raising=False)
    x = fake_cupy.ndarray(np.eye(2, dtype=np.float32))
    with fused("require"):
        assert F.linear(x, x).tolist() == [[1.0, 0.0], [0.0, 1.0]]
