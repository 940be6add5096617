"""What the service costs beside the Python API, how much many callers get done, and how late live frames come.

    python benchmarks/service.py [--repeat 40] [--lines FOLDER]

`dser serve` runs in a process of its own. A clip is sent to it and recognised by the Python API in turn, both from the
file to the keys, so that both see the same machine in the same seconds; then as many callers as `--callers` send clips
at once, against the best of a few ways to get through the same clips offline. The ratios are what to quote. Then lines
are sent at the pace of speech, each with a voice of the others: how long after the sound that it describes a frame
arrives, and how far the live mixtures are from those of the whole line.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import soundfile

import dser_ext
from dser_ext import messages
from dser_ext.audio import AudioFile, read
from dser_ext.client import Client, Live
from dser_ext.client.requests import Started
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.formats.track_json import Performance
from dser_ext.recognition.recognizer import Recognizer

RATE = 16_000
CLIP_SECONDS = 3.0
LOOK_AHEADS = (0.0, 0.3, 0.6, 1.0)  # s
PIECE_SECONDS = 0.02
OFFLINE = ((1, 0), (2, 0), (2, 1))  # lines at once, and threads that the recogniser uses for each; 0: all cores


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=40, help="clips of each kind; the median counts")
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument(
        "--lines", type=Path, default=dser_ext.sample_line().parent / "voice", help="a folder of one speaker's lines"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _service() as target:
        clips = _clips(Path(folder), options.callers)
        _alone(target, clips, options.repeat)
        _together(target, clips, options.repeat)
        _live(target, sorted(options.lines.iterdir()))


@contextmanager
def _service() -> Iterator[str]:
    command = [sys.executable, "-m", "dser_ext.cli.main", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield process.stderr.readline().split("address=")[1].split()[0]
        process.terminate()


def _clips(folder: Path, count: int) -> list[Path]:
    """Speech of one length: the sample line from another place each time."""
    speech, _ = soundfile.read(dser_ext.sample_line(), dtype="float32")
    paths = [folder / f"{number}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        soundfile.write(path, np.roll(speech, number * RATE // 3)[: round(CLIP_SECONDS * RATE)], RATE)
    return paths


def _alone(target: str, clips: list[Path], repeat: int) -> None:
    recognizer = Recognizer()
    with grpc.insecure_channel(target) as channel:
        ways = {"Python API": lambda path: _offline(recognizer, path), "service": lambda path: _call(channel, path)}
        for way in ways.values():
            way(clips[0])
        took: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(repeat):
            for name, way in ways.items():
                took[name].append(_timed(way, clips[number % len(clips)]))
    medians = {name: float(np.median(times)) for name, times in took.items()}
    print(f"\n{CLIP_SECONDS:g} s clip, from the file to the keys, one after another\n\n| way | median ms |\n|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {1000 * median:.1f} |")
    print(f"\nservice / Python API: {medians['service'] / medians['Python API']:.2f}")


def _together(target: str, clips: list[Path], repeat: int) -> None:
    every = clips * -(-repeat * 4 // len(clips))
    print(f"\n{len(every)} clips of {CLIP_SECONDS:g} s\n\n| way | clips a second |\n|---|---|")
    best = 0.0
    for at_once, threads in OFFLINE:
        recognizer = Recognizer(threads=threads)
        rate = _rate(lambda path, recognizer=recognizer: _offline(recognizer, path), every, at_once)
        best = max(best, rate)
        print(
            f"| offline, {at_once} at once, {'all cores' if not threads else f'{threads} thread'} each | {rate:.1f} |"
        )
    channels = [grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) for _ in clips]
    own = dict(zip(clips, channels, strict=True))
    rate = _rate(lambda path: _call(own[path], path), every, len(clips))
    for channel in channels:
        channel.close()
    print(f"| service, {len(clips)} callers | {rate:.1f} |\n\nservice / best offline: {rate / best:.2f}")


def _live(target: str, paths: list[Path]) -> None:
    print("\n| look-ahead s | first frame ms | frames, median ms | latest ms | mean absolute difference |")
    print("|---|---|---|---|---|")
    recognizer = Recognizer()
    voice, _ = recognizer.voice(paths, "the speaker")
    for look_ahead in LOOK_AHEADS:
        first, delays, differences = [], [], []
        for path in paths:
            audio = AudioFile(path)
            known = voice.without(audio.sha256)
            whole = recognizer.track(recognizer.hear(audio), known).mean
            told, late = _spoken(target, read(path), Live(RATE, known.to_bytes(), look_ahead_seconds=look_ahead))
            first.append(late[0])
            delays += late
            differences.append(np.abs(told - whole).mean())
        cells = [np.median(first), np.median(delays), np.max(delays)]
        shown = " | ".join(f"{1000 * cell:.0f}" for cell in cells)
        print(f"| {look_ahead:g} | {shown} | {np.mean(differences):.3f} |", flush=True)


def _spoken(target: str, samples: np.ndarray, live: Live) -> tuple[np.ndarray, list[float]]:
    """The mixtures of a line that is sent at its own pace, and how late each of its frames came, in seconds."""
    start = time.perf_counter()

    def pieces() -> Iterator[np.ndarray]:
        size = round(PIECE_SECONDS * RATE)
        for number in range(-(-len(samples) // size)):
            piece = samples[number * size : (number + 1) * size]
            time.sleep(max(0.0, start + (number * size + len(piece)) / RATE - time.perf_counter()))
            yield piece

    told, late = [], []
    with Client(target) as client:
        for part in client.stream(live, pieces()):
            if isinstance(part, Started):
                continue
            now = time.perf_counter() - start
            told.append(part.concentration)
            late += [now - (part.first + number + 1) / FRAME_RATE for number in range(len(part.concentration))]
    concentration = np.concatenate(told)
    return concentration / concentration.sum(axis=1, keepdims=True), late


def _rate(way: Callable[[Path], Any], clips: list[Path], at_once: int) -> float:
    with ThreadPoolExecutor(at_once) as callers:
        list(callers.map(way, clips[: 2 * at_once]))
        return len(clips) / _timed(lambda paths: list(callers.map(way, paths)), clips)


def _offline(recognizer: Recognizer, path: Path) -> Performance:
    return Performance.of(recognizer.track(recognizer.hear(AudioFile(path))))


def _call(channel: grpc.Channel, path: Path) -> list[Any]:
    method = channel.stream_stream(
        f"/{messages.SERVICE}/Recognize",
        messages.RecognizeRequest.SerializeToString,
        messages.RecognizeResponse.FromString,
    )
    options = messages.RecognizeOptions(name=path.name)
    return list(method(iter([messages.RecognizeRequest(options=options, audio=path.read_bytes())])))


def _timed(function: Callable[[Any], Any], argument: Any) -> float:
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
