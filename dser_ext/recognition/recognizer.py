"""Recognizer: lines of speech to emotion tracks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext.audio import Audio, AudioArray, AudioFile
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE, AudioInfo, EmotionTrack
from dser_ext.errors import AudioError, DserError, DserWarning, VoiceError
from dser_ext.recognition.advice import advice_on
from dser_ext.recognition.backends import Arrays, OnnxNetwork
from dser_ext.recognition.bundle import DEFAULT_MODEL, HEAD, ModelBundle
from dser_ext.recognition.devices import feature_network
from dser_ext.recognition.hearing import Frames, Hearing, hear, hear_window
from dser_ext.recognition.speech import HOP, held, speech_frames
from dser_ext.recognition.voice import VoiceLines, VoiceProfile
from dser_ext.steps import result

BLOCK_FRAMES = 6_000  # of the head: with context on either side smaller ones cost more, larger ones hold more memory
SHORT_SECONDS = 0.3  # too little to tell an emotion from
VOICE_HINT = (
    "without a voice, speech is measured against a generic one; other lines of the same speaker make it surer "
    "(--voice FOLDER or --same-voice; in Python voice=FOLDER)"
)


class Recognizer:
    """A loaded model. Making one costs some tenths of a second; keep it for many lines.

    model: a shipped model's name or a model folder. device: "auto", "cpu", "cuda" or "tensorrt".
    threads: as of `feature_network`. May be used from several threads at once.
    Raises ModelError if the model is missing or damaged, or the device cannot be had.
    """

    def __init__(self, model: str | os.PathLike[str] = DEFAULT_MODEL, device: str = "auto", threads: int = 0) -> None:
        self.bundle = ModelBundle.open(model)
        with ThreadPoolExecutor(1) as beside:  # loading both takes the time of one
            # Of tiny steps: none for a GPU, and no order of them is faster (EXPERIMENTS.md).
            head = beside.submit(OnnxNetwork, self.bundle.folder / HEAD, threads=threads, as_is=True)
            self._features = feature_network(self.bundle, device, threads)
            self._head = head.result()
        self._nonspeech = np.asarray(self.bundle.card["nonspeech_concentration"], np.float32)

    @property
    def device(self) -> str:
        """That it runs on: "cpu", "cuda" or "tensorrt"."""
        return self._features.device

    def warm(self) -> None:
        """Run both networks once, so that the first line is as fast as the others."""
        self.tell(self.hear_window(np.zeros(FRAME_RATE * HOP, np.float32)))

    def hear(self, audio: Audio) -> Hearing:
        """Run the feature network over a line, once; a voice profile later costs only the head. Raises AudioError."""
        return result(self.hear_in_steps(audio))

    def hear_in_steps(self, audio: Audio) -> Generator[float, None, Hearing]:
        """As `hear`, a few windows at a time, saying between them how many seconds of the line were heard."""
        return hear(audio, self._features, self.bundle)

    def track(self, hearing: Hearing, voice: VoiceProfile | VoiceLines | None = None) -> EmotionTrack:
        """The emotion track of a line, measured against a voice if there is one.

        voice: of VoiceLines, those count that are not this line.

        Warns (DserWarning) about a line without speech, too short to tell, or without a voice. Raises VoiceError if
        the voice was made with another model.
        """
        track = result(self.track_in_steps(hearing, voice))
        if note := note_on(hearing, track):
            _warn(note)
        return track

    def track_in_steps(
        self, hearing: Hearing, voice: VoiceProfile | VoiceLines | None = None
    ) -> Generator[float, None, EmotionTrack]:
        """As `track`, two minutes at a time, saying between them how many seconds were told; without a warning."""
        profile = voice.without(hearing.audio.sha256) if isinstance(voice, VoiceLines) else voice
        if profile is not None:
            self.check(profile)
        audio, concentration = hearing.audio, (yield from self._concentration(hearing, profile))
        count = max(1, int(np.ceil(round(audio.seconds * FRAME_RATE, 6))))
        concentration = np.pad(concentration[:count], ((0, max(0, count - len(concentration))), (0, 0)), mode="edge")
        return EmotionTrack(
            np.arange(count) / FRAME_RATE,
            concentration,
            audio=AudioInfo(audio.path, audio.sha256, round(audio.seconds, 6)),
            model=self.bundle.info,
            voice=profile.info if profile else None,
        )

    def concentration(self, hearing: Hearing, voice: VoiceProfile | None = None) -> NDArray[np.float32]:
        """The concentrations of the hearing's frames, (F, 6), held through pauses; the voice is not checked."""
        return result(self._concentration(hearing, voice))

    def hear_window(self, samples: Frames) -> Frames:
        """Frames of samples (320 n,) heard by themselves: features and the probability of speech, (n, D + 1)."""
        return hear_window(self._features, samples)

    def tell(self, frames: Frames, voice: VoiceProfile | None = None) -> NDArray[np.float32]:
        """The concentrations of frames (F, D + 1) as `hear_window` gives them, (F, 6), held through pauses."""
        speech = speech_frames(frames[:, -1])
        return held(self._told(frames[:, :-1], speech, self._voice_inputs(voice)), speech, self._nonspeech)

    def voice(self, lines: Iterable[str | os.PathLike[str]], name: str) -> tuple[VoiceLines, list[DserError]]:
        """The voice of all lines that have speech, and what was wrong with those that could not be heard.

        Warns (DserWarning) about lines without enough speech. The same line twice counts once.
        """
        profiles: dict[str, VoiceProfile] = {}
        errors: list[DserError] = []
        for line in lines:
            try:
                hearing = self.hear(AudioFile(line))
            except DserError as error:
                errors.append(error)
                continue
            if hearing.profile is None:
                _warn(f"{line}: too little speech to tell a voice from, so it was left out")
            else:
                profiles[hearing.audio.sha256] = hearing.profile
        return VoiceLines(name, profiles), errors

    def check(self, voice: VoiceProfile) -> None:
        """Raise VoiceError if a voice was not made with this model."""
        if voice.features_sha256 != self.bundle.features_sha256 or voice.pieces.shape[1] != self.bundle.feature_size:
            raise VoiceError(
                f"voice {voice.name}: made with another model than {self.bundle.name}; make it anew with dser voice"
            )

    def advice(self, voice: VoiceProfile) -> str | None:
        """What would make a voice tell more, in one sentence; None if it is well made.

        Raises VoiceError if it was made with another model.
        """
        self.check(voice)
        return advice_on(voice, self._composition(voice))

    def _composition(self, voice: VoiceProfile) -> NDArray[np.float32]:
        """What share of each emotion the voice's lines seem to have, (6,)."""
        size = self.bundle.feature_size
        frame = {"features": np.zeros((1, 1, size), np.float32), "speech": np.zeros((1, 1), np.float32)}
        return np.asarray(self._head.run({**frame, **self._voice_inputs(voice)})["composition"][0])

    def _voice_inputs(self, voice: VoiceProfile | None) -> Arrays:
        if voice is None:
            nothing = np.zeros((1, 1, self.bundle.feature_size), np.float32)
            return {"voice_lines": nothing, "voice_weights": nothing[..., 0]}
        return {"voice_lines": voice.pieces[None], "voice_weights": voice.piece_seconds[None]}

    def _concentration(
        self, hearing: Hearing, voice: VoiceProfile | None
    ) -> Generator[float, None, NDArray[np.float32]]:
        voice_inputs = self._voice_inputs(voice)
        context = self.bundle.card["context_frames"]
        concentration = np.empty((hearing.count, len(EMOTIONS)), np.float32)
        for start in range(0, hearing.count, BLOCK_FRAMES):
            if start:
                yield start / FRAME_RATE
            stop = min(start + BLOCK_FRAMES, hearing.count)
            first, last = max(0, start - context), min(hearing.count, stop + context)
            told = self._told(hearing.frames(first, last), hearing.speech[first:last], voice_inputs)
            concentration[start:stop] = told[start - first : stop - first]
        return held(concentration, hearing.speech, self._nonspeech)

    def _told(self, features: Frames, speech: NDArray[np.bool_], voice_inputs: Arrays) -> NDArray[np.float32]:
        heard = {"features": features[None], "speech": speech[None].astype(np.float32)}
        return np.asarray(self._head.run({**heard, **voice_inputs})["concentration"][0])


def recognize(
    source: str | os.PathLike[str] | ArrayLike,
    sample_rate: int | None = None,
    *,
    voice: VoiceProfile | VoiceLines | str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    device: str = "auto",
) -> EmotionTrack:
    """How the mixture of emotions changes over a line of speech, at 50 Hz.

    source: a sound file, or samples (n,) or (n, channels) with their `sample_rate` in Hz.
    voice: a VoiceProfile, a .voice file, or a folder of lines of the same speaker, of which this line itself does not
    count; None measures against a generic voice, with wider spread.

    Raises AudioError, VoiceError or ModelError, each with one sentence on what is wrong and what to do. Warns
    (DserWarning) if the sound has no speech, is very short, or ends early, and if a voice would help.
    """
    recognizer = loaded(str(model), device)
    if isinstance(source, (str, os.PathLike)):
        audio: Audio = AudioFile(source)
    elif sample_rate is None:
        raise AudioError("samples need their sample_rate in Hz")
    else:
        audio = AudioArray(source, sample_rate)
    known = load_voice(recognizer, voice) if isinstance(voice, (str, os.PathLike)) else voice
    return recognizer.track(recognizer.hear(audio), known)


@lru_cache(maxsize=2)
def loaded(model: str = DEFAULT_MODEL, device: str = "auto") -> Recognizer:
    """A Recognizer that is kept, so that the next call for the same model costs nothing. Raises ModelError."""
    return Recognizer(model, device)


class Listener(Protocol):
    """What voices are made with: a Recognizer, or something that asks one."""

    def voice(self, lines: Iterable[str | os.PathLike[str]], name: str) -> tuple[VoiceLines, list[DserError]]:
        """As `Recognizer.voice`."""

    def check(self, voice: VoiceProfile) -> None:
        """As `Recognizer.check`."""

    def advice(self, voice: VoiceProfile) -> str | None:
        """As `Recognizer.advice`."""


def load_voice(recognizer: Listener, source: str | os.PathLike[str]) -> VoiceProfile | VoiceLines:
    """The voice in a .voice file, or of the lines in a folder.

    Warns (DserWarning) about lines that cannot be heard, and if other lines would make the voice tell more. Raises
    VoiceError if there is no such file, it was made with another model, or no line has speech.
    """
    folder = Path(source)
    if not os.path.isdir(folder):  # noqa: PTH112 (Path.is_dir raises for names that are too long)
        profile = VoiceProfile.load(source)
        try:
            recognizer.check(profile)
        except VoiceError as error:
            raise VoiceError(f"{source}: {error}") from error
        advise(recognizer, profile, source)
        return profile
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise VoiceError(f"{source}: cannot be read ({error.strerror}); check its permissions") from error
    sounds = [path for path in files if path.suffix.lower() in SOUND_SUFFIXES]
    lines, errors = recognizer.voice(sounds, folder.resolve().name)
    for unheard in errors:
        _warn(str(unheard))
    if lines.profile is None:
        raise VoiceError(f"{source}: no line with speech in this folder; name a .voice file or a folder of lines")
    advise(recognizer, lines.profile, source)
    return lines


SOUND_SUFFIXES = {
    *(".wav", ".wave", ".aif", ".aiff", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".m4a", ".aac", ".mp4", ".mov", ".mka", ".webm"),
}
"""Files of a folder that are taken for lines."""


def recognize_lines(
    recognizer: Recognizer,
    sources: Sequence[str | os.PathLike[str]],
    voice: VoiceProfile | VoiceLines | None = None,
    *,
    same_voice: bool = False,
) -> Iterator[tuple[int, EmotionTrack | DserError]]:
    """Index and track of each line, or what was wrong with it, as soon as there is one.

    same_voice: the lines are one speaker's, and each is measured against all others instead of `voice`. Then the
    tracks come after all lines were heard; otherwise one by one. Warns (DserWarning) once if other lines would make
    the voice tell more.
    """
    if not same_voice:
        for index, source in enumerate(sources):
            try:
                yield index, recognizer.track(recognizer.hear(AudioFile(source)), voice)
            except DserError as error:
                yield index, error
        return
    heard: list[tuple[int, Hearing]] = []
    for index, source in enumerate(sources):
        try:
            heard.append((index, recognizer.hear(AudioFile(source))))
        except DserError as error:
            yield index, error
    profiles = {hearing.audio.sha256: hearing.profile for _, hearing in heard if hearing.profile is not None}
    lines = VoiceLines("the other lines", profiles)
    if lines.profile is not None and lines.profile.lines > 1:
        advise(recognizer, lines.profile, "the same voice")
    for index, hearing in heard:
        yield index, recognizer.track(hearing, lines)


def note_on(hearing: Hearing, track: EmotionTrack) -> str | None:
    """Why the track may not be what was expected, in one sentence; None if all is well."""
    audio = hearing.audio
    if audio.seconds < SHORT_SECONDS:
        return f"{_name(audio)}: only {audio.seconds:.2f} s long, too short to tell an emotion"
    if not hearing.speech.any():
        return f"{_name(audio)}: no speech was found in it, so its track is neutral"
    return VOICE_HINT if track.voice is None else None


def advise(recognizer: Listener, voice: VoiceProfile, source: str | os.PathLike[str]) -> None:
    """Warn (DserWarning) if other lines would make a voice tell more. source: what to call it."""
    if advice := recognizer.advice(voice):
        _warn(f"{source}: {advice}")


def _name(audio: Audio) -> str:
    return audio.path or "the array given"


def _warn(message: str) -> None:
    warnings.warn(message, DserWarning, stacklevel=3)
