"""Recognition by a service in place of this process, for commands that can do either."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from dser_ext.emotion.style import Style
from dser_ext.errors import DserError, DserWarning
from dser_ext.formats.track_json import Performance

if TYPE_CHECKING:
    from dser_ext.client.blocking import Client
    from dser_ext.recognition.voice import VoiceLines, VoiceProfile

AT_ONCE = 4  # lines on their way to the service


def performances(
    client: Client, options: argparse.Namespace, style: Style
) -> Iterator[tuple[int, Performance | DserError]]:
    """Index and performance of each line, or what was wrong with it; voices and warnings are as in this process."""
    from dser_ext.recognition.recognizer import advise, load_voice

    speaker = Speaker(client, options.model or "")
    voice: VoiceProfile | VoiceLines | None = None
    if options.same_voice:
        voice, _ = speaker.voice(options.audio, "the other lines")
        if voice.profile is not None and voice.profile.lines > 1:
            advise(speaker, voice.profile, "the same voice")
    elif options.voice is not None:
        voice = load_voice(speaker, options.voice)
    return _told(client, options, style, voice)


def _told(
    client: Client, options: argparse.Namespace, style: Style, voice: VoiceProfile | VoiceLines | None
) -> Iterator[tuple[int, Performance | DserError]]:
    from dser_ext.client.requests import Presentation, Recognize

    presentation = Presentation(style, options.fps, options.tolerance)

    def recognized(path: str) -> tuple[Performance, list[str]] | DserError:
        try:
            request = Recognize(path, voice=_against(voice, path), model=options.model or "", presentation=presentation)
            line = client.call(request)
            return Performance(line.track, style, options.fps, line.keyframes), line.notes
        except DserError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as senders, closing(client):  # in this order: Ctrl-C waits for no line
        for index, done in enumerate(senders.map(recognized, options.audio)):
            if isinstance(done, DserError):
                yield index, done
                continue
            for note in done[1]:
                warnings.warn(note, DserWarning, stacklevel=2)
            yield index, done[0]


def _against(voice: VoiceProfile | VoiceLines | None, path: str) -> bytes:
    """The voice that a line is measured against, in which it does not count itself."""
    from dser_ext.audio import AudioFile
    from dser_ext.recognition.voice import VoiceLines

    known = voice.without(AudioFile(path).sha256) if isinstance(voice, VoiceLines) else voice
    return known.to_bytes() if known is not None else b""


class Speaker:
    """Learns voices through the service, as a Recognizer does here."""

    def __init__(self, client: Client, model: str) -> None:
        self._client, self._model = client, model

    def voice(self, lines: Iterable[str | os.PathLike[str]], name: str) -> tuple[VoiceLines, list[DserError]]:
        """As `Recognizer.voice`: the service hears each line by itself."""
        from dser_ext.audio import AudioFile
        from dser_ext.client.requests import LearnVoice
        from dser_ext.recognition.voice import VoiceLines, VoiceProfile

        profiles: dict[str, VoiceProfile] = {}
        errors: list[DserError] = []
        for line in lines:
            try:
                learned = self._client.call(LearnVoice([line], model=self._model))
                profiles[AudioFile(line).sha256] = VoiceProfile.from_bytes(learned.voice, os.fspath(line))
            except DserError as error:
                errors.append(error)
        return VoiceLines(name, profiles), errors

    def check(self, voice: VoiceProfile) -> None:
        """The service does, with every line."""

    def advice(self, voice: VoiceProfile) -> str | None:
        """As `Recognizer.advice`."""
        from dser_ext.client.requests import LearnVoice

        nothing: Sequence[str] = ()
        return self._client.call(LearnVoice(nothing, model=self._model, voice=voice.to_bytes())).advice or None
