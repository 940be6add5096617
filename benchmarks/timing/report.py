"""What was measured, as data and as markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from timing.cases import Case
from timing.subjects import REFERENCE, SUBJECTS
from timing.turns import Times

COMPARED = Case(30.0)  # that ratios are quoted of
KINDS = {"fp32": "float32", "bf16": "bfloat16", "int8": "8 bits"}
FASTER_TARGET, LARGE_TARGET, SHARE_TARGET, EXPONENT_TARGET, COMMAND_TARGET = 25, 5, 50, 1.02, 0.8


@dataclass
class Results:
    """machine: what it ran on, in words. command: seconds of `dser emote` on 3 s of speech, from start to end.

    growth: Times of the default model alone, on the lengths of `lengths`. peaks: operations a second by precision.
    operations: of each network of ours, for 1 s of audio, by what they are computed in.
    """

    machine: str
    cases: list[Case]
    times: dict[str, Times]
    command: list[float] = field(default_factory=list)
    lengths: list[Case] = field(default_factory=list)
    growth: Times = field(default_factory=Times)
    peaks: dict[str, float] = field(default_factory=dict)
    operations: dict[str, dict[str, float]] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "exponent": self.exponent, "targets": list(self.targets())}

    @property
    def exponent(self) -> float | None:
        """e where the cost grows as length to the e, by least squares of the logarithms; None of a single length."""
        return self._exponent(0.0)

    @property
    def long_exponent(self) -> float | None:
        """As `exponent`, of lines of several windows only: these overlap, while a line within one is heard once."""
        return self._exponent(COMPARED.seconds)

    def _exponent(self, least_seconds: float) -> float | None:
        measured = [(case.seconds, ms * case.seconds) for case in self.lengths if (ms := self.growth.ms(case))]
        measured = [point for point in measured if point[0] >= least_seconds]
        if len(measured) < 2:
            return None
        x, y = np.log(np.array(measured)).T
        return float(np.polyfit(x, y, 1)[0])

    def faster(self, name: str, case: Case, reference: str = REFERENCE) -> float | None:
        """How many times less a subject takes than another in the same case."""
        ours, theirs = (self.times[each].ms(case) if each in self.times else None for each in (name, reference))
        return theirs / ours if ours and theirs else None

    def allowed_ms(self, name: str) -> dict[str, float]:
        """Milliseconds for 1 s of audio that each measured peak allows, and "mixed", each part by its own.

        A part's own is that of its precision, or float32's, which is higher where a processor lacks instructions.
        """
        parts = self.operations[name]
        whole = {kind: 1000 * sum(parts.values()) / peak for kind, peak in self.peaks.items()}
        own = {kind: max(peak, self.peaks["fp32"]) for kind, peak in self.peaks.items()}
        return {**whole, "mixed": 1000 * sum(count / own[kind] for kind, count in parts.items())}

    def targets(self) -> Iterable[tuple[str, str, str]]:
        """What is aimed at, the figure to reach, and the one measured."""
        if ratio := self.faster("default", COMPARED):
            yield "dser-base: times faster than wav2vec2-base eager, 30 s", f"≥ {FASTER_TARGET}", f"{ratio:.1f}"
        if ratio := self.faster("wav2vec2-large-ours", COMPARED, "wav2vec2-large-eager"):
            yield "wav2vec2-large: ours, times faster than eager, 30 s", f"≥ {LARGE_TARGET}", f"{ratio:.1f}"
        if "wav2vec2-large-ours" in self.operations and (ms := self.times["wav2vec2-large-ours"].ms(COMPARED)):
            share = 100 * self.allowed_ms("wav2vec2-large-ours")["mixed"] / ms
            yield (
                "wav2vec2-large: share of the measured 8-bit and bfloat16 peaks",
                f"≥ {SHARE_TARGET} %",
                f"{share:.0f} %",
            )
        if self.exponent is not None:
            yield "growth of the cost with length, exponent", f"≤ {EXPONENT_TARGET}", f"{self.exponent:.3f}"
        if self.command:
            took = statistics.median(self.command)
            yield "`dser emote`, 3 s of speech, start to finished file", f"≤ {COMMAND_TARGET} s", f"{took:.2f} s"


def markdown(results: Results) -> str:
    """All tables."""
    parts = [results.machine, _costs(results), _needs(results)]
    if results.operations:
        parts.append(_roofline(results))
    if results.exponent is not None:
        parts.append(_growth(results))
    parts.append(_table(("target", "aimed at", "measured"), results.targets()))
    return "\n\n".join(parts) + "\n"


def _costs(results: Results) -> str:
    def cell(name: str, case: Case) -> str:
        ms, ratio = results.times[name].ms(case), results.faster(name, case)
        if ms is None:
            return results.times[name].reasons.get(case.name, "–").partition(":")[0]
        return f"{_three(ms)} ({_three(ratio)}×)" if ratio else _three(ms)

    head = ("ms for 1 s of audio", *(case.name for case in results.cases))
    rows = [(SUBJECTS[name].label, *(cell(name, case) for case in results.cases)) for name in results.times]
    words = f"In brackets: how many times less than {SUBJECTS[REFERENCE].label} in the same column."
    if any(times.reasons for times in results.times.values()):
        words += " Too long: would take many minutes. Needs GiB: more memory than was free."
    notes = {
        f"- {SUBJECTS[name].label}: {reason}."
        for name, times in results.times.items()
        for reason in times.reasons.values()
        if ":" in reason
    }
    return "\n\n".join([_table(head, rows), words, *(["\n".join(sorted(notes))] if notes else [])])


def _needs(results: Results) -> str:
    def start(times: Times) -> str:
        if not times.starts:
            return "–"
        usual, first = statistics.median(times.starts), times.starts[0]
        return f"{usual:.1f} s" + (f" (first {first:.0f} s)" if first > 2 * usual + 1 else "")

    def peak(times: Times, case: Case) -> str:
        return f"{times.peaks[case.name]:.0f}" if case.name in times.peaks else "–"

    head = ("peak memory, MiB", *(case.name for case in results.cases), "start to first result")
    rows = [
        (SUBJECTS[name].label, *(peak(times, case) for case in results.cases), start(times))
        for name, times in results.times.items()
    ]
    return _table(head, rows)


def _roofline(results: Results) -> str:
    said = ", ".join(f"{KINDS[kind]} {peak / 1e9:.0f}" for kind, peak in results.peaks.items())
    useful = {"mixed"} | {kind for kind, peak in results.peaks.items() if peak >= results.peaks["fp32"]}
    head = ("network", "10⁹ for 1 s", "in 8 bits", *KINDS.values(), "by parts", "measured", "share of that")
    head = (*head, "of bfloat16", "of 8 bits")
    rows = []
    for name, parts in results.operations.items():
        allowed, ms = results.allowed_ms(name), results.times[name].ms(COMPARED)
        shares = [
            f"{100 * allowed[kind] / ms:.0f} %" if ms and kind in useful else "–" for kind in ("mixed", "bf16", "int8")
        ]
        total = sum(parts.values())
        figures = [f"{total / 1e9:.2f}", f"{100 * parts['int8'] / total:.0f} %"]
        figures += [_three(allowed[kind]) if kind in useful else "–" for kind in (*KINDS, "mixed")]
        rows.append((SUBJECTS[name].label, *figures, _three(ms) if ms else "–", *shares))
    words = (
        f"Largest matrix products measured, 10⁹ operations a second: {said}. What a network's own operations for 1 s "
        "of audio take at that, in ms: in one precision, and by parts, what can be in 8 bits, the rest in bfloat16, or "
        f"in float32 where that is faster. Measured: at {COMPARED.name}."
    )
    return f"{words}\n\n{_table(head, rows)}"


def _growth(results: Results) -> str:
    def row(case: Case) -> tuple[str, ...]:
        ms, peak = results.growth.ms(case), results.growth.peaks.get(case.name)
        return case.name, f"{_three(ms)}" if ms else "–", f"{peak:.0f}" if peak else "–"

    table = _table(("dser-base", "ms for 1 s of audio", "peak memory, MiB"), map(row, results.lengths))
    words = f"The cost grows as length to the {results.exponent:.3f}"
    if results.long_exponent is not None:
        words += f"; from {COMPARED.name} on, where all have windows that overlap, to the {results.long_exponent:.3f}"
    return f"{table}\n\n{words}."


def _three(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
