"""Frames and sound into an MP4: H.264 and AAC, through PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE
from dser_ext.drawing.face.render import Pixels
from dser_ext.emotion.frame_rate import frame_rate
from dser_ext.errors import FormatError
from dser_ext.formats.files import written_whole

VIDEO_CODEC, AUDIO_CODEC = "libx264", "aac"
_VIDEO_OPTIONS = {"crf": "20", "preset": "veryfast", "tune": "animation"}
_AUDIO_BITS = 64_000  # a second
_BT709 = 1  # of colours, by ITU-T H.273: what players take a picture of this size for
_AUDIO_FRAME = 1024  # samples that AAC encodes at once


def check_av() -> None:
    """Raise FormatError where PyAV, which writes videos, is missing or cannot write H.264."""
    try:
        import av
    except ImportError as error:
        raise FormatError('a video needs PyAV; run: pip install "dser-audio2face[av]"') from error
    if {VIDEO_CODEC, AUDIO_CODEC} - av.codecs_available:
        raise FormatError("this PyAV cannot write H.264 and AAC; install its wheel: pip install --force-reinstall av")


def write_video(
    path: str | os.PathLike[str], frames: Iterable[Pixels], fps: float, sound: Iterable[NDArray[np.float32]]
) -> None:
    """Write an MP4, whole or not at all, that begins to play before all of it is loaded.

    frames: (height, width, 4) RGBA each, even in both; frame i is shown from i / fps s on. sound: 16 kHz, mono, in
    blocks of any size, as long as the frames. Both are taken piece by piece, so memory stays bounded.
    Raises FormatError where PyAV is missing or `path` cannot be written; what the iterables raise comes through.
    """
    check_av()
    from av import FFmpegError

    with written_whole(path, "wb") as file:
        try:
            _write(str(file.name), frames, frame_rate(fps), sound)
        except FFmpegError as error:
            reason = getattr(error, "strerror", None) or error
            raise FormatError(f"{path}: cannot be written ({reason}); check the folder and the free space") from error


def _write(name: str, frames: Iterable[Pixels], rate: Fraction, sound: Iterable[NDArray[np.float32]]) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

    converter, pieces = VideoReformatter(), _packed(sound)
    heard = 0
    # The file is open already; FFmpeg opens it by name, because for the fast start it has to read it again.
    with av.open(name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        audio = container.add_stream(AUDIO_CODEC, rate=SAMPLE_RATE, layout="mono", bit_rate=_AUDIO_BITS)
        video: Any = None
        for number, pixels in enumerate(frames):
            if video is None:
                video = _video_stream(container, pixels, rate)
            picture = converter.reformat(
                av.VideoFrame.from_ndarray(pixels, "rgba"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            picture.pts, picture.time_base = number, 1 / rate
            container.mux(video.encode(picture))
            while heard * rate < (number + 1) * SAMPLE_RATE and (piece := next(pieces, None)) is not None:
                heard = _hear(container, audio, piece, heard)
        for piece in pieces:
            heard = _hear(container, audio, piece, heard)
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _video_stream(container: Any, pixels: Pixels, rate: Fraction) -> Any:
    stream = container.add_stream(VIDEO_CODEC, rate=rate, options=_VIDEO_OPTIONS)
    stream.height, stream.width = pixels.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / rate
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = 1  # as television has it: 16 to 235
    return stream


def _hear(container: Any, stream: Any, piece: NDArray[np.float32], start: int) -> int:
    import av

    frame = av.AudioFrame.from_ndarray(piece[None], "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    container.mux(stream.encode(frame))
    return start + len(piece)


def _packed(sound: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The same sound in frames of AAC; only the last is shorter. Clipped, as AAC would distort what is above 1."""
    rest = np.zeros(0, np.float32)
    for block in sound:
        joined = np.concatenate([rest, np.clip(block, -1, 1).astype(np.float32)])
        whole = len(joined) - len(joined) % _AUDIO_FRAME
        yield from joined[:whole].reshape(-1, _AUDIO_FRAME)
        rest = joined[whole:]
    if len(rest):
        yield rest
