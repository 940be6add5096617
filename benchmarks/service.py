"""How late a live line's frames come from the service, and how near they are to the offline track; prints markdown.

    python benchmarks/service.py [--look-ahead 0.3 0.6 1.0] [--busy 0 2] [--lines FOLDER] [--most 60]

`dser serve` runs in a process of its own. A line is sent to it at the pace of speech, 20 ms at a time. A frame is late
by the time from its own place in the line until it is here. Beside it as many callers as `--busy` says send whole lines
without a pause. Which frames come does not depend on that, so how near they are to the offline track is measured
without a service.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import soundfile
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import NDArray

import dser_ext
from dser_ext import messages
from dser_ext.audio import AudioFile, read
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import DserWarning
from dser_ext.messages import METHODS, SERVICE
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import SOUND_SUFFIXES, Recognizer
from dser_ext.recognition.stream import Stream
from dser_ext.recognition.voice import VoiceProfile
from dser_ext.server.streaming import STEP_SECONDS

CHUNK_SECONDS = 0.02
RATE = 16_000
BESIDE_SECONDS = 48  # of each line that callers beside send, 16 s to a message
VOICE_LINES = 12  # that a voice is made of
TARGET = 0.03
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Lateness:
    """Of one live line, in seconds. said: the latency of StreamStart. frames: (F,), of each frame."""

    said: float
    frames: NDArray[np.float64]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--look-ahead", type=float, nargs="+", default=[0.3, 0.6, 1.0], metavar="SECONDS")
    parser.add_argument(
        "--step", type=float, nargs="+", default=[STEP_SECONDS], metavar="SECONDS", help="for the quality"
    )
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2], help="callers with whole lines beside it")
    parser.add_argument("--repeat", type=int, default=3, help="live lines of each kind")
    parser.add_argument("--lines", type=Path, metavar="FOLDER", help="more lines of speech, in folders by speaker")
    parser.add_argument("--most", type=int, default=60, help="of those lines, evenly picked")
    options = parser.parse_args()
    with service() as target:
        print("| look-ahead | callers beside | said at most | first frame, median | latest of all frames |")
        print("|---|---|---|---|---|")
        for look_ahead in options.look_ahead:
            for busy in options.busy:
                _print_lateness(target, look_ahead, busy, options.repeat)
    _print_quality(options)


@contextmanager
def service() -> Iterator[str]:
    """A running service: its address."""
    command = [sys.executable, "-m", "dser_ext.cli.main", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"127\.0\.0\.1:\d+", process.stderr.readline())
            assert found is not None
            threading.Thread(target=process.stderr.read, daemon=True).start()  # or its log fills the pipe
            yield found[0]
        finally:
            process.terminate()


def first_frame(target: str, sound: NDArray[np.int16], look_ahead: float) -> Lateness:
    """How late the frames of a line, (n,) at 16 kHz, come back; the first of `frames` is the first settled one."""
    start, size = 0.0, round(CHUNK_SECONDS * RATE)

    def spoken() -> Iterator[Any]:
        nonlocal start
        pcm = messages.AudioFormat.Pcm(sample_rate_hz=RATE)
        yield messages.RecognizeStreamRequest(options=messages.StreamOptions(pcm=pcm, look_ahead_seconds=look_ahead))
        start = time.perf_counter()
        for number in range(len(sound) // size):
            time.sleep(max(0.0, start + (number + 1) * CHUNK_SECONDS - time.perf_counter()))
            yield messages.RecognizeStreamRequest(audio=sound[number * size : (number + 1) * size].tobytes())

    late: list[float] = []
    with grpc.insecure_channel(target) as channel:
        answer = _method(channel, "RecognizeStream")(spoken(), timeout=len(sound) / RATE + PATIENCE_SECONDS)
        said = next(answer).start.latency_seconds
        for message in answer:
            here, count = time.perf_counter() - start, len(message.frames.concentration) // len(EMOTIONS)
            late += [here - (message.frames.first + frame) / FRAME_RATE for frame in range(count)]
    return Lateness(said, np.array(late))


def stream_quality(
    recognizer: Recognizer, line: Hearing, samples: NDArray[np.float32], stream: Stream, voice: VoiceProfile | None
) -> float:
    """The mean absolute error of a live track's mixtures to the offline track's. line, samples, stream: of one line."""
    offline = recognizer.concentration(line, voice)
    live = np.concatenate([stream.feed(samples), stream.end()])
    mixtures = [each / each.sum(axis=1, keepdims=True) for each in (live, offline[: len(live)])]
    return float(np.abs(mixtures[0] - mixtures[1]).mean())


def _print_lateness(target: str, look_ahead: float, busy: int, repeat: int) -> None:
    sound, _ = soundfile.read(dser_ext.sample_line(), dtype="int16")
    with ExitStack() as stack:
        stack.enter_context(_callers(target, busy, sound))
        lines = [first_frame(target, np.roll(sound, number * 7919), look_ahead) for number in range(repeat)]
    first, latest = (
        1000 * np.array(times) for times in zip(*((line.frames[0], line.frames.max()) for line in lines), strict=True)
    )
    print(
        f"| {look_ahead:g} s | {busy} | {1000 * lines[0].said:.0f} ms | {np.median(first):.0f} ms "
        f"| {latest.max():.0f} ms |",
        flush=True,
    )


@contextmanager
def _callers(target: str, count: int, sound: NDArray[np.int16]) -> Iterator[None]:
    """Callers that send whole lines, one after another, while the block runs."""
    over = threading.Event()
    request = messages.RecognizeRequest(audio=np.resize(sound, 16 * RATE).tobytes())
    options = messages.RecognizeOptions(audio_format={"pcm": {"sample_rate_hz": RATE}})

    def call() -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(target, own) as channel:
            while not over.is_set():
                parts = [messages.RecognizeRequest(options=options), *[request] * (BESIDE_SECONDS // 16)]
                list(_method(channel, "Recognize")(iter(parts), timeout=PATIENCE_SECONDS))

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _print_quality(options: argparse.Namespace) -> None:
    recognizer = Recognizer()
    lines = list(_lines(recognizer, options))
    print(f"\n{len(lines)} lines, {sum(line.audio.seconds for line, _, _ in lines):.0f} s in all\n")
    print("| look-ahead | step | voice | MAE to the offline track | worst line | lines above 0.03 |")
    print("|---|---|---|---|---|---|")
    for look_ahead in options.look_ahead:
        for step in options.step:
            for known in (False, True):
                errors = []
                for line, samples, voice in lines:
                    own = voice if known else None
                    stream = Stream(recognizer, own, look_ahead, step)
                    errors.append(stream_quality(recognizer, line, samples, stream, own))
                seconds = [line.audio.seconds for line, _, _ in lines]
                print(
                    f"| {look_ahead:g} s | {step:g} s | {'given' if known else 'generic'} "
                    f"| {np.average(errors, weights=seconds):.3f} | {max(errors):.3f} "
                    f"| {np.mean(np.array(errors) > TARGET):.0%} |",
                    flush=True,
                )


def _lines(
    recognizer: Recognizer, options: argparse.Namespace
) -> Iterator[tuple[Hearing, NDArray[np.float32], VoiceProfile | None]]:
    """What is heard of each line as a whole, its samples, and the voice of others in its folder."""
    sample = dser_ext.sample_line()
    voice, _ = recognizer.voice(sorted((sample.parent / "voice").iterdir()), "sample")
    chosen = dict.fromkeys([sample, *sorted((sample.parent / "voice").iterdir())], voice)
    if options.lines is not None:
        found = sorted(path for path in options.lines.rglob("*") if path.suffix in SOUND_SUFFIXES)
        for path in found[:: max(1, len(found) // options.most)]:
            others = [other for other in found if other.parent == path.parent]
            spread = others[:: max(1, len(others) // VOICE_LINES)]
            chosen[path], _ = recognizer.voice(spread, path.parent.name)
    for path, voice in chosen.items():
        line = recognizer.hear(AudioFile(path))
        yield line, read(path), voice.without(line.audio.sha256)


def _method(channel: grpc.Channel, name: str) -> Any:
    request, response = (GetMessageClass(kind) for kind in (METHODS[name].input_type, METHODS[name].output_type))
    return channel.stream_stream(f"/{SERVICE}/{name}", request.SerializeToString, response.FromString)


if __name__ == "__main__":
    warnings.simplefilter("ignore", DserWarning)
    main()
