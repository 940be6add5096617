"""The README's chart: what 1 s of audio costs each subject, and how the default model's cost grows with length."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dser_ext.drawing.page import DPI, MARGIN, WIDTH, own_settings
from dser_ext.emotion.colours import EMOTION_COLOURS, INK, SOFT_INK, TINT
from dser_ext.formats.files import written_whole
from timing.report import COMPARED, Results
from timing.subjects import REFERENCE, SUBJECTS

LEFT, RIGHT, TOP, BOTTOM, ROW = 2.75, 0.9, 0.78, 0.3, 0.24  # inches
OURS = EMOTION_COLOURS["disgust"]


def draw(results: Results, path: Path) -> None:
    """Draw a PNG of what was measured at 30 s; nothing if nobody was."""
    measured = {name: ms for name, times in results.times.items() if (ms := times.ms(COMPARED)) is not None}
    if not measured:
        return
    with own_settings():
        height = TOP + BOTTOM + ROW * len(measured)
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
        title = f"Milliseconds of work for 1 s of speech, in clips of {COMPARED.seconds:g} s"
        figure.text(MARGIN / WIDTH, 1 - 0.34 / height, title, size=13, weight="bold", color=INK)
        figure.text(MARGIN / WIDTH, 1 - 0.55 / height, results.machine, size=7, color=SOFT_INK)
        box = (LEFT / WIDTH, BOTTOM / height, (WIDTH - LEFT - RIGHT) / WIDTH, ROW * len(measured) / height)
        axes = figure.add_axes(box, xlim=(0, max(measured.values())), ylim=(len(measured) - 0.5, -0.5))
        _bars(axes, results, measured)
        if results.operations:
            words = "dark line: what the measured peaks of this processor's matrix products allow"
            figure.text(LEFT / WIDTH, 0.11 / height, words, size=6.5, color=SOFT_INK)
        with written_whole(path, "wb") as file:
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def _bars(axes: Axes, results: Results, measured: dict[str, float]) -> None:
    axes.spines[:].set_visible(False)
    axes.set(xticks=[], yticks=[])
    for row, (name, ms) in enumerate(sorted(measured.items(), key=lambda item: item[1])):
        subject = SUBJECTS[name]
        style = {"va": "center_baseline", "size": 7.5, "color": INK, "weight": "bold" if subject.is_ours else "normal"}
        axes.barh(row, ms, height=0.66, color=OURS if subject.is_ours else TINT, linewidth=0)
        label = subject.label.replace("**", "")
        axes.annotate(label, (0, row), (-6, 0), textcoords="offset points", ha="right", **style)
        ratio = results.faster(name, COMPARED)
        words = f"{ms:.1f}" + (f"   {ratio:.1f}×" if ratio and name != REFERENCE else "")
        axes.annotate(words, (ms, row), (5, 0), textcoords="offset points", annotation_clip=False, **style)
        if name in results.operations:
            axes.vlines(results.allowed_ms(name)["mixed"], row - 0.33, row + 0.33, color=INK, linewidth=1.2)
