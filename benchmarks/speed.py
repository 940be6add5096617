"""How fast recognition is beside other ways to hear emotions, in one run; prints markdown tables.

    python benchmarks/speed.py [-o FOLDER] [--quick] [--subjects NAME …] [--lengths SECONDS …] [--batches N …]
        [--growth SECONDS …] [--rounds N] [--threads N] [--docs]

Every subject has processes of its own and as many threads as the others. In each case (so many clips of so many
seconds) they take turns of a second or more, warmed up, in several rounds, until a subject has worked for 20 s, and
medians of all runs count; for cases of more than 100 s of audio there is one process at a time. Networks other than the
shipped one have random weights, which serve for time. Ratios are to wav2vec2-base in transformers, eager, float32, in
the same case: they are what carries over between processors of a kind. Needs the training extra; memory is told on
Linux alone. The whole takes more than an hour on two cores, and up to 16 GiB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from timing.cases import Case, line
from timing.report import COMPARED, Results, markdown
from timing.subjects import REFERENCE, SUBJECTS
from timing.turns import MeasuringError, Place, Times, say, take_turns
from timing.worker import FIRST

from dser_ext.formats.files import written_whole
from dser_ext.recognition.devices import has_eight_bits

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMAND_RUNS = 5
QUICK = {
    "subjects": ["default", "wav2vec2-base-ours", REFERENCE],
    "lengths": [3, 30],
    "batches": [1],
    "growth": [3, 30, 300],
    "rounds": 2,
}
PACKAGES = ("openvino", "onnxruntime", "torch", "transformers", "opensmile")


def main() -> None:
    """Measure, print, and write what was asked for."""
    options = _options()
    threads = options.threads or _cores()
    cases = [Case(seconds, batch) for batch in options.batches for seconds in options.lengths]
    results = Results(_machine(threads), cases, {name: Times() for name in options.subjects})
    with tempfile.TemporaryDirectory() as folder:
        measure(results, Place(Path(folder), threads), options.growth, options.rounds)
    text = markdown(results)
    print(text)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        write(results, options.output / "speed.json", options.output / "speed.png")
        with written_whole(options.output / "speed.md") as file:
            file.write(text)
    if options.docs:
        kind = "speed" if has_eight_bits() else "speed-without-8-bits"
        write(results, DOCS / "evaluation" / f"{kind}.json", DOCS / "pictures" / f"{kind}.png")
        _filled(DOCS / "SPEED.md", kind, text)
        _filled(DOCS.parent / "README.md", kind, _summary(results))


def measure(results: Results, place: Place, growth: list[float], rounds: int) -> None:
    """Fill in the results: peaks, networks, cases in turns, growth, the command, and the peaks once more."""
    say("peaks of the processor")
    first = place.said("roofline", "peaks", str(place.threads))
    for network in dict.fromkeys(need for name in results.times for need in SUBJECTS[name].needs):
        say(f"making {network}")
        place.said("networks", network, str(place.folder))
    for name in results.times:
        if SUBJECTS[name].is_ours:
            model = str(place.folder / name) if SUBJECTS[name].needs else "dser-base"
            results.operations[name] = place.said("roofline", "operations", model)
    for case in results.cases:
        take_turns(results.times, case, rounds, place)
    results.lengths = [Case(seconds) for seconds in growth]
    for case in results.lengths:
        take_turns({"default": results.growth}, case, rounds, place)
    if "default" in results.times:
        results.command = _command(place)
    second = place.said("roofline", "peaks", str(place.threads))
    results.peaks = {kind: max(first[kind], second[kind]) for kind in first}


def write(results: Results, data: Path, picture: Path) -> None:
    """The figures as JSON, and the chart."""
    from timing.chart import draw

    with written_whole(data) as file:
        json.dump(results.data(), file, indent=1)
        file.write("\n")
    draw(results, picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="write speed.json, speed.md, speed.png there"
    )
    parser.add_argument("--quick", action="store_true", help="a few minutes: the rest, unless given, is less of it")
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, metavar="NAME", help=", ".join(SUBJECTS))
    parser.add_argument("--lengths", type=float, nargs="+", metavar="SECONDS", help="of a clip (3 30 600)")
    parser.add_argument("--batches", type=int, nargs="+", metavar="N", help="clips handed over together (1 16)")
    parser.add_argument("--growth", type=float, nargs="*", metavar="SECONDS", help="(3 30 300 3000 10800)")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each in a case (5)")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="of each subject (all cores, as dser emote takes)"
    )
    parser.add_argument("--docs", action="store_true", help="bring docs/SPEED.md and the README up to date")
    options = parser.parse_args()
    if options.docs and options.subjects and "default" not in options.subjects:
        parser.error("--docs tells of the default model: have it among --subjects")
    whole = {"subjects": list(SUBJECTS), "lengths": [3, 30, 600], "batches": [1, 16], "rounds": 5}
    for name, value in (QUICK if options.quick else {**whole, "growth": [3, 30, 300, 3000, 10800]}).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _command(place: Place) -> list[float]:
    """Seconds of `dser emote` on 3 s of speech."""
    say("dser emote")
    command = [sys.executable, "-m", "dser_ext.cli.main", "emote", str(line(place.folder, FIRST.seconds))]
    command += ["-o", str(place.folder / "line.json")]
    took = []
    for _ in range(COMMAND_RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    return took[1:]


def _cores() -> int:
    """That this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _machine(threads: int) -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    parts = [found[1].strip() if found else platform.processor() or platform.machine(), f"{threads} threads"]
    for name in PACKAGES:
        try:
            parts.append(f"{name} {version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return ", ".join(parts)


def _summary(results: Results) -> str:
    """The README's few sentences."""
    parts = []
    if ms := results.times["default"].ms(COMPARED):
        parts.append(f"A clip of {COMPARED.name} costs {ms:.1f} ms for 1 s of speech")
        ratio = results.faster("default", COMPARED)
        parts.append(
            f", {ratio:.1f} times less than wav2vec2-base in transformers in the same run. " if ratio else ". "
        )
    if results.command:
        parts.append(
            f"A line of 3 s takes `dser emote` {statistics.median(results.command):.2f} s from start to finished file. "
        )
    if results.lengths and (peak := results.growth.peaks.get(results.lengths[-1].name)):
        parts.append(f"{results.lengths[-1].name} of speech take {peak:.0f} MiB at the peak. ")
    return "".join(parts).rstrip() + "\n"


def _filled(path: Path, kind: str, text: str) -> None:
    """Put text between the marks of a document."""
    begin, end = f"<!-- {kind}: begin -->\n", f"<!-- {kind}: end -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"{path}: has no lines {begin.strip()} and {end}, between which figures go")
    with written_whole(path) as file:
        file.write(f"{before}{begin}{text}{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    try:
        main()
    except MeasuringError as error:
        raise SystemExit(str(error)) from error
