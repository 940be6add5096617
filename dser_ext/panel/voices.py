"""The voice that a line is measured against, as the animator chooses it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dser_ext.errors import VoiceError
from dser_ext.panel.document import FOLDER, NO_VOICE, PROFILE, Voice

if TYPE_CHECKING:
    from dser_ext.client import Client

SOUNDS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".m4a", ".mp4", ".webm")
MOST_LINES = 200  # of a folder; a voice is known long before


@dataclass(frozen=True)
class Heard:
    """A voice. data: what its file holds, b"" for none. lines, seconds: heard of it. advice: what is missing still."""

    data: bytes = b""
    lines: int = 0
    seconds: float = 0.0
    advice: str = ""


class Voices:
    """Voices that were made before, so that a folder is heard once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Heard] = {}

    def of(
        self,
        voice: Voice,
        line: str,
        session: Sequence[str],
        client: Client,
        report: Callable[[str, float, float], None],
    ) -> Heard:
        """The voice for a line; lines of a folder and of the session count without the line itself.

        Raises VoiceError if what was chosen cannot be used, and ServiceError if the service is gone.
        """
        from dser_ext.client import LearnVoice

        if voice.kind == NO_VOICE:
            return Heard()
        if voice.kind == PROFILE:
            return Heard(_profile(voice.path))
        lines = sounds_in(voice.path)[:MOST_LINES] if voice.kind == FOLDER else [each for each in session if each]
        others = [each for each in lines if not _same(each, line)]
        if not others:
            return Heard(advice="no other line of this character yet: open some more of them")
        key = tuple((each, _stamp(each)) for each in others)
        if key not in self._known:
            report("voice", 0.0, 0.0)
            learned = client.call(LearnVoice(others, name=Path(voice.path).name or "session"), report=report)
            self._known[key] = Heard(learned.voice, learned.info.lines, learned.info.seconds, learned.advice)
        return self._known[key]


def sounds_in(folder: str | os.PathLike[str]) -> list[str]:
    """Sound files in a folder, by name. Raises VoiceError if it cannot be read."""
    try:
        return sorted(str(path) for path in Path(folder).iterdir() if path.suffix.lower() in SOUNDS and path.is_file())
    except (OSError, ValueError) as error:
        raise VoiceError(
            f"{folder}: is no folder that can be read; choose the one with the character's lines"
        ) from error


def _profile(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise VoiceError(f"{path}: no voice profile can be read there; choose another, or none") from error


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
