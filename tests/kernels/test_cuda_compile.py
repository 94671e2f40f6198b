"""Every CUDA kernel compiles for every supported GPU type, without a GPU, spills nothing, and keeps each operation."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from twingrad.kernels.cuda import build
from twingrad.kernels.cuda import nvrtc as compiler_module
from twingrad.kernels.cuda.__main__ import table
from twingrad.kernels.cuda.nvrtc import NvrtcError, find, usage

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")


NAMES = build.names()
ROUNDED_ONCE = r"(sigmoid|tanh|bias_tail|batch_norm_normalise|softmax|cross_entropy|binary_cross_entropy(_backward)?)"
"""The kernels with exponentials or logarithms, whose headers ask for fused multiply-adds: no other has one."""
MOST_SHARED = 12288
"""Bytes: four blocks of 256 threads, as many as the registers of these kernels let in, fit a processor's 48 KiB."""
MOST_REGISTERS = 128
"""Two blocks of 256 threads fit a processor's 65,536 registers."""


@pytest.fixture(scope="module")
def compiled(nvrtc):
    """compiled(name, architecture): each built once for the module, and all of an architecture side by side."""
    jobs = {}

    def get(name, architecture):
        if (name, architecture) not in jobs:
            for one in {name, *NAMES} if architecture in ARCHITECTURES else [name]:
                jobs[one, architecture] = pool.submit(build.compile, one, architecture, nvrtc, ("-Xptxas", "-v"))
        return jobs[name, architecture].result()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield get


def by_kernel(ptx):
    """The PTX text of each kernel."""
    _, *parts = re.split(rb"\.visible \.entry (\w+)\(", ptx)
    return dict(zip([name.decode() for name in parts[::2]], parts[1::2], strict=True))


def opcodes(ptx):
    """The operations of a PTX text, in order, as words such as mul.rn.f32."""
    return re.findall(r"^\s+(?:@!?%p\d+\s+)?([a-z][\w.]*)\s", ptx.decode(), re.MULTILINE)


def inexact(ptx):
    """The floating-point operations that are contracted, approximate, flush, or round other than to nearest."""
    found = []
    for opcode in opcodes(ptx):
        name, *parts = opcode.split(".")
        floating = any(re.fullmatch(r"v?[24]?f(16|32|64)(x2)?", part) for part in parts)
        rounded = name in {"add", "sub", "mul", "div", "sqrt", "rcp"} or (
            name == "cvt" and parts[-2:] == ["f32", "f64"]
        )
        contracted = name in {"fma", "mad"} and floating
        if contracted or {"ftz", "approx", "full"} & set(parts) or (floating and rounded and "rn" not in parts):
            found.append(opcode)
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_warnings_or_spills(compiled, name, architecture, record_property):
    built = compiled(name, architecture)
    assert built.cubin[:4] == b"\x7fELF"
    assert "warning" not in built.log
    found = usage(built.log)
    assert sorted(found) == sorted(by_kernel(built.ptx))
    dtypes = ("_float32", "_float64", "_bfloat16")
    assert all(kernel.endswith(dtypes) for kernel in found) or name in ("clip", "order", "philox")
    for kernel, used in found.items():
        record_property(f"{kernel} {architecture}", used._asdict())
        assert (used.spill_stores, used.spill_loads, used.stack) == (0, 0, 0), (
            f"{kernel} spills on {architecture}: {used}"
        )
        assert 0 < used.registers <= MOST_REGISTERS, f"{kernel} takes {used.registers} registers on {architecture}"
        assert used.shared <= MOST_SHARED, f"{kernel} takes {used.shared} bytes of shared memory on {architecture}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_every_operation_is_kept_and_rounded_to_nearest(compiled, name, architecture):
    ptx = compiled(name, architecture).ptx
    for kernel, text in by_kernel(ptx).items():
        fused = re.fullmatch(rf"{ROUNDED_ONCE}_(b?float(16|32|64))", kernel)
        assert {o for o in inexact(text) if not (fused and o.startswith("fma.rn."))} == set(), kernel
        assert not fused or "fma.rn.f32" in opcodes(text) or "fma.rn.f64" in opcodes(text), kernel
    if name in ("adam", "rmsprop", "sgd"):
        assert {"mul.rn.f32", "add.rn.f32", "sub.rn.f32", "mul.rn.f64"} <= set(opcodes(ptx))
    if name in ("adam", "rmsprop"):
        assert {"div.rn.f32", "sqrt.rn.f32", "div.rn.f64", "sqrt.rn.f64"} <= set(opcodes(ptx))


WIDE = re.compile(r"(ld|st)\.global\.(?:nc\.)?(?:v4\.\w32|v2\.\w64)")
NARROW = {
    "batch_norm_(train|eval|parameters)|layer_norm_parameters|column_sums|loss_total": {"ld", "st"},  # a column each
    "order_(tiles|merged)|clip_factors|philox_words": {"ld", "st"},
    "batch_norm_(moments|slopes)|layer_norm_slopes|norm_leaves|cross_entropy_total": {"st"},  # sums of much
    "mean_(squared|absolute)_error|binary_cross_entropy": {"st"},
    "look_up": {"ld"},  # of bytes, as many at once as elements are written
}
"""The kernels that need not read, or write, 16 bytes at once."""


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
@pytest.mark.parametrize("name", NAMES)
def test_16_bytes_are_read_and_written_at_once(compiled, name, architecture):
    for kernel, text in by_kernel(compiled(name, architecture).ptx).items():
        found = {match[1] for opcode in opcodes(text) if (match := WIDE.fullmatch(opcode))}
        free = [may for names, may in NARROW.items() if re.fullmatch(rf"({names})(_b?float\d+)?", kernel)]
        assert found >= {"ld", "st"}.difference(*free), kernel


@pytest.mark.parametrize("header", sorted(path.name for path in build.HEADERS.glob("*.h")))
def test_every_header_of_element_mathematics_compiles_for_cuda(nvrtc, header):
    headers = {path.name: path.read_text(encoding="utf-8") for path in build.HEADERS.glob("*.h")}
    source = f'#include "{header}"\nextern "C" __global__ void empty() {{}}\n'
    built = nvrtc.compile(source, headers, ["--gpu-architecture=sm_90", *build.OPTIONS])
    assert b".entry empty" in built.ptx
    assert "warning" not in built.log


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_added_in_an_order_that_chance_decides(compiled, name, architecture):
    found = {opcode.partition(".")[0] for opcode in opcodes(compiled(name, architecture).ptx)}
    assert not found & {"atom", "red", "multimem"}
    assert "st" in found


def test_the_check_of_order_sees_an_atomic_sum(nvrtc):
    source = 'extern "C" __global__ void sum(float *total, const float *x) { atomicAdd(total, x[threadIdx.x]); }'
    built = nvrtc.compile(source, {}, ["--gpu-architecture=sm_90", *build.OPTIONS])
    assert {"atom", "red"} & {opcode.partition(".")[0] for opcode in opcodes(built.ptx)}


@pytest.mark.parametrize("name", ["activations", "adam", "dropout", "gather", "rmsprop", "sgd"])
def test_aligned_arrays_are_read_16_bytes_at_a_time(compiled, name):
    found = set(opcodes(compiled(name, "sm_90").ptx))
    assert {"ld.global.v4.f32", "st.global.v4.f32", "ld.global.v2.f64", "st.global.v2.f64"} <= found


@pytest.mark.parametrize("name", ["activations", "convert"])
def test_bfloat16_travels_eight_at_a_time_and_is_rounded_by_the_instruction_where_there_is_one(compiled, name):
    for kernel, text in by_kernel(compiled(name, "sm_90").ptx).items():
        if kernel.endswith("_bfloat16"):
            assert {"st.global.v4.u32", "cvt.rn.bf16.f32"} <= set(opcodes(text)), kernel
    assert "ld.global.v4.u32" in opcodes(compiled(name, "sm_90").ptx)
    assert not any("bf16" in opcode for opcode in opcodes(compiled(name, "sm_75").ptx))


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (("--fmad=false", "--fmad=true"), "fma.rn.f32"),
        (("--ftz=false", "--ftz=true"), "mul.rn.ftz.f32"),
        (("--prec-div=true", "--prec-div=false"), "div.full.f32"),
        (("--prec-sqrt=true", "--prec-sqrt=false"), "sqrt.approx.f32"),
    ],
)
def test_the_check_of_operations_sees_each_option_that_would_break_it(nvrtc, monkeypatch, change, seen):
    options = tuple(change[1] if option == change[0] else option for option in build.OPTIONS)
    assert options != build.OPTIONS
    monkeypatch.setattr(build, "OPTIONS", options)
    assert seen in inexact(build.compile("adam", "sm_90", nvrtc).ptx)


def test_a_spill_is_seen(nvrtc):
    source, headers = build.read("adam")
    headers["update.cuh"] = headers["update.cuh"].replace("(tg::THREADS, 2)", "(1024, 2)")
    built = nvrtc.compile(source, headers, ["--gpu-architecture=sm_90", "--fmad=false", "-Xptxas", "-v"])
    assert usage(built.log)["adam_segments_float64"].spill_stores > 0


def test_the_command_lists_every_kernel_of_a_source(compiled, nvrtc, monkeypatch):
    names = ["activations", "softmax"]
    monkeypatch.setattr(build, "compile", lambda name, architecture, *_: compiled(name, architecture))
    lines = table(nvrtc, names)
    assert lines[0].split() == ["registers", "shared", *ARCHITECTURES]
    kernels = [kernel for name in names for kernel in usage(compiled(name, "sm_90").log)]
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(kernels)
    assert all(len(line.split()) == 2 + len(ARCHITECTURES) for line in lines[1:])
    (softmax,) = [line.split() for line in lines if line.startswith("softmax_float32 ")]
    assert softmax[1] == "2048"


def test_a_refused_program_carries_the_log(nvrtc):
    source = '#include "a.h"\n__global__ void f() { missing(); }\n'
    with pytest.raises(NvrtcError, match=r'(?s)bad\.cu: .*--gpu-architecture=sm_90.*bad\.cu\(2\): error.*"missing"'):
        nvrtc.compile(source, {"a.h": ""}, ["--gpu-architecture=sm_90"], "bad.cu")
    with pytest.raises(NvrtcError, match=r'cannot open source file "a\.h"'):
        nvrtc.compile(source, {}, ["--gpu-architecture=sm_90"])
    with pytest.raises(NvrtcError, match="sm_10"):
        nvrtc.compile("", {}, ["--gpu-architecture=sm_10"])


def test_the_compiler_is_of_the_version_asked_for_or_says_what_it_found(nvrtc):
    assert find(nvrtc.version[0]).version == nvrtc.version
    with pytest.raises(NvrtcError, match=r"libnvrtc of CUDA 11 was not found; tried .*\(CUDA \d+\).*pip install"):
        find(11)


def test_no_compiler_says_where_it_was_looked_for_and_how_to_install(monkeypatch):
    monkeypatch.setattr(compiler_module, "_candidates", lambda: iter(["/nowhere/libnvrtc.so.13"]))
    with pytest.raises(NvrtcError, match=r"tried /nowhere/libnvrtc\.so\.13.*pip install nvidia-cuda-nvrtc"):
        compiler_module.find.__wrapped__()


class Known:
    """A compiler that knows some GPU types."""

    path = "libnvrtc.so"
    architectures = (75, 80, 86, 90, 100, 120)


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        (75, "sm_75"),
        (80, "sm_80"),
        (87, "sm_86"),
        (89, "sm_86"),
        (90, "sm_90"),
        (103, "sm_100"),
        (110, "compute_100"),
        (130, "compute_120"),
    ],
)
def test_a_gpu_gets_its_own_code_or_the_nearest_that_it_runs(capability, target):
    assert build.target(capability, Known()) == target


def test_a_gpu_too_old_is_named():
    with pytest.raises(ValueError, match=r"compute capability 7\.0 is below 7\.5"):
        build.target(70, Known())


def test_ptx_for_a_newer_gpu_compiles_too(compiled):
    assert b".target compute" not in compiled("sgd", "compute_90").ptx
    assert b".entry sgd_segments_float32" in compiled("sgd", "compute_90").ptx
