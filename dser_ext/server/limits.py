"""How much the relay takes, and how long it waits; Audio2Face-3D's own figures where it has one."""

from __future__ import annotations

from dataclasses import dataclass

from dser_ext.audio2face.protocol import MAX_CLIP_SECONDS, MAX_MESSAGE_SECONDS


@dataclass(frozen=True)
class Limits:
    """Of one relay."""

    sample_rates: tuple[int, int] = (16_000, 144_000)  # Hz
    message_seconds: float = MAX_MESSAGE_SECONDS  # of sound in one message
    clip_seconds: float = MAX_CLIP_SECONDS
    message_bytes: int = 4 << 20  # that come in; 10 s at 144 kHz are 2.9 MB
    keys: int = 36_000  # of the client, in one clip: 120 a second
    streams: int = 16  # at once
    idle_seconds: float = 30.0  # between messages of the client, or of Audio2Face while it owes an answer
    call_seconds: float = 900.0  # a clip of 300 s coming in and going out at the pace of speech, and some more
    connect_seconds: float = 3.0  # until Audio2Face answers
    linger_seconds: float = 2.0  # that an answer which is complete may stay open
    drain_seconds: float = 30.0  # that running streams have when the relay is told to stop
    voices: int = 64  # learned, of which those not heard for longest are forgotten
    voice_lines: int = 32  # kept of each, the latest


@dataclass(frozen=True)
class ServiceLimits:
    """Of our own service."""

    calls: int = 256  # at once, those that wait for a turn among them
    message_bytes: int = 4 << 20  # that come in; a voice is the largest
    audio_bytes: int = 1 << 20  # in one message
    voice_lines: int = 2000  # of one voice
    clip_bytes: int = 4 << 30  # of one line, which waits on disk
    push_seconds: float = 3600.0  # of one line for Audio2Face, which is held in memory
    idle_seconds: float = 30.0  # between messages of the caller, and for it to read one
    drain_seconds: float = 30.0  # that running calls have when the service is told to stop
    waveform_bins: int = 20_000
    part_bytes: int = 1 << 20  # of a file that goes out, in one message
