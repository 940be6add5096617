"""Sounds for tests: noise, a real line, and files of formats that soundfile does not write."""

from __future__ import annotations

import struct
import warnings
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, Audio, read
from dser_ext.errors import AudioError

Samples = NDArray[np.float32]
SHARED = Path(__file__).parents[1].parent / "shared"
LINE = SHARED / "data" / "crema-d" / "1039" / "1039_TIE_HAP_XX.ogg"
RATE = 44_100


def noise(frames: int, seed: int = 0) -> Samples:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames)).astype(np.float32)


def whole(sound: Audio, block_seconds: float = 10.0) -> Samples:
    return np.concatenate(list(sound.blocks(block_seconds)))


def write_aac(path: Path, samples: Samples, rate: int = RATE, codec: str = "aac", **options: str) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024].copy(), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_video(path: Path) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    return path


def wav_bytes(samples: Samples, rate: int = SAMPLE_RATE) -> bytearray:
    data = (samples * 32767).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16,
                       b"data", len(data))  # fmt: skip
    return bytearray(head + data)


def png_bytes() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    size = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(8 * 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def refused(path: Path, match: str) -> None:
    """Reading ends in one sentence that names the file, and never in another library's exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AudioError, match=match) as caught:
            read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
