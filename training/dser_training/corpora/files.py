"""Finding a corpus' files under its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
MEDIA = (*SOUNDS, ".mp4")  # best first: what is decoded already, then what is compressed least


def media(folder: Path, pattern: str = "*", suffixes: tuple[str, ...] = SOUNDS) -> list[Path]:
    """Files with one of the suffixes, sorted, but for hidden ones: archives made on a Mac have a ._ stub a clip."""
    found = (path for path in folder.rglob(pattern) if path.suffix.lower() in suffixes)
    return sorted(path for path in found if not path.name.startswith("."))


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """One file for each name without suffix, the best of MEDIA (CREMA-D is published as WAV and as MP3)."""
    return {path.stem: path for path in sorted(paths, key=lambda path: -MEDIA.index(path.suffix.lower()))}


def table(folder: Path, name: str) -> Path | None:
    """The file of this name anywhere under the folder."""
    return min(folder.rglob(name), default=None)
