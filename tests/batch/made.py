"""Lines of real speech for batches, and what came of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from dser_ext.audio import read

VOICE = sorted((Path(__file__).parents[2] / "samples" / "voice").glob("*.ogg"))


def short_line(path: Path, source: Path = VOICE[0], start: float = 0.2) -> Path:
    """A second of real speech."""
    path.parent.mkdir(parents=True, exist_ok=True)
    speech = read(source)[int(start * 16000) :][:16000]
    with path.open("wb") as file:  # whatever it is called
        soundfile.write(file, speech, 16000, subtype="PCM_16", format=path.suffix[1:].upper())
    return path


def tone(path: Path) -> Path:
    """No speech."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(16000) / 10), 16000)
    return path


def results(folder: Path) -> dict[str, bytes]:
    """All results in a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".dser" not in path.relative_to(folder).parts
    }
