"""dser.track/1: a line's emotion track, the style it is shown in, and its keyframes, as one JSON document."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.reduction import fewest_keyframes
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import AudioInfo, EmotionTrack, ModelInfo, VoiceInfo
from dser_ext.errors import FormatError
from dser_ext.formats.files import written_whole

SCHEMA = "dser.track/1"
MAX_BYTES = 1 << 30  # some thirty hours of track
_ROWS = 4096  # rows put into text at a time


@dataclass(frozen=True)
class Performance:
    """A track as it is to be shown: the style, the frame rate, and the keys that follow the style's curves."""

    track: EmotionTrack
    style: Style
    fps: float
    keyframes: Keyframes

    @classmethod
    def of(cls, track: EmotionTrack, style: Style | None = None, fps: float = 30, tolerance: float = 0.02) -> Performance:
        """Style a track and reduce it to the fewest keys within `tolerance` of its curves."""
        style = style or Style()
        return cls(track, style, fps, fewest_keyframes(style.apply(track, fps), tolerance))

    @property
    def curves(self) -> Curves:
        """The ten curves that the keys follow."""
        return self.style.apply(self.track, self.fps)


def write_track(performance: Performance, path: str | os.PathLike[str]) -> None:
    """Write the document, whole or not at all, in pieces: two hours never become one string.

    Values keep six significant digits, times the microsecond. Raises FormatError if the file cannot be written.
    """
    with written_whole(path) as file:
        _write(performance, file)


def _write(performance: Performance, file: IO[str]) -> None:
    track, keys = performance.track, performance.keyframes
    head = {
        "schema": SCHEMA,
        "audio": asdict(track.audio) if track.audio else None,
        "model": asdict(track.model) if track.model else None,
        "voice": asdict(track.voice) if track.voice else None,
        "emotions": EMOTIONS,
    }
    file.write(json.dumps(head, ensure_ascii=False)[:-1])
    _write_times(file, '"times"', track.times)
    for name, rows in (("concentration", track.concentration), ("mean", track.mean), ("std", track.std)):
        _write_rows(file, f'"{name}"', rows)
    settings = {"style": performance.style.to_json(), "fps": performance.fps}
    file.write(",\n" + json.dumps(settings, ensure_ascii=False)[1:-1])
    file.write(',\n"keyframes": {' + json.dumps({"names": A2F_EMOTIONS})[1:-1])
    _write_times(file, '"times"', keys.times)
    _write_rows(file, '"values"', keys.values)
    file.write("}}\n")


def _write_times(file: IO[str], name: str, times: NDArray[np.float64]) -> None:
    file.write(f",\n{name}: [")
    _write_joined(file, (json.dumps(round(seconds, 6)) for seconds in times.tolist()))
    file.write("]")


def _write_rows(file: IO[str], name: str, rows: NDArray[np.float32]) -> None:
    row = "[" + ", ".join(["%.6g"] * rows.shape[1]) + "]"
    file.write(f",\n{name}: [")
    _write_joined(file, (row % tuple(values) for part in _parts(rows) for values in part.tolist()))
    file.write("]")


def _parts(rows: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]


def _write_joined(file: IO[str], texts: Iterable[str]) -> None:
    for index, text in enumerate(texts):
        file.write(", " + text if index else text)


def read_track(path: str | os.PathLike[str]) -> Performance:
    """Read a document back. Raises FormatError if it is unreadable, of another schema, or does not fit together."""
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise FormatError(f"{path}: too large for a track (over {MAX_BYTES >> 20} MiB)")
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error}); check the name") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not a JSON document; expected a track written by dser emote") from error
    try:
        return _performance(document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{path}: the track is incomplete or damaged ({error!r}); make it anew") from error
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _performance(document: Any) -> Performance:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise FormatError(f'not a {SCHEMA} document; expected a track written by "dser emote"')
    if document["emotions"] != list(EMOTIONS) or document["keyframes"]["names"] != list(A2F_EMOTIONS):
        raise FormatError("the emotions are not those of this version")
    track = EmotionTrack(
        _array(document["times"], np.float64),
        _array(document["concentration"], np.float32),
        audio=AudioInfo(**document["audio"]) if document["audio"] else None,
        model=ModelInfo(**document["model"]) if document["model"] else None,
        voice=VoiceInfo(**document["voice"]) if document["voice"] else None,
    )
    keys = document["keyframes"]
    keyframes = Keyframes(_array(keys["times"], np.float64), _array(keys["values"], np.float32))
    return Performance(track, Style.from_json(document["style"]), float(document["fps"]), keyframes)


def _array(values: ArrayLike, dtype: type) -> NDArray[Any]:
    return np.asarray(values, dtype)
