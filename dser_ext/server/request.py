"""One request as it comes in, message by message: its order and limits checked, its known quirks put right.

The quirks are Maya-ACE's. It writes `out_of_breath` for `outofbreath`. And it sends one and the same key with every
chunk of sound, at the chunk's first byte divided by 16000, which is twice the time that int16 has. A key's time is
halved when it is such a double and when every chunk before brought one key, of the same values, at such a double, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from dser_ext.audio2face.protocol import AudioHeader, AudioStream
from dser_ext.server.limits import Limits
from dser_ext.server.refusal import RefusalError

MISSPELT, OUT_OF_BREATH = "out_of_breath", "outofbreath"
DOUBLED_RATE = 16_000  # bytes a second, by Maya-ACE's reckoning
DOUBLED_SLACK = 1e-6  # s


@dataclass(frozen=True)
class Piece:
    """A chunk of sound on its way.

    data: the message as it goes on, its own keys included. sound: what is in it. keys: EmotionWithTimeCode, its own.
    start, end: where it lies in the clip, in seconds.
    """

    data: bytes
    sound: bytes
    keys: tuple[Any, ...]
    start: float
    end: float

    def with_keys(self, keys: Sequence[Any]) -> bytes:
        """The message with these keys in place of its own."""
        if not keys and not self.keys:
            return self.data
        message = AudioStream.FromString(self.data)
        emotions = message.audio_with_emotion.emotions
        del emotions[:]
        emotions.extend(keys)
        return bytes(message.SerializeToString())


class Request:
    """Takes every message of a request in turn.

    header: the AudioStreamHeader, once it has come. ended: whether EndOfAudio has. Raises RefusalError from `take` as
    soon as a message breaks a rule.
    """

    def __init__(self, limits: Limits) -> None:
        self.header: Any = None
        self.ended = False
        self._limits = limits
        self._bytes = self._keys = 0
        self._static: dict[str, float] | None = {}  # the values of all keys so far while they look like Maya-ACE's

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return int(self.header.audio_header.samples_per_second)

    def take(self, data: bytes) -> Piece | None:
        """One serialized message → its sound, if it has any."""
        try:
            message = AudioStream.FromString(data)
        except DecodeError as error:
            raise RefusalError("a message that is no AudioStream; check what the client sends") from error
        part = message.WhichOneof("stream_part")
        if self.ended:
            raise RefusalError("nothing may follow EndOfAudio; start another call for another clip")
        if part is None:
            raise RefusalError("a message without content; send a header, sound or EndOfAudio")
        if (part == "audio_stream_header") != (self.header is None):
            wrong = "the header must come first" if self.header is None else "only one header is allowed"
            raise RefusalError(f"{wrong}; send the header, then sound, then EndOfAudio")
        if part == "audio_with_emotion":
            return self._piece(message, data)
        if part == "audio_stream_header":
            self._take_header(message.audio_stream_header)
        else:
            self._end()
        return None

    def _take_header(self, header: Any) -> None:
        audio = header.audio_header
        mono16 = audio.channel_count == 1 and audio.bits_per_sample == 16
        if not mono16 or audio.audio_format != AudioHeader.AUDIO_FORMAT_PCM:
            raise RefusalError("only mono 16-bit PCM is taken; convert the sound, and say so in its audio header")
        lowest, highest = self._limits.sample_rates
        if not lowest <= audio.samples_per_second <= highest:
            raise RefusalError(
                f"a sample rate of {audio.samples_per_second} Hz is not taken; resample to {lowest} to {highest} Hz"
            )
        _respell(header.emotion_params.beginning_emotion)
        self.header = header

    def _piece(self, message: Any, data: bytes) -> Piece:
        content = message.audio_with_emotion
        bytes_a_second = 2 * self.sample_rate
        size = len(content.audio_buffer)
        if size > self._limits.message_seconds * bytes_a_second:
            raise RefusalError(f"more than {self._limits.message_seconds:g} s of sound in a message; send shorter ones")
        if self._bytes + size > self._limits.clip_seconds * bytes_a_second:
            raise RefusalError(f"more than {self._limits.clip_seconds:g} s of sound; cut it into shorter clips")
        self._keys += len(content.emotions)
        if self._keys > self._limits.keys:
            raise RefusalError(f"more than {self._limits.keys} emotion keys in a clip; send fewer")
        changed = self._mend(content.emotions)
        start, self._bytes = self._bytes, self._bytes + size
        return Piece(
            message.SerializeToString() if changed else data,
            content.audio_buffer,
            tuple(content.emotions),
            start / bytes_a_second,
            self._bytes / bytes_a_second,
        )

    def _mend(self, keys: Any) -> bool:
        """Put Maya-ACE's keys right; whether anything was changed."""
        changed = False
        for key in keys:
            if not 0 <= key.time_code < math.inf:
                raise RefusalError(f"time code {key.time_code} is negative or not finite; send seconds from the start")
            changed |= _respell(key.emotion)
        if len(keys) != 1 or abs(keys[0].time_code - self._bytes / DOUBLED_RATE) > DOUBLED_SLACK:
            self._static = None
        if self._static is None:
            return changed
        values = dict(keys[0].emotion)
        if not self._bytes:
            self._static = values
        if values != self._static:
            self._static = None
            return changed
        keys[0].time_code /= 2
        return changed or self._bytes > 0

    def _end(self) -> None:
        if not self._bytes:
            raise RefusalError("no sound before EndOfAudio; send some")
        self.ended = True


def _respell(emotions: Any) -> bool:
    """Put the name right that Maya-ACE writes its own way; whether it was there."""
    if MISSPELT not in emotions:
        return False
    if OUT_OF_BREATH not in emotions:
        emotions[OUT_OF_BREATH] = emotions[MISSPELT]
    del emotions[MISSPELT]
    return True
