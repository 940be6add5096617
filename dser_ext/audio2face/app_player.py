"""Sound to the streaming player of the Omniverse Audio2Face app (`PushAudioStream`); emotions have no place in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from dser_ext.audio2face.answer import quoted
from dser_ext.audio2face.connection import is_address
from dser_ext.audio2face.protocol import PUSH_AUDIO_STREAM, PushAudioStreamRequest, PushAudioStreamResponse
from dser_ext.errors import Audio2FaceError, AudioError

SAMPLE_RATE = 16_000
"""Hz; the player takes any rate and its network hears 16 kHz."""

CHUNK_SECONDS = 0.1
"""Sound in a message, as NVIDIA's test client sends it."""

STREAMING_PLAYER = "/World/audio2face/PlayerStreaming"
"""Where the app's own scenes have their streaming player."""

USUAL_PORT = 50051
"""Where the app listens for its streaming player."""


def play(
    samples: NDArray[np.float32], target: str, player: str = STREAMING_PLAYER, *, timeout_seconds: float = 30.0
) -> None:
    """Have the app's streaming player speak a line.

    samples: (S,) float32, mono, 16 kHz, finite, S ≥ 1. target: "HOST:PORT". player: path of the player in the scene.
    timeout_seconds: time to answer in, beyond the length of the sound, which the player may take in as it plays.

    Blocks until the app has all of the sound, not until it is played. Raises AudioError if the samples cannot be
    sent, and Audio2FaceError if nobody takes them: not there, another service, no such player, too slow.
    """
    check_player_address(target)
    sound = np.asarray(samples, "<f4")
    if sound.ndim != 1 or not len(sound) or not np.isfinite(sound).all():
        raise AudioError(f"the streaming player needs finite mono samples (S,) with S ≥ 1, not {sound.shape}")
    patience_seconds = timeout_seconds + len(sound) / SAMPLE_RATE
    with grpc.insecure_channel(target) as channel:
        push = channel.stream_unary(
            PUSH_AUDIO_STREAM, PushAudioStreamRequest.SerializeToString, PushAudioStreamResponse.FromString
        )
        try:
            answer = push(_messages(sound, player), timeout=patience_seconds)
        except grpc.RpcError as error:
            raise _explained(error, target, patience_seconds) from error
    if not answer.success:
        reason = quoted(answer.message) or "it gives no reason"
        raise Audio2FaceError(
            f"{target}: Audio2Face's streaming player refuses the sound: {reason}; check that the scene has a "
            f"streaming player {player}, or name it with --player"
        )


def check_player_address(target: str) -> None:
    """Raises Audio2FaceError if `target` is not "HOST:PORT"."""
    if not is_address(target):
        raise Audio2FaceError(
            f"{target!r} is no address of a streaming player; write HOST:PORT, for example localhost:{USUAL_PORT}"
        )


def _messages(sound: NDArray[np.float32], player: str) -> Iterator[Any]:
    yield PushAudioStreamRequest(start_marker={"instance_name": player, "samplerate": SAMPLE_RATE})
    chunk = round(CHUNK_SECONDS * SAMPLE_RATE)
    for start in range(0, len(sound), chunk):
        yield PushAudioStreamRequest(audio_data=sound[start : start + chunk].tobytes())


def _explained(error: Any, target: str, patience_seconds: float) -> Audio2FaceError:
    code, reason = error.code(), quoted(error.details() or "it gives no reason")
    if code is grpc.StatusCode.UNAVAILABLE:
        return Audio2FaceError(
            f"{target}: no streaming player of Audio2Face answers there ({reason}); start the app with a scene that "
            f"has one, or name its port (usually {USUAL_PORT})"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Audio2FaceError(
            f"{target}: a gRPC server answers there, but not Audio2Face's streaming player ({reason}); name the "
            f"app's port (usually {USUAL_PORT}), or use --a2f for an Audio2Face-3D service"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Audio2FaceError(
            f"{target}: Audio2Face's streaming player has not taken the sound within {patience_seconds:g} s; see "
            "whether it hangs or still plays another line, then try again"
        )
    return Audio2FaceError(
        f"{target}: Audio2Face's streaming player failed: {reason} ({code.name}); see the app's log, then try again"
    )
