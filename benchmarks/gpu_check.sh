#!/usr/bin/env bash
# For the owner of an NVIDIA GPU: one command that builds, tests the CUDA kernels on it, times them, and writes one JSON.
#
#   benchmarks/gpu_check.sh                     # installs this checkout with CuPy for CUDA 13 into the current Python
#   EXTRA=cuda12 benchmarks/gpu_check.sh        # for drivers older than 580
#   PYTHON=.venv/bin/python BUILD=no benchmarks/gpu_check.sh
#
# Each part runs whatever became of the others, within a time limit; together they end inside ten minutes. The result
# lands in benchmarks/results/; the exit status is 0 if every part passed.
set -u
cd "$(dirname "$0")/.." || exit 1

PYTHON=${PYTHON:-python3}
EXTRA=${EXTRA:-cuda13}
BUILD=${BUILD:-yes}
unset OPENBLAS_CORETYPE
export TWINGRAD_REQUIRE_GPU=1 PYTHONUNBUFFERED=1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# part NAME SECONDS COMMAND...: runs it, keeps its output, exit status and duration.
part() {
  local name=$1 limit=$2 start=$SECONDS status
  shift 2
  printf '%-14s' "$name"
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

build() {
  "$PYTHON" -m pip install --quiet -e ".[$EXTRA,test,bench]" ||
    "$PYTHON" -m pip install --quiet --no-deps --no-build-isolation -e .
}

benchmark() {
  if [ -e "benchmarks/bench_$1.py" ]; then
    "$PYTHON" -m pytest -q "benchmarks/bench_$1.py" --device cuda --benchmark-json="$work/$1.json"
  else
    echo "there is no benchmarks/bench_$1.py"
    return 1
  fi
}
export -f build benchmark
export PYTHON EXTRA work

[ "$BUILD" = no ] || part build 200 bash -c build
part info 30 bash -c '"$PYTHON" -m twingrad info --json'
part device 30 "$PYTHON" -c 'from twingrad import devices; print(devices.resolve("cuda"))'
part tests 170 "$PYTHON" -m pytest -q -m gpu tests --junitxml="$work/tests.xml"
part adam 70 bash -c 'benchmark adam'
part dropout 70 bash -c 'benchmark dropout'
part fidelity 60 "$PYTHON" -m twingrad.benchmarks.fidelity --column cuda --update docs/fidelity.md

"$PYTHON" - "$work" <<'PYTHON' || failed=1
import datetime
import json
import pathlib
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

work = pathlib.Path(sys.argv[1])


def machine():
    fields = "name,compute_cap,memory.total,driver_version"
    try:
        command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
        gpus = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        gpus = f"no GPU: {error}"
    return f"{gpus.replace(chr(10), ' | ')}; {platform.platform()}; Python {platform.python_version()}"


def outcome(name):
    status, seconds = (work / f"{name}.status").read_text().split()
    found = {"status": int(status), "seconds": int(seconds)}
    if found["status"]:
        found["output"] = (work / f"{name}.log").read_text(errors="replace")[-4000:]
    return found


def tests():
    suite = next(ElementTree.parse(work / "tests.xml").iter("testsuite"))
    return {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}


def timings(name):
    measured = json.loads((work / f"{name}.json").read_text())["benchmarks"]
    keep = ("median", "iqr", "min", "max", "rounds")
    return [{"name": b["name"], **{k: b["stats"][k] for k in keep}, **b["extra_info"]} for b in measured]


def info():
    return json.loads((work / "info.log").read_text().strip().splitlines()[-1])


def or_why_not(read, *args):
    try:
        return read(*args)
    except Exception as error:
        return f"none: {type(error).__name__}: {error}"


now = datetime.datetime.now(datetime.timezone.utc)
result = {
    "machine": machine(),
    "date": now.isoformat(timespec="seconds"),
    "parts": {path.stem: outcome(path.stem) for path in sorted(work.glob("*.status"))},
    "info": or_why_not(info),
    "tests": or_why_not(tests),
    "adam": or_why_not(timings, "adam"),
    "dropout": or_why_not(timings, "dropout"),
}
name = "none" if result["machine"].startswith("no GPU") else result["machine"].split(",")[0]
label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
folder = pathlib.Path("benchmarks/results")
folder.mkdir(exist_ok=True)
file = folder / f"gpu-{label}-{now:%Y%m%d-%H%M%S}.json"
file.write_text(json.dumps(result, indent=2) + "\n")
print(f"written: {file}")
PYTHON
exit "$failed"
