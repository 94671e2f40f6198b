#!/usr/bin/env bash
# For the owner of an NVIDIA GPU: one command that tests the CUDA kernels on it, times them, and writes one JSON.
#
#   benchmarks/gpu_check.sh                          # with python3 and what it has; no network needed
#   PYTHON=.venv/bin/python benchmarks/gpu_check.sh
#   INSTALL=cuda13 benchmarks/gpu_check.sh           # first: pip install '.[cuda13,test,bench]' (cuda12 for older drivers)
#
# It needs CuPy, NumPy, array-api-compat and safetensors; pytest for the tests, and pytest-benchmark for four parts.
# nvmath-python captures steps, PyTorch is what times are compared with, ml_dtypes brings bf16: what is missing is told.
# For a machine without network bring them along, as wheels (`pip download --no-deps -d wheels array-api-compat ...`): those in
# the folder WHEELS are used from there, and nothing is installed.
#
# The checkout is used in place, uninstalled, unless INSTALL is given; its CPU kernels are compiled if there is a compiler.
# Each part runs whatever became of the others, within a time limit; all end inside ten minutes. On a slow machine
# LIMIT=1140 gives each twice its time. The result lands in benchmarks/results/ and in the tables of README.md and
# docs/fidelity.md, or in the folder OUT alone; without a GPU only in OUT. The exit status is 0 if every part passed.
set -u
cd "$(dirname "$0")/.." || exit 1

PYTHON=${PYTHON:-python3}
INSTALL=${INSTALL:-}
WHEELS=${WHEELS:-}
OUT=${OUT:-}
USUAL=570
LIMIT=${LIMIT:-$USUAL}
unset OPENBLAS_CORETYPE
export TWINGRAD_REQUIRE_GPU=1 PYTHONUNBUFFERED=1
page="--update docs/fidelity.md"
[ -z "$OUT" ] || page=
work=$(mktemp -d) || exit 1
failed=0
gpu=yes

# part NAME SECONDS COMMAND...: runs it, keeps its output, exit status and duration.
part() {
  local name=$1 limit=$(($2 * LIMIT / USUAL)) start=$SECONDS status
  shift 2
  printf '%-12s' "$name"
  if [ "$((SECONDS + limit))" -gt "$LIMIT" ]; then
    limit=$((LIMIT - SECONDS))
  fi
  if [ "$limit" -lt 5 ]; then
    not_run "$name" "no time left of $LIMIT s"
    return
  fi
  timeout --kill-after=5 "$limit" "$@" >"$work/$name.log" 2>&1 </dev/null
  status=$?
  printf '%s %s\n' "$status" "$((SECONDS - start))" >"$work/$name.status"
  if [ "$status" -eq 0 ]; then
    echo "passed in $((SECONDS - start)) s"
  else
    failed=1
    echo "FAILED with status $status after $((SECONDS - start)) s; the end of its output:"
    tail -n 8 "$work/$name.log" | sed 's/^/    /'
  fi
}

# gpu_part NAME SECONDS COMMAND...: a part that needs the GPU.
gpu_part() {
  if [ "$gpu" = yes ]; then
    part "$@"
  else
    printf '%-12s' "$1"
    not_run "$1" "there is no GPU to run it on"
  fi
}

not_run() {
  failed=1
  echo "not run: $2"
  echo "not run: $2" >"$work/$1.log"
  echo "-1 0" >"$work/$1.status"
}

# The package as it would be installed, made of links: $work/package/twingrad.
in_place() {
  mkdir -p "$work/package/twingrad"
  for entry in src/twingrad/*; do
    ln -s "$PWD/$entry" "$work/package/twingrad/"
  done
  for folder in backends kernels benchmarks; do
    ln -s "$PWD/$folder" "$work/package/twingrad/$folder"
  done
  export PYTHONPATH="$work/package${PYTHONPATH:+:$PYTHONPATH}"
}

# What the wheels hold, before what the Python has.
unpack() {
  for wheel in "$WHEELS"/*.whl; do
    "$PYTHON" -m zipfile -e "$wheel" "$work/wheels" || return 1
  done
}

modules() {
  "$PYTHON" - <<'PYTHON'
import importlib.util
import sys

needed = ("numpy", "cupy", "array_api_compat", "safetensors", "pytest", "pytest_benchmark")
useful = ("nvmath", "ml_dtypes", "torch")
missing, absent = ([name for name in names if importlib.util.find_spec(name) is None] for names in (needed, useful))
print("absent, so that parts measure less:", ", ".join(absent) or "nothing")
print("missing:", ", ".join(missing) or "nothing")
sys.exit(bool(missing))
PYTHON
}

gpu_tests() {
  grep -rlF pytest.mark.gpu tests | xargs "$PYTHON" -m pytest -q -m gpu --junitxml="$work/tests.xml"
}

have_cpu_kernels() {
  "$PYTHON" -c 'import sys; from twingrad.kernels import cpu; print(cpu.unavailable()); sys.exit(not cpu.available())'
}

cpu_kernels() {
  have_cpu_kernels || { "$PYTHON" setup.py -q build_ext --inplace && have_cpu_kernels; }
}

device() {
  "$PYTHON" -c 'from twingrad import devices; print(devices.resolve("cuda"))'
}

benchmark() {
  "$PYTHON" -m pytest -q "benchmarks/bench_$1.py" --device cuda --benchmark-json="$work/$1.json"
}

report() {
  trap - EXIT
  echo
  "$PYTHON" benchmarks/gpu_report.py "$work" "$gpu" "$OUT" || failed=1
  if [ "$gpu" = yes ]; then
    "$PYTHON" benchmarks/gpu_goals.py "${OUT:-benchmarks/results}" || failed=1
  fi
  if [ "$gpu" = yes ] && [ -z "$OUT" ]; then
    "$PYTHON" -m twingrad.benchmarks.report --update README.md || failed=1
    echo "README.md and docs/fidelity.md tell it: please commit or send what git status shows"
  fi
  rm -rf "$work"
  exit "$failed"
}
trap report EXIT
trap 'failed=1; exit 1' INT TERM

export -f unpack modules gpu_tests have_cpu_kernels cpu_kernels device benchmark
export PYTHON INSTALL WHEELS work

if [ -n "$INSTALL" ]; then
  part install 180 "$PYTHON" -m pip install --quiet --retries 1 --timeout 15 -e ".[$INSTALL,test,bench]"
else
  in_place
fi
if [ -n "$WHEELS" ]; then
  part wheels 60 bash -c unpack
  export PYTHONPATH="$work/wheels${PYTHONPATH:+:$PYTHONPATH}"
fi
part modules 20 bash -c modules
part device 40 bash -c device
[ "$(head -n 1 "$work/device.status" | cut -d' ' -f1)" = 0 ] || gpu=no
gpu_part cpu_kernels 90 bash -c cpu_kernels
part info 30 "$PYTHON" -m twingrad info --json
gpu_part tests 180 bash -c gpu_tests
gpu_part step 120 "$PYTHON" -m twingrad.benchmarks.gpu_step
gpu_part targets 90 "$PYTHON" -m twingrad.benchmarks.gpu_targets
gpu_part adam 50 bash -c 'benchmark adam'
gpu_part dropout 50 bash -c 'benchmark dropout'
gpu_part fidelity 60 "$PYTHON" -m twingrad.benchmarks.fidelity --column cuda $page
gpu_part optimizers 60 bash -c 'benchmark optimizers'
gpu_part kernels 90 bash -c 'benchmark kernels'
