"""Push: a line in, its animation by Audio2Face out."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import Audio
from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.settings import Settings
from dser_ext.config import parse_config
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.formats import ANIMATION_FORMATS, save_animation
from dser_ext.formats.blendshapes import Animation
from dser_ext.messages import Progress, PushResponse
from dser_ext.server.call import Call
from dser_ext.server.exporting import send_file
from dser_ext.server.received import Received
from dser_ext.server.recognizing import ask, recognized
from dser_ext.server.refusal import RefusalError, about
from dser_ext.transfer import keyframes

FORMAT = "a2f-json"

_pushes = ThreadPoolExecutor(8, thread_name_prefix="push")  # they wait for Audio2Face, and compute next to nothing


async def push(call: Call) -> None:
    """Answer one call of Push."""
    first = await call.first()
    options = first.options
    connection = _connection(call, options)
    form = options.format or FORMAT
    if form not in ANIMATION_FORMATS:
        raise RefusalError(
            f"{form[:80]!r} is no format; choose from {', '.join(ANIMATION_FORMATS)}", field="options.format"
        )
    with about("options.settings"):
        config = parse_config(options.settings, "settings") if options.settings else {}
        settings = Settings.from_config(config)
    given = (
        keyframes([options.keys])
        if options.HasField("keys")
        else await ask(call, options.recognition, "options.recognition")
    )
    with Received(options.recognition.name, options.recognition.audio_format, call.limits) as sound:
        async for message in call.messages(first):
            sound.take(message.audio)
        audio = sound.audio()
        notes: list[str] = []
        if isinstance(given, Keyframes):
            keys = given
        else:
            done = await recognized(call, given, audio, _report)
            keys, notes = done.performance.keyframes, done.notes
        animation = await _animated(call, audio, keys, connection, settings)

    def write(path: Path) -> None:
        save_animation(animation, path, form, track_path=options.recognition.name)

    def part(data: bytes, begin: int) -> PushResponse:
        return PushResponse(animation=data, warnings=[] if begin else notes)

    await send_file(call, write, ANIMATION_FORMATS[form].suffix, part)


def _report(progress: Any) -> Any:
    return PushResponse(progress=progress)


def _connection(call: Call, options: Any) -> Connection:
    """To where the caller says; with the service's key only where its operator says so, too.

    Raises Audio2FaceError for what is no address, and RefusalError for one that this service does not push to.
    """
    allowed = call.resources.push_targets
    if allowed is not None and options.target not in allowed:
        raise RefusalError(
            f"{options.target[:80]}: this service pushes to {', '.join(allowed) or 'no Audio2Face'} alone; ask whoever "
            "runs it (dser serve --push-to)",
            grpc.StatusCode.PERMISSION_DENIED,
            field="options.target",
        )
    return Connection(
        options.target,
        options.tls,
        function_id=options.function_id or None,
        function_version_id=options.function_version_id or None,
        with_key=allowed is not None,
    )


async def _animated(call: Call, audio: Audio, keys: Keyframes, connection: Connection, settings: Settings) -> Animation:
    """In a thread of its own, which is told to stop when nobody waits for it any more."""
    stop, latest = threading.Event(), [Progress(stage=Progress.STAGE_WAITING)]

    def report(seconds: float) -> None:
        latest.append(Progress(stage=Progress.STAGE_ANIMATING, seconds=seconds, total_seconds=audio.seconds))

    def work() -> Animation:
        report(0.0)
        samples = _samples(audio, call.limits.push_seconds, stop)  # here, so that few lines are in memory at once
        return animate(samples, keys, connection, settings=settings, report=report, stop=stop)

    working = asyncio.get_running_loop().run_in_executor(_pushes, work)
    try:
        return await call.reporting(working, latest, _report)
    finally:
        stop.set()


def _samples(audio: Audio, most_seconds: float, stop: threading.Event) -> NDArray[np.float32]:
    """All of a line, (n,) at 16 kHz; less once nobody waits for it. Raises RefusalError if it is too long."""
    blocks = []
    for block in audio.blocks():
        blocks.append(block)
        if audio.seconds > most_seconds:
            raise RefusalError(f"more than {most_seconds:g} s for Audio2Face; send the line in parts", field="audio")
        if stop.is_set():
            break
    return np.concatenate(blocks)
