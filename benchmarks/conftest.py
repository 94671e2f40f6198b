"""What the benchmarks share under pytest: `--device`, the arrays' place, and the run beside peers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from twingrad import backends, devices
from twingrad.benchmarks import driver, report, suites
from twingrad.fusable import PROVIDERS, registry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where the arrays of the benchmarks live: cpu (default), cuda")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A benchmark of a workload runs over its cases, and in both modes where it asks for one."""
    if not hasattr(metafunc.module, "WORKLOAD"):
        return
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", cases(metafunc.module.CASES, metafunc.config.getoption("--benchmark-disable")))
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", ["require", "never"], ids=["fused", "reference"])


def cases(of_module: dict[str, dict[str, Any]], untimed: bool) -> list[str]:
    """The cases of a workload; where nothing is timed, `large` ones are left out: they check the same."""
    return [name for name, case in of_module.items() if not (untimed and case.get("large"))]


class Place:
    """A device: puts arrays there, reads them back, waits for it, and times steps on it."""

    def __init__(self, name: str) -> None:
        self.device = devices.resolve(name)
        self.backend = backends.get(self.device)

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return self.backend.asarray(array, copy=True)

    def numpy(self, array: Any) -> Any:
        return self.backend.to_numpy(array)

    def needs_kernel(self, *operations: str) -> None:
        """Skip where an operation has no kernel on this device, saying so."""
        backend = "cuda" if self.device.kind == "cuda" else "cpu"
        reason = importlib.import_module(PROVIDERS[backend]).unavailable()
        missing = [name for name in operations if backend not in registry[name].kernels]
        if reason is not None or missing:
            pytest.skip(reason or f"no kernel on {backend} for {', '.join(missing)}")

    def synchronise(self) -> None:
        self.backend.synchronize()

    def time(self, benchmark: Any, step: Callable[[], None], *, traffic: int, size: int) -> None:
        """Warm up and time `step`; bytes a second of it and of a copy of `size` float32 go to the benchmark's notes."""
        benchmark.pedantic(step, rounds=15, warmup_rounds=3)
        if not benchmark.enabled:
            return
        source = self.asarray(np.ones(size, np.float32))
        target = self.asarray(np.zeros(size, np.float32))
        seconds = []
        for _ in range(15):
            start = benchmark._timer()
            target[...] = source
            self.synchronise()
            seconds.append(benchmark._timer() - start)
        benchmark.extra_info["device"] = str(self.device)
        benchmark.extra_info["gb_per_s"] = round(traffic / benchmark.stats.stats.median / 1e9, 2)
        benchmark.extra_info["copy_gb_per_s"] = round(8 * size / float(np.median(seconds)) / 1e9, 2)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The device named by `--device`."""
    return Place(request.config.getoption("--device"))


@pytest.fixture
def beside_peers(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[driver.Workload, str], None]:
    """Runs one case of a workload with every contender in its own process, and prints the table."""
    if request.config.getoption("--device") != "cpu":
        pytest.skip("the contenders of other libraries run on the CPU")
    quick = request.config.getoption("--benchmark-disable")
    effort = driver.Effort(1, 0.0, patience=0) if quick else driver.Effort(7, 0.2)

    def run(workload: driver.Workload, case: str) -> None:
        workload = suites.smaller(workload) if quick else workload
        result = driver.run(workload, effort, cases=[case])
        assert not result["failed"]
        measured = result["cases"][0]["contenders"]
        assert [row["contender"] for row in measured] == [
            who for who in workload.contenders if who not in result["cases"][0]["absent"]
        ]
        assert all(row["median_ms"] > 0 for row in measured)
        if quick:
            return
        with capsys.disabled():
            print("\n" + report.markdown(result))

    return run
