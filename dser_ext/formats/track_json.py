"""dser.track/1: a line's emotion track, the style it is shown in, and its keyframes, as one JSON document."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.reduction import keyframes_in_steps
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import AudioInfo, EmotionTrack, ModelInfo, VoiceInfo
from dser_ext.errors import FormatError
from dser_ext.formats.files import bytes_of, unicode_text, written_whole
from dser_ext.steps import result

SCHEMA = "dser.track/1"
MAX_BYTES = 1 << 30  # some thirty hours of track
MAX_UNTRACKED_SECONDS = 60  # of audio after the last frame of a track
LARGEST_NUMBER = 1e15  # of anything counted or timed in a document
_ROWS = 4096  # rows put into text at a time


@dataclass(frozen=True)
class Performance:
    """A track as it is to be shown: the style, the frame rate, and the keys that follow the style's curves."""

    track: EmotionTrack
    style: Style
    fps: float
    keyframes: Keyframes

    @classmethod
    def of(
        cls, track: EmotionTrack, style: Style | None = None, fps: float = 30, tolerance: float = 0.02
    ) -> Performance:
        """Style a track and reduce it to the fewest keys within `tolerance` of its curves."""
        return result(cls.in_steps(track, style or Style(), fps, tolerance))

    @classmethod
    def in_steps(
        cls, track: EmotionTrack, style: Style, fps: float, tolerance: float
    ) -> Generator[float, None, Performance]:
        """As `of`, saying between steps how many seconds have keys."""
        curves = style.apply(track, fps)
        return cls(track, style, curves.fps, (yield from keyframes_in_steps(curves, tolerance)))

    @property
    def seconds(self) -> float:
        """Length of the sound in seconds."""
        return self.track.seconds

    @property
    def sound(self) -> str:
        """The sound file, as typed; empty for samples in memory."""
        return (self.track.audio.path if self.track.audio else None) or ""

    @property
    def curves(self) -> Curves:
        """The ten curves that the keys follow."""
        return self.style.apply(self.track, self.fps)


def write_track(performance: Performance, path: str | os.PathLike[str], beside: dict[str, Any] | None = None) -> None:
    """Write the document, whole or not at all, in pieces: two hours never become one string.

    beside: more of it that readers of tracks pass over.
    Values keep six significant digits, times of the track the microsecond, and times of keys the nanosecond: where a
    curve jumps within a frame, a key half a microsecond off would be off in value by more than rounding.
    Raises FormatError if the file cannot be written.
    """
    with written_whole(path) as file:
        _write(performance, file, beside or {})


def _write(performance: Performance, file: IO[str], beside: dict[str, Any]) -> None:
    track, keys = performance.track, performance.keyframes
    head = {
        "schema": SCHEMA,
        "audio": asdict(track.audio) if track.audio else None,
        "model": asdict(track.model) if track.model else None,
        "voice": asdict(track.voice) if track.voice else None,
        "emotions": EMOTIONS,
    }
    file.write(_text(head)[:-1])
    _write_times(file, track.times, digits=6)
    for name in ("concentration", "mean", "std"):
        _write_rows(file, name, (getattr(piece, name) for piece in _pieces(track)))
    settings = {"style": performance.style.to_json(), "fps": performance.fps, **beside}
    file.write(",\n" + _text(settings)[1:-1])
    file.write(',\n"keyframes": {' + _text({"names": A2F_EMOTIONS})[1:-1])
    _write_times(file, keys.times, digits=9)
    _write_rows(file, "values", [keys.values])
    file.write("}}\n")


def _text(document: dict[str, Any]) -> str:
    """JSON with letters as they are."""
    return unicode_text(json.dumps(document, ensure_ascii=False, allow_nan=False))


def _write_times(file: IO[str], times: NDArray[np.float64], digits: int) -> None:
    file.write(',\n"times": [')
    for start in range(0, len(times), _ROWS):
        part = times[start : start + _ROWS].tolist()
        file.write((", " if start else "") + ", ".join([repr(round(seconds, digits)) for seconds in part]))
    file.write("]")


def _write_rows(file: IO[str], name: str, pieces: Iterable[NDArray[np.float32]]) -> None:
    file.write(f',\n"{name}": [')
    for index, rows in enumerate(pieces):
        row = "[" + ", ".join(["%.6g"] * rows.shape[1]) + "]"
        file.write((", " if index else "") + ", ".join([row] * len(rows)) % tuple(rows.ravel().tolist()))
    file.write("]")


def _pieces(track: EmotionTrack) -> Iterator[EmotionTrack]:
    for start in range(0, len(track.times), _ROWS):
        rows = slice(start, start + _ROWS)
        yield EmotionTrack(track.times[rows], track.concentration[rows])


def read_track(path: str | os.PathLike[str]) -> Performance:
    """Read a document back. Raises FormatError if it is unreadable, of another schema, or does not fit together."""
    try:
        document = json.loads(bytes_of(path, MAX_BYTES, "a track"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not a JSON document; expected a track written by dser emote") from error
    try:
        return _performance(document)
    except FormatError as error:
        raise FormatError(f"{path}: {error}; make the file anew with dser emote") from error


def _performance(document: Any) -> Performance:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise FormatError(f"not a {SCHEMA} document")
    keys = _field(document, "keyframes", dict)
    if document.get("emotions") != list(EMOTIONS) or keys.get("names") != list(A2F_EMOTIONS):
        raise FormatError("its emotions are not those of this version")
    track = EmotionTrack(
        _array(document, "times", np.float64),
        _array(document, "concentration", np.float32),
        audio=_origin(document, "audio", AudioInfo),
        model=_origin(document, "model", ModelInfo),
        voice=_origin(document, "voice", VoiceInfo),
    )
    if not -1 <= track.seconds - track.times[-1] <= MAX_UNTRACKED_SECONDS:
        raise FormatError(f"its {track.seconds:g} s of audio do not fit a track of {track.times[-1]:g} s")
    fps = exact_fps(_field(document, "fps", float))
    keyframes = Keyframes(_array(keys, "times", np.float64), _array(keys, "values", np.float32))
    return Performance(track, Style.from_json(document.get("style")), fps, keyframes)


_Origin = TypeVar("_Origin", AudioInfo, ModelInfo, VoiceInfo)


def _origin(document: dict[str, Any], name: str, kind: type[_Origin]) -> _Origin | None:
    if document.get(name) is None:
        return None
    values = _field(document, name, dict)
    types: dict[str, Any] = get_type_hints(kind)
    if unknown := sorted(set(values) - set(types)):
        raise FormatError(f'{reprlib.repr(unknown[0])} does not belong into its "{name}"')
    return kind(**{key: _field(values, key, expected) for key, expected in types.items()})


def _field(values: dict[str, Any], name: str, kind: Any) -> Any:
    """The value of this name if it is of this kind; whole numbers count as float."""
    value: Any = values.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if not fits or (kind is float and not abs(value) < LARGEST_NUMBER):
        raise FormatError(f'its "{name}" is missing or damaged')
    return float(value) if kind is float else value


def _array(values: dict[str, Any], name: str, dtype: type) -> NDArray[Any]:
    """The rows of numbers of this name; numpy itself would take texts and truth values, too."""
    try:
        array = np.asarray(values.get(name))
    except (ValueError, OverflowError) as error:
        raise FormatError(f'its "{name}" is damaged') from error
    if array.dtype.kind not in "iuf":
        raise FormatError(f'its "{name}" is missing or damaged')
    with np.errstate(over="ignore"):
        return array.astype(dtype)
