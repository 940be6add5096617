"""What one batch can hold: python benchmarks/batch_scale.py [--lines 100000]

Everything but the recognition: an engine that has every answer at once (that of one real line of three seconds) shows
how many lines a second the run itself can plan, hand out, and put into its ledger, what each takes there and in memory,
and what a run with nothing to do costs. With the time that a worker needs for a line it prints how many cores one run
keeps busy.
"""

from __future__ import annotations

import argparse
import os
import pickle
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from batch import make_lines, pure_seconds

from dser_ext.batch.job import Job, output_name
from dser_ext.batch.lines import Found, Line
from dser_ext.batch.place import LEDGER, opened
from dser_ext.batch.run import Run
from dser_ext.batch.store import stamp
from dser_ext.batch.work import Outcome, Task, work_on
from dser_ext.recognition.recognizer import Recognizer


class Ready:
    """An engine that needs no time. sample: the outcome that every line has."""

    def __init__(self, sample: Outcome) -> None:
        self._sample = sample
        self._waiting: list[Outcome] = []

    @property
    def room(self) -> int:
        """As of a cluster of 64 cores."""
        return 256 - len(self._waiting)

    def submit(self, task: Task) -> None:
        """Every line is another sound."""
        assert self._sample.heard is not None
        heard = replace(self._sample.heard, audio=f"{len(task.name):02}{task.name:>62}"[:64])
        task = pickle.loads(pickle.dumps(task))  # as on their way to a worker and back
        outcome = replace(self._sample, name=task.name, heard=None if task.heard else heard)
        if not task.results:
            outcome = replace(outcome, statistics=None)
        self._waiting.append(pickle.loads(pickle.dumps(outcome)))

    def wait(self) -> list[Outcome]:
        """All of them."""
        done, self._waiting = self._waiting, []
        return done

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    count = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_lines(folder / "in", 50)
        line_seconds = pure_seconds(folder / "in", 50) / 50
        source = next((folder / "in").iterdir())
        sample = work_on(Task("x", str(source), results={"json": str(folder / "x.json")}), Recognizer(threads=1))
        mark = stamp(str(source))
        lines = [Line(f"voice {number % 100}/{number:08}.wav", str(source), mark) for number in range(count)]
        result = (folder / "x.json").stat().st_size
        before = memory_mib()
        first = run(lines, sample, folder / "out")
        mib = peak_mib() - before
        for line in lines:
            path = folder / "out" / output_name(line.name, "json")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"{}")
        again = run(lines, sample, folder / "out")
        ledger = (folder / "out" / ".dser" / LEDGER).stat().st_size
    print(f"{count} lines, voices of folders")
    print(f"the run itself: {count / first:.0f} lines a second = {first / count / line_seconds:.4f} of a worker's time")
    print(f"so one run keeps {count / first * line_seconds:.0f} cores like these busy")
    print(f"result as json: {result / 1000:.0f} kB a line")
    print(f"ledger: {ledger / count / 1000:.1f} kB a line of 3 s; memory: {mib / count * 1024:.2f} KiB a line")
    print(f"nothing to do: {1e6 * again / count:.0f} us a line")


def run(lines: list[Line], sample: Outcome, out: Path) -> float:
    """Seconds of a run over these lines."""
    began = time.perf_counter()
    with opened(str(out)) as ledger:
        summary = Run(Job(voice_by="folder"), Found(lines), str(out), ledger, Ready(sample)).run()
    assert summary.finished == len(lines)
    assert not summary.failures
    return time.perf_counter() - began


def memory_mib() -> float:
    """Memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mib() -> float:
    """Largest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
