"""What a worker does with one line: hear it, unless that was done before, and write it as it is to be shown."""

from __future__ import annotations

import faulthandler
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.audio import Audio, AudioFile
from dser_ext.batch.faces import Face, animate_line
from dser_ext.batch.store import delivered, fetched, stamp
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import Audio2FaceError, AudioError, DserError, DserWarning
from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.track_json import Performance
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import VOICE_HINT, Recognizer, note_on
from dser_ext.recognition.voice import VoiceProfile
from dser_ext.steps import result

READINGS = 3  # of a file that changes while it is read; then it is left for another time
SETTLING_SECONDS = 0.5
SILENCE_SECONDS = 300.0  # without progress, after which a line is given up; each window of 4 s heard is progress
HUNG = 1
"""Exit code of a process that was ended for that; it is the watch's own."""


@dataclass(frozen=True, eq=False)
class Heard:
    """A line's features, so that it is heard once whatever is made of it later.

    audio: SHA-256 of the file. speech: (F,) bool. frames: float16, as `Hearing.kept`. note: where it ends early.
    profile: what it tells about its speaker, if it tells anything.
    """

    audio: str
    seconds: float
    note: str | None
    speech: np.ndarray[Any, np.dtype[np.bool_]]
    frames: bytes
    profile: VoiceProfile | None


@dataclass(frozen=True, eq=False)
class Task:
    """A line to be worked on.

    heard: of an earlier hearing. results: where to write, by format; none if it is to be heard only. animations: the
    same, of what the face makes of it.
    """

    name: str
    source: str
    heard: Heard | None = None
    voice: VoiceProfile | None = None
    style: Style = field(default_factory=Style)
    fps: float = 30.0
    tolerance: float = 0.02
    results: Mapping[str, str] = field(default_factory=dict)
    animations: Mapping[str, str] = field(default_factory=dict)
    face: Face | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a task. error: why nothing did. heard: if it was heard now. statistics: if it was written.

    unanswered: whether it is Audio2Face that failed.
    """

    name: str
    error: str | None = None
    heard: Heard | None = None
    note: str | None = None
    statistics: Mapping[str, Any] | None = None
    hear_seconds: float = 0.0
    tell_seconds: float = 0.0
    unanswered: bool = False


class KnownAudio(Audio):
    """A sound that was heard before; it is not read again."""

    def __init__(self, path: str, heard: Heard) -> None:
        self.path = self._name = path
        self.seconds, self.note = heard.seconds, heard.note
        self.sha256 = heard.audio


def work_on(task: Task, recognizer: Recognizer, silence_seconds: float = SILENCE_SECONDS) -> Outcome:
    """Do a task; whatever is wrong with its line is in the outcome.

    A line that makes no progress for so long ends the process, with the exit code `HUNG`: nothing else can.
    """
    try:
        with warnings.catch_warnings(), _watched(silence_seconds) as alive:
            warnings.simplefilter("ignore", DserWarning)  # they come back as notes
            return _work_on(task, recognizer, alive)
    except Audio2FaceError as error:
        return Outcome(task.name, f"{task.source}: {error}", unanswered=True)
    except DserError as error:
        return Outcome(task.name, str(error))
    except MemoryError:
        return Outcome(task.name, f"{task.source}: too little memory for it; free some, or run fewer --jobs")
    except Exception as error:  # whatever one line does, the others go on
        said = f"{type(error).__name__}: {error}"
        return Outcome(task.name, f"{task.source}: failed unexpectedly ({said}); please report this with the file")


@contextmanager
def _watched(silence_seconds: float) -> Iterator[Callable[[], None]]:
    """What says that there is progress. The watch needs no Python to run: a decoder may hold the interpreter."""
    last = 0.0

    def alive() -> None:
        nonlocal last
        if (now := time.monotonic()) - last > 1:
            last = now
            faulthandler.dump_traceback_later(silence_seconds, exit=True, file=nowhere)

    with Path(os.devnull).open("w") as nowhere:
        alive()
        try:
            yield alive
        finally:
            faulthandler.cancel_dump_traceback_later()


def _work_on(task: Task, recognizer: Recognizer, alive: Callable[[], None]) -> Outcome:
    began = time.perf_counter()
    new = None
    if task.heard is None:
        hearing, new = _hear(task.source, recognizer, alive)
    else:
        hearing = heard_again(task.source, task.heard, recognizer)
    heard_at = time.perf_counter()
    if not (task.results or task.animations):
        return Outcome(task.name, heard=new, note=hearing.audio.note, hear_seconds=heard_at - began)
    track = result(recognizer.track_in_steps(hearing, task.voice), alive)
    performance = result(Performance.in_steps(track, task.style, task.fps, task.tolerance), alive)
    for name, path in task.results.items():
        with delivered(path) as place:
            TRACK_FORMATS[name].write(performance, place)
        alive()
    if task.face and task.animations:
        animate_line(task.source, hearing.audio.sha256, performance.keyframes, task.face, task.animations, alive)
    note = hearing.audio.note or note_on(hearing, track)
    return Outcome(
        task.name,
        heard=new,
        note=None if note == VOICE_HINT else note,
        statistics=statistics(performance, hearing),
        hear_seconds=heard_at - began,
        tell_seconds=time.perf_counter() - heard_at,
    )


def _hear(source: str, recognizer: Recognizer, alive: Callable[[], None]) -> tuple[Hearing, Heard]:
    """Hear a file that stays the same while it is read."""
    for _ in range(READINGS):
        try:
            before = stamp(source)
            with fetched(source) as place:
                audio = AudioFile(place, source)
                hearing = result(recognizer.hear_in_steps(audio), alive)
                sha256 = audio.sha256
            if stamp(source) == before:
                break
        except OSError as error:
            reason = error.strerror or str(error)
            raise AudioError(f"{source}: cannot be read ({reason}); check its name and permissions") from error
        except AudioError:
            if not _changed(source, before):
                raise
        time.sleep(SETTLING_SECONDS)
    else:
        raise AudioError(f"{source}: changed while it was read; run again when it is finished")
    kept = Heard(sha256, audio.seconds, audio.note, hearing.speech, hearing.kept(), hearing.profile)
    return hearing, kept


def _changed(source: str, before: str) -> bool:
    try:
        return stamp(source) != before
    except OSError:
        return False


def heard_again(source: str, heard: Heard, recognizer: Recognizer) -> Hearing:
    """The hearing of a line from what was kept of it."""
    return Hearing.again(KnownAudio(source, heard), heard.frames, heard.speech, recognizer.bundle)


def statistics(performance: Performance, hearing: Hearing) -> dict[str, Any]:
    """What a report tells of a line.

    seconds, speech_seconds; keys; mean: of the six emotions over time; uncertainty: the mean spread (std) of an emotion
    over time where speech is, 0 to 0.5; strongest: the emotion with the largest mean.
    """
    track = performance.track
    spoken = hearing.speech[: len(track.times)]
    std = track.std[: len(spoken)][spoken] if spoken.any() else track.std
    mean = track.mean.mean(axis=0)
    return {
        "seconds": round(track.seconds, 3),
        "speech_seconds": round(min(float(spoken.sum()) / FRAME_RATE, track.seconds), 3),
        "keys": len(performance.keyframes.times),
        "mean": [round(float(share), 4) for share in mean],
        "strongest": EMOTIONS[int(mean.argmax())],
        "uncertainty": round(float(std.mean()), 4),
    }
