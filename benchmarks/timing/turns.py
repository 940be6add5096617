"""Subjects take turns, each in a process of its own, so that all see the same machine in the same minutes."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from timing.cases import Case, line
from timing.subjects import SUBJECTS
from timing.worker import FIRST

ONCE_FROM = 100.0  # seconds of audio from which on a process holds much memory, so that only one is there at a time
LONG_ENOUGH = 20.0  # seconds of work on a case, after which a subject is not asked again
REST_SECONDS = 0.1  # until another's threads, which wait busily for more work, have come to rest
HERE = Path(__file__).resolve().parents[1]


class MeasuringError(Exception):
    """A subject that cannot be measured; in one line, why."""


@dataclass
class Times:
    """What one subject took. starts: seconds from process start to its first result, on 3 s of speech.

    cases: by name, the seconds of each run. peaks: by name, MiB. reasons: why a case has no figure.
    """

    starts: list[float] = field(default_factory=list)
    cases: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def ms(self, case: Case) -> float | None:
        """Milliseconds for 1 s of audio, the median; None if not measured."""
        found = self.cases.get(case.name)
        return 1000 * statistics.median(found) / case.audio_seconds if found else None


@dataclass(frozen=True)
class Place:
    """Where processes run: a folder with lines and networks, and the threads that each may use."""

    folder: Path
    threads: int

    def environment(self) -> dict[str, str]:
        """Of a process here."""
        count = str(self.threads)
        paths = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        return {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), count),
            "PYTHONPATH": paths,
            "PYTHONWARNINGS": "ignore",
            "HF_HUB_OFFLINE": "1",
            "TORCHINDUCTOR_CACHE_DIR": str(self.folder / "compiled"),
        }

    def said(self, module: str, *arguments: str) -> Any:
        """What a module of this package, run by itself, prints as JSON; None if nothing. Raises MeasuringError."""
        command = [sys.executable, "-m", f"timing.{module}", *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise MeasuringError(f"{module} {' '.join(arguments)}: {_last_line(done.stderr)}")
        return json.loads(done.stdout) if done.stdout.strip() else None


class Worker:
    """A running subject. Raises MeasuringError where it does not come up."""

    def __init__(self, name: str, place: Place) -> None:
        self._log = (place.folder / f"{name}.log").open("w+", encoding="utf-8")
        command = [sys.executable, "-m", "timing.worker", name, str(place.folder), str(place.threads)]
        start = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            env=place.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        try:
            self._answer()
        except MeasuringError:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - start

    def run(self, case: Case) -> tuple[list[float], float | None]:
        """Seconds that each run of a turn took, and the most memory so far, MiB. Raises MeasuringError."""
        assert self._process.stdin is not None
        time.sleep(REST_SECONDS)
        try:
            self._process.stdin.write(json.dumps(asdict(case)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        answer = self._answer()
        return answer["seconds"], answer["peak_mib"]

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        answer = json.loads(said) if said else {"error": f"ended with code {self._process.wait()}"}
        if "error" in answer:
            raise MeasuringError(answer["error"])
        return dict(answer)


def take_turns(times: dict[str, Times], case: Case, rounds: int, place: Place) -> None:
    """Measure a case with all subjects in `times`, and add what they took; long cases one subject after another."""
    line(place.folder, FIRST.seconds)
    line(place.folder, case.seconds)
    groups = [[name] for name in times] if case.audio_seconds > ONCE_FROM else [list(times)]
    for names in groups:
        with ExitStack() as stack:
            _turns(_started(names, times, case, place, stack), times, case, rounds)


def _started(
    names: Iterable[str], times: dict[str, Times], case: Case, place: Place, stack: ExitStack
) -> dict[str, Worker]:
    workers = {}
    for name in names:
        subject, known = SUBJECTS[name], times[name]
        if reason := subject.left_out(case, free_gib()):
            known.reasons[case.name] = reason
            continue
        say(f"{case.name}: {name}")
        try:
            worker = Worker(name, place)
            stack.callback(worker.close)
            known.starts.append(worker.start_seconds)
            worker.run(subject.warm_up(case))
        except MeasuringError as error:
            known.reasons[case.name] = f"not available: {error}"
            continue
        workers[name] = worker
    return workers


def _turns(workers: dict[str, Worker], times: dict[str, Times], case: Case, rounds: int) -> None:
    for _ in range(rounds):
        for name, worker in workers.items():
            known = times[name]
            took = known.cases.setdefault(case.name, [])
            if sum(took) > LONG_ENOUGH:
                continue
            try:
                seconds, peak = worker.run(case)
            except MeasuringError as error:
                known.reasons[case.name] = f"failed: {error}"
                continue
            took += seconds
            if peak is not None:
                known.peaks[case.name] = peak


def free_gib() -> float:
    """Memory that is free, as Linux tells it; elsewhere enough is taken for granted."""
    told = Path("/proc/meminfo")
    found = re.search(r"MemAvailable:\s*(\d+)", told.read_text()) if told.exists() else None
    return int(found[1]) / (1 << 20) if found else float("inf")


def say(words: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)


def _last_line(text: str) -> str:
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no word"])[-1]
