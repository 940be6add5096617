"""What the panel costs inside the real Kit, with a line of ten minutes and five hundred keys: a markdown table.

    OMNI_KIT_ACCEPT_EULA=yes python benchmarks/panel.py

Needs what the tests inside Kit need (tests/kit/README.md), and `python bootstrap.py kit`. Kit's own frame, drawn by the
processor here, is measured beside it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "kit"))

import lab

from dser_ext.emotion.edits import EditedKeys
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.track import EmotionTrack
from dser_ext.envelope import Envelope
from dser_ext.panel.document import Document, save_session

SECONDS, KEYS = 600, 500


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        line = Path(folder, "long.dser.json")
        save_session(long_line(), line)
        home = lab.build(Path(os.environ.get("KIT_LAB", f"{folder}/lab")))
        environment = {"KIT_LINE": str(line), "DSER_RUN_DIR": f"{folder}/run"}
        settings = {"/exts/omni.ui/width": 1000, "/exts/omni.ui/height": 860}
        code, log = lab.run(home, Path(__file__).with_name("kit") / "dser.kit_times", settings, environment)
        found = re.search(r"^TIMES (.*)$", log, re.M)
        if code or found is None:
            sys.exit(log)
    times = json.loads(found[1])
    print(f"{SECONDS // 60} minutes, {KEYS} keys, {len(A2F_EMOTIONS)} curves, {times['width']} pixels wide\n")
    print("| | median | 95 of 100 are faster than |\n|---|---|---|")
    print(f"| the panel is open after the extension has started | {1000 * times['opened']:.0f} ms | |")
    for name, taken in times["redrawn"].items():
        seen, kind = name.split()
        row(f"redraw, {seen} s seen, {'ten curves and keys' if kind == 'face' else 'six curves with bands'}", taken)
    row("drag of a key: event to picture", times["drag"])
    row(f"the panel's part of a frame while all keys are made anew ({len(times['remade'])} frames)", times["remade"])
    row("a whole frame of Kit in which a key is dragged", times["frames"])
    row("a whole frame of Kit in which nothing is done", times["idle"])


def row(name: str, taken: list[float]) -> None:
    middle, most = 1000 * np.percentile(taken, (50, 95))
    print(f"| {name} | {middle:.1f} ms | {most:.1f} ms |")


def long_line() -> Document:
    """Moods of some seconds each, with keys all over."""
    random = np.random.default_rng(0)
    frames = SECONDS * 50
    raw = np.full((frames, 6), 0.3)
    for start in range(0, frames, 250):
        raw[start : start + 250, random.integers(6)] += random.uniform(1, 5)
    window = np.hanning(41) / np.hanning(41).sum()
    concentration = np.stack([np.convolve(column, window, "same") for column in raw.T], axis=1)
    track = EmotionTrack(np.arange(frames) / 50, np.maximum(concentration, 0.05))
    document = Document("long.wav", track=track)
    assert document.curves is not None
    at = np.sort(random.choice(np.arange(1, SECONDS * 30), KEYS - 2, replace=False))
    times = np.concatenate([[0], at, [SECONDS * 30]]) / 30
    columns = [np.interp(times, document.curves.times, column) for column in document.curves.values.T]
    loud = (random.random(20_000) * np.abs(np.sin(np.arange(20_000) / 37))).astype(np.float32)
    edited = EditedKeys.untouched(Keyframes(times, np.clip(np.stack(columns, axis=1), 0, 1)))
    return Document("long.wav", track=track, edited=edited, waveform=Envelope(-loud, loud, float(SECONDS)))


if __name__ == "__main__":
    main()
