"""Job: what is to be made of the lines, and how each of them is to be shown."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from dser_ext.batch.faces import ANIMATIONS, Face
from dser_ext.batch.lines import Line
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.style import PRESETS, Style, style
from dser_ext.errors import FormatError
from dser_ext.formats import TRACK_FORMATS
from dser_ext.recognition.bundle import DEFAULT_MODEL

FOLDER, NONE, COLUMN = "folder", "none", "column"
"""Whose voice a line has: its folder's, nobody's, or whom the table's column "speaker" names."""

SPEAKER = "speaker"
PREFERRED_STRENGTH = 0.5  # where a table names a preferred emotion, and the style does not say how much it counts
LONGEST_STEM = 200  # bytes: room for every suffix, and for the name of the file while it is written


@dataclass(frozen=True)
class Job:
    """Settings of a run.

    formats: names of `TRACK_FORMATS`, with a face also of `ANIMATIONS`. fps, tolerance: as of `Performance.of`.
    style: of lines that no rule fits. rules: (pattern, style): of lines whose name fits; * stands for any characters,
    / among them; the last that fits counts. A column "style" of a table counts more, one "preferred" adds a mood.
    voice_by: FOLDER, NONE, COLUMN, or the name of another column. place: that lines come from.
    """

    formats: tuple[str, ...] = ("json",)
    fps: float = 30.0
    tolerance: float = 0.02
    style: Style = field(default_factory=Style)
    rules: Sequence[tuple[str, Style]] = ()
    voice_by: str = NONE
    place: str = ""
    model: str = DEFAULT_MODEL
    face: Face | None = None  # who animates the lines

    def to_json(self) -> dict[str, Any]:
        """What a report tells of it, and needs to draw a line again."""
        return {"model": self.model, "formats": self.formats, "fps": self.fps, "tolerance": self.tolerance}

    def style_of(self, line: Line) -> Style:
        """How a line is to be shown. Raises FormatError if its table names what is no style or no emotion."""
        chosen = next((style for pattern, style in reversed(self.rules) if _fits(line.name, pattern)), self.style)
        if named := line.columns.get("style"):
            chosen = _named_style(named, self.place)
        if mood := line.columns.get("preferred") or line.columns.get("preferred emotion"):
            strength = chosen.preferred_strength or PREFERRED_STRENGTH
            chosen = replace(chosen, preferred=preferred_emotions(mood), preferred_strength=strength)
        return chosen

    def voice_of(self, line: Line) -> str | None:
        """What the voice is called that a line is measured against; None for none."""
        if self.voice_by == NONE:
            return None
        if self.voice_by == FOLDER:
            folder = line.name.rpartition("/")[0]
            return folder or Path(self.place).stem or "voice"
        return line.columns.get(SPEAKER if self.voice_by == COLUMN else self.voice_by.lower()) or None

    def fingerprint(self, format_name: str, style: str, audio: str, model: str, voice: str | None) -> str:
        """Changes with all that a result depends on. style: as JSON. audio, model, voice: SHA-256 of each."""
        track = TRACK_FORMATS.get(format_name)
        written = track.version if track else repr(self.face.settings if self.face else None)
        said = format_name, written, style, self.fps, self.tolerance, audio, model, voice
        return hashlib.sha256(repr(said).encode()).hexdigest()


def output_name(line: str, format_name: str) -> str:
    """What the result of a line is called: like the line, but for the suffix; shortened if no file may be so long."""
    folder, _, name = line.rpartition("/")
    stem = PurePosixPath(name).stem
    if len(os.fsencode(stem)) > LONGEST_STEM:
        cut = os.fsencode(stem)[: LONGEST_STEM - 9].decode("utf-8", "ignore")
        stem = f"{cut}~{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}"
    track = TRACK_FORMATS.get(format_name)
    return f"{folder}/{stem}{track.suffix if track else ANIMATIONS[format_name][1]}".lstrip("/")


def preferred_emotions(text: str) -> dict[str, float]:
    """Moods as a table has them: "joy", or "joy:0.7 fear:0.2". Raises FormatError for another text."""
    moods = {}
    for word in text.replace(",", " ").replace(";", " ").split():
        name, _, share = word.partition(":")
        try:
            moods[name.lower()] = float(share or 1)
        except ValueError:
            raise FormatError(f"preferred emotion {word!r}: {share!r} is no number; write joy or joy:0.7") from None
    if unknown := sorted(set(moods) - set(A2F_EMOTIONS)):
        raise FormatError(f"preferred emotion {unknown[0]!r}: Audio2Face's are {', '.join(A2F_EMOTIONS)}")
    return moods


@lru_cache(maxsize=256)
def _named_style(named: str, table: str) -> Style:
    return style(named if named in PRESETS else Path(table).parent / named)


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern.rstrip('/')}/*")
