"""What the relay costs: delay, memory, and how many live streams it serves at once; prints a markdown table each.

    python benchmarks/relay.py [--streams 1 5 10] [--seconds 60] [--chunk 0.1]

A relay in a process of its own stands between clients and a service that answers every chunk of sound with a frame,
both here. A chunk is late when it reaches the service more than 100 ms after it was sent plus the delay that the
relay has printed at its start. Streams start at random moments. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import soundfile

import dser_ext
from dser_ext.audio2face import protocol

RATE = 16_000
LATE_SECONDS = 0.1
END = bytes(protocol.AudioStream(end_of_audio={}).SerializeToString())
PCM = {"channel_count": 1, "samples_per_second": RATE, "bits_per_sample": 16}
HEADER = bytes(protocol.AudioStream(audio_stream_header={"audio_header": PCM}).SerializeToString())
CODEC = {"request_deserializer": protocol.AudioStream.FromString}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 5, 10], help="how many at once")
    parser.add_argument("--seconds", type=float, default=60, help="of speech in each")
    parser.add_argument("--chunk", type=float, default=0.1, metavar="SECONDS", help="of sound in a message")
    options = parser.parse_args()
    asyncio.run(_measure(options))


async def _measure(options: argparse.Namespace) -> None:
    service = Service()
    await service.start()
    with relay(service.target, "--mix", "only-if-absent") as (target, _, pid):
        await _delay(service, target)
        await _memory(service, target, pid)
    print("\n| streams at once | chunks | late | latest, beyond what is printed | cores of the relay |")
    print("|---|---|---|---|---|")
    for count in options.streams:
        with relay(service.target) as (target, printed, pid):
            await _streams(service, target, printed, pid, count, options)
    await service.stop()


class Service:
    """Stands for Audio2Face: a frame for every chunk, and when each chunk of each line came."""

    def __init__(self) -> None:
        self.arrived: dict[str, list[float]] = {}
        self.answered: dict[str, list[float]] = {}

    async def start(self) -> None:
        self._server = grpc.aio.server()
        method = grpc.stream_stream_rpc_method_handler(self._process, **CODEC)
        handler = grpc.method_handlers_generic_handler(protocol.SERVICE, {"ProcessAudioStream": method})
        self._server.add_generic_rpc_handlers((handler,))
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def _process(self, incoming: AsyncIterator[Any], context: Any) -> AsyncIterator[bytes]:
        line = dict(context.invocation_metadata())["line"]
        arrived, answered = self.arrived.setdefault(line, []), self.answered.setdefault(line, [])
        names = {"blend_shapes": [f"shape{number}" for number in range(52)]}
        opening = {"audio_header": PCM, "skel_animation_header": names}
        yield protocol.AnimationDataStream(animation_data_stream_header=opening).SerializeToString()
        async for message in incoming:
            if message.HasField("end_of_audio"):
                break
            if message.HasField("audio_with_emotion"):
                frame = {"time_code": len(arrived) / 30, "values": [0.5] * 52}
                arrived.append(time.monotonic())
                animation = {
                    "skel_animation": {"blend_shape_weights": [frame]},
                    "audio": {"time_code": frame["time_code"], "audio_buffer": bytes(1066)},
                }
                data = protocol.AnimationDataStream(animation_data=animation).SerializeToString()
                answered.append(time.monotonic())
                yield data
        yield protocol.AnimationDataStream(status={"message": "done"}).SerializeToString()


@contextlib.contextmanager
def relay(a2f: str, *more: str) -> Iterator[tuple[str, float, int]]:
    """A running relay in stream mode: its address, the delay that it prints, in seconds, and its process."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{place.getsockname()[1]}"
    command = [sys.executable, "-m", "dser_ext.cli.main", "relay", "--a2f", a2f, "--listen", target]
    command += ["--mode", "stream", *more]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            process.stderr.readline()
            printed = re.search(r"up to ([\d.]+) s", process.stderr.readline())
            assert printed is not None
            yield target, float(printed[1]), process.pid
        finally:
            process.terminate()


async def speak(target: str, line: str, chunks: list[bytes], pace_seconds: float) -> tuple[list[float], list[float]]:
    """Send a line; when each chunk was sent, and when each frame came back."""
    sent: list[float] = []
    back: list[float] = []
    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM)(metadata=(("line", line),))

        async def listen() -> None:
            async for data in call:
                animated = protocol.AnimationDataStream.FromString(data).HasField("animation_data")
                back.extend([time.monotonic()] * animated)

        listening = asyncio.ensure_future(listen())
        await call.write(HEADER)
        start = time.monotonic()
        for number, chunk in enumerate(chunks):
            if pace_seconds:
                await asyncio.sleep(max(0.0, start + (number + 1) * pace_seconds - time.monotonic()))
            sent.append(time.monotonic())
            await call.write(chunk)
        await call.write(END)
        await listening
    return sent, back


def chunks_of(seconds: float, chunk_seconds: float, seed: int = 0) -> list[bytes]:
    speech, _ = soundfile.read(dser_ext.sample_line(), dtype="int16")
    whole = np.resize(np.roll(speech, seed * 7919), round(seconds * RATE))
    size = round(chunk_seconds * RATE)
    parts = [whole[start : start + size].tobytes() for start in range(0, len(whole), size)]
    return [protocol.AudioStream(audio_with_emotion={"audio_buffer": part}).SerializeToString() for part in parts]


def keyed(chunks: list[bytes]) -> list[bytes]:
    """A line with a key of its own: with only-if-absent the relay holds nothing of it."""
    first = protocol.AudioStream.FromString(chunks[0])
    first.audio_with_emotion.emotions.add(time_code=0.0, emotion={"joy": 0.5})
    return [first.SerializeToString(), *chunks[1:]]


async def _delay(service: Service, target: str) -> None:
    """Of messages that wait for no recognition: a line's that has keys of its own, and those of the answer."""
    print("| a message's way | median | 90 of 100 are faster than |\n|---|---|---|")
    for name, place in (("directly", service.target), ("through the relay", target)):
        await speak(place, f"first {name}", keyed(chunks_of(3, 0.1)), 0)
        sent, back = await speak(place, name, keyed(chunks_of(20, 0.1)), 0.1)
        there = np.subtract(service.arrived[name], sent)
        for way, taken in (("there", there), ("back", np.subtract(back, service.answered[name]))):
            middle, most = 1000 * np.percentile(taken, (50, 90))
            print(f"| {way}, {name} | {middle:.2f} ms | {most:.2f} ms |", flush=True)


async def _memory(service: Service, target: str, pid: int) -> None:
    await speak(target, "warm", chunks_of(30, 0.1), 0)
    before = _resident(pid)
    running = asyncio.ensure_future(speak(target, "long", chunks_of(300, 0.1), 0))
    seen = {}
    while not running.done():
        await asyncio.sleep(0.05)
        seen[len(service.arrived.get("long", ()))] = _resident(pid)
    await running
    early = max(kib for count, kib in seen.items() if 300 <= count <= 900)
    print(
        f"\nmemory of the relay: {before / 1024:.0f} MiB, up to 90 s into a live clip of 300 s {early / 1024:.0f} MiB,"
    )
    print(f"over all of it {max(seen.values()) / 1024:.0f} MiB", flush=True)


async def _streams(
    service: Service, target: str, printed: float, pid: int, count: int, options: argparse.Namespace
) -> None:
    await speak(target, f"warm {count}", chunks_of(2, options.chunk), 0)
    busy, start = _processor_seconds(pid), time.monotonic()

    async def one(number: int) -> list[float]:
        await asyncio.sleep(random.Random(number).uniform(0, 2))
        line = f"{count}: {number}"
        sent, _ = await speak(target, line, chunks_of(options.seconds, options.chunk, number), options.chunk)
        arrived = service.arrived[line]
        return [there - here - printed for here, there in zip(sent, arrived, strict=True)]

    overdue = np.concatenate(await asyncio.gather(*map(one, range(count))))
    cores = (_processor_seconds(pid) - busy) / (time.monotonic() - start)
    late = int((overdue > LATE_SECONDS).sum())
    print(f"| {count} | {len(overdue)} | {late} | {1000 * max(0.0, overdue.max()):.0f} ms | {cores:.2f} |", flush=True)


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def _processor_seconds(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / 100


if __name__ == "__main__":
    main()
