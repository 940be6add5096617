"""Document: one line as the panel shows it, and the session file that it is kept in (`line.dser.json`).

The file is a dser.track/1 document, so whatever reads tracks reads sessions, with the panel's own part beside it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.edits import EditedKeys
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.settings import check_number
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.envelope import Envelope
from dser_ext.errors import FormatError
from dser_ext.formats.track_json import Performance, read_track, write_track

SUFFIX = ".dser.json"
PART = "panel"
NO_VOICE, PROFILE, FOLDER, SESSION = "none", "profile", "folder", "session"
KEPT_BINS = 4000  # parts of the waveform in a session
VOICES = (NO_VOICE, PROFILE, FOLDER, SESSION)


@dataclass(frozen=True)
class Voice:
    """Whose usual a line is measured against. kind: one of VOICES. path: of the profile or folder."""

    kind: str = NO_VOICE
    path: str = ""


@dataclass(frozen=True, eq=False)
class Document:
    """A line, what was heard in it, how it is to be shown, and its keys. Never changes; every edit makes another one.

    path: of the sound. track, edited, waveform: None until the line has been recognised. pending: whether the keys do
    not follow `style`, `fps` and `tolerance` yet.
    """

    path: str = ""
    voice: Voice = field(default_factory=Voice)
    style: Style = field(default_factory=Style)
    fps: float = 30.0
    tolerance: float = 0.02
    track: EmotionTrack | None = None
    edited: EditedKeys | None = None
    waveform: Envelope | None = None
    pending: bool = False

    @property
    def seconds(self) -> float:
        """Length of the sound; 0 until it has been recognised."""
        return self.track.seconds if self.track else 0.0

    @property
    def performance(self) -> Performance | None:
        """What can be written to a file; None until the line has been recognised."""
        if self.track is None or self.edited is None:
            return None
        return Performance(self.track, self.style, self.fps, self.edited.keys)

    @cached_property
    def curves(self) -> Curves | None:
        """What the keys are made to follow where nothing is kept."""
        return self.style.apply(self.track, self.fps) if self.track else None

    def styled(self, style: Style) -> Document:
        """The same line in another style."""
        return replace(self, style=style, pending=self.track is not None)

    def keyed(self, fps: float, tolerance: float) -> Document:
        """The same line with other keys. Raises FormatError for what cannot be."""
        check_number("frames a second", fps, 1, 240)
        check_number("tolerance", tolerance, 1e-4, 0.5)
        return replace(self, fps=exact_fps(fps), tolerance=tolerance, pending=self.track is not None)

    def edit(self, edited: EditedKeys) -> Document:
        """With other keys, set by hand."""
        return replace(self, edited=edited)


def session_path(line: str | os.PathLike[str]) -> Path:
    """Where the session of a line is kept: beside the sound."""
    path = Path(line)
    return path.with_name(path.stem + SUFFIX)


def unsaved_path(line: str | os.PathLike[str]) -> Path:
    """Where changes are kept that were not saved when the panel was closed."""
    path = Path(line)
    return path.with_name(f"{path.stem}.unsaved{SUFFIX}")


def save_session(document: Document, path: str | os.PathLike[str]) -> None:
    """Write a session, whole or not at all. Raises FormatError if there is nothing yet, or it cannot be written."""
    performance = document.performance
    if performance is None or document.edited is None:
        raise FormatError(f"{path}: there is nothing to keep yet; recognise the line first")
    write_track(
        performance,
        path,
        {
            PART: {
                "path": document.path,
                "voice": {"kind": document.voice.kind, "path": document.voice.path},
                "tolerance": document.tolerance,
                "touched": np.flatnonzero(document.edited.touched).tolist(),
                "locks": [list(lock) for lock in document.edited.locks],
                "waveform": _outline(document.waveform),
            }
        },
    )


def open_session(path: str | os.PathLike[str]) -> Document:
    """Read a session, or any track of ours. Raises FormatError if it is neither."""
    performance = read_track(path)
    part = json.loads(Path(path).read_text(encoding="utf-8")).get(PART, {})
    track = performance.track
    try:
        edited = _edited(performance.keyframes, part)
        known = track.audio.path if track.audio and track.audio.path else ""
        document = Document(
            path=_beside(path, str(part.get("path", known))),
            voice=Voice(**part.get("voice", {})),
            style=performance.style,
            track=track,
            edited=edited,
            waveform=_waveform(part.get("waveform"), track.seconds),
        ).keyed(performance.fps, float(part.get("tolerance", 0.02)))
        if document.voice.kind not in VOICES:
            raise FormatError(f"there is no voice of kind {document.voice.kind!r}")
    except (FormatError, TypeError, ValueError, AttributeError, LookupError) as error:
        raise FormatError(f"{path}: is no session of this version ({error}); recognise the line anew") from error
    return replace(document, pending=False)


def _edited(keys: Keyframes, part: Any) -> EditedKeys:
    touched = np.zeros(len(keys.times), np.bool_)
    touched[[int(index) for index in part.get("touched", [])]] = True
    return EditedKeys(keys, touched, tuple((float(a), float(b)) for a, b in part.get("locks", [])))


def _outline(waveform: Envelope | None) -> dict[str, list[float]] | None:
    """A waveform as a session keeps it: coarser, and to a thousandth of full scale."""
    if waveform is None:
        return None
    starts = np.unique(np.linspace(0, len(waveform.low), KEPT_BINS, endpoint=False).astype(np.int64))
    parts = {"low": np.minimum.reduceat(waveform.low, starts), "high": np.maximum.reduceat(waveform.high, starts)}
    return {name: np.round(part.astype(np.float64), 3).tolist() for name, part in parts.items()}


def _waveform(part: Any, seconds: float) -> Envelope | None:
    if part is None:
        return None
    low, high = (np.asarray(part[name], np.float32) for name in ("low", "high"))
    if low.ndim != 1 or not len(low) or low.shape != high.shape or not np.isfinite([low, high]).all():
        raise FormatError("its waveform is damaged")
    return Envelope(low, high, seconds)


def _beside(session: str | os.PathLike[str], line: str) -> str:
    """The sound of a session, which may have moved together with it."""
    moved = Path(session).with_name(Path(line).name) if line else None
    return str(moved) if moved and not Path(line).exists() and moved.exists() else line
