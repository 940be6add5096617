"""Export: a track in, a file of any of our formats out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.track_json import Performance
from dser_ext.messages import ExportResponse
from dser_ext.server.call import Call
from dser_ext.server.recognizing import presented
from dser_ext.server.refusal import RefusalError, about
from dser_ext.transfer import TrackParts


async def export(call: Call) -> None:
    """Answer one call of Export."""
    first = await call.first()
    asked = presented(first.options.presentation)
    name = first.options.format
    if name not in TRACK_FORMATS:
        raise RefusalError(
            f"{name[:80]!r} is no format; choose from {', '.join(TRACK_FORMATS)}", field="options.format"
        )
    if not first.HasField("head"):
        raise RefusalError("the first message must hold the track's head, too", field="head")
    with about("frames"):
        parts = TrackParts(first.head)
        async for message in call.messages(first):
            if message.HasField("frames"):
                parts.take(message.frames)
        track = parts.track()
    form = TRACK_FORMATS[name]
    performance = await call.work(Performance.in_steps(track, asked.style, asked.fps, asked.tolerance))
    await send_file(call, partial(form.write, performance), form.suffix, lambda data, _: ExportResponse(data=data))


async def send_file(
    call: Call, write: Callable[[Path], None], suffix: str, message: Callable[[bytes, int], Any]
) -> None:
    """Write a file in a turn, and send it in as many messages as it takes. message: of a part, and where it begins."""

    def written() -> bytes:
        with tempfile.TemporaryDirectory(prefix="dser-") as folder:
            path = Path(folder, f"file{suffix}")
            write(path)
            return path.read_bytes()

    data = await call.once(written)
    for begin in range(0, len(data), call.limits.part_bytes):
        await call.send(message(data[begin : begin + call.limits.part_bytes], begin))
