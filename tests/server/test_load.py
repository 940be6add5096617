"""What a service must bear: many callers, callers that leave, stall or talk nonsense, long lines, a full disk."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile
from google.protobuf.message_factory import GetMessageClass
from service import PATIENCE_SECONDS, RunningService, line, method

import dser_ext
from dser_ext import messages
from dser_ext.client import Client, Export, LearnVoice, Push, Recognize
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import ServiceError
from dser_ext.server.limits import ServiceLimits

LINE = dser_ext.sample_line()
CALM = Keyframes(np.zeros(1), np.zeros((1, 10), np.float32))


def quiet(running: RunningService) -> bool:
    """Whether all calls end within a bounded time."""
    until = time.monotonic() + PATIENCE_SECONDS
    while running.running and time.monotonic() < until:
        time.sleep(0.02)
    return not running.running


@contextlib.contextmanager
def process() -> Iterator[tuple[str, Callable[[], int]]]:
    """dser serve in a process of its own: its address, and a function that tells how much memory it has, in kB."""
    command = [sys.executable, "-m", "dser_ext.cli.main", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        address = running.stderr.readline().split("address=")[1].split()[0]
        threading.Thread(target=running.stderr.read, daemon=True).start()
        status = Path(f"/proc/{running.pid}/status")
        yield address, lambda: int(re.search(r"VmRSS:\s*(\d+)", status.read_text())[1])
        running.kill()


def some_then_leave(target: str, number: int) -> None:
    """A caller who leaves at any moment of a call."""
    with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = method(channel, "Recognize")(line(LINE.read_bytes(), 1 << 12), timeout=PATIENCE_SECONDS)
        time.sleep(random.Random(number).uniform(0, 0.5))
        call.cancel()


def whole(target: str, number: int) -> np.ndarray:
    del number
    with Client(target) as client:
        return client.call(Recognize(LINE)).track.concentration


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_of_200_callers_half_leave_and_all_others_are_served_and_memory_comes_back() -> None:
    ours = dser_ext.recognize(LINE).concentration

    def crowd(target: str) -> None:
        with ThreadPoolExecutor(50) as callers:
            answers = [
                callers.submit(some_then_leave if number % 2 else whole, target, number) for number in range(200)
            ]
        for number, answer in enumerate(answers):
            if number % 2 == 0:
                np.testing.assert_array_equal(answer.result(), ours)

    with process() as (target, memory):
        crowd(target)
        time.sleep(2)
        before = memory()
        crowd(target)
        time.sleep(2)
        assert memory() < 1.1 * before


@pytest.mark.slow
def test_200_calls_at_once_find_room(start_service) -> None:
    running = start_service()
    ours = dser_ext.recognize(LINE).concentration
    with grpc.insecure_channel(running.target) as channel:
        calls = [method(channel, "Recognize")(line(LINE.read_bytes()), timeout=60) for _ in range(200)]
        for call in calls[::2]:
            call.cancel()
        for call in calls[1::2]:
            told = [value for part in call if part.HasField("frames") for value in part.frames.concentration]
            np.testing.assert_array_equal(np.array(told, np.float32), ours.ravel())
    assert quiet(running)


def test_who_is_one_too_many_is_told_when_to_come_back(start_service) -> None:
    running = start_service(ServiceLimits(calls=1, drain_seconds=1))
    with grpc.insecure_channel(running.target) as channel:
        first = method(channel, "RecognizeStream")(slow_line(), timeout=PATIENCE_SECONDS)
        next(first)
        with pytest.raises(grpc.RpcError) as caught:
            list(method(channel, "Recognize")(line(LINE.read_bytes()), timeout=PATIENCE_SECONDS))
        first.cancel()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    status = messages.Status.FromString(dict(caught.value.trailing_metadata())[messages.DETAILS])
    assert any(detail.Is(messages.RetryInfo.DESCRIPTOR) for detail in status.details)


def slow_line() -> Iterator[Any]:
    pcm = {"sample_rate_hz": 16_000}
    yield messages.RecognizeStreamRequest(options=messages.StreamOptions(pcm=pcm), audio=bytes(32_000))
    time.sleep(5)


def test_who_falls_silent_is_told_so_and_let_go(start_service) -> None:
    running = start_service(ServiceLimits(idle_seconds=0.3, drain_seconds=1))
    with (
        grpc.insecure_channel(running.target) as channel,
        pytest.raises(grpc.RpcError, match="nothing came in") as caught,
    ):
        list(method(channel, "RecognizeStream")(slow_line(), timeout=PATIENCE_SECONDS))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert quiet(running)


@pytest.mark.slow
def test_who_reads_nothing_is_let_go(start_service) -> None:
    running = start_service(ServiceLimits(idle_seconds=0.5, drain_seconds=1))
    track = dser_ext.EmotionTrack(np.arange(200_000) / 50, np.ones((200_000, 6), np.float32))
    export = Export(track)
    options = [("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(running.target, options) as channel:
        call = method(channel, "Export")(export.messages(), timeout=PATIENCE_SECONDS)
        assert next(call).data
        start = time.monotonic()
        assert quiet(running)
        assert time.monotonic() - start < 5
        call.cancel()


def test_a_deadline_ends_the_work(start_service) -> None:
    running = start_service()
    samples, rate = soundfile.read(LINE, dtype="float32")
    with Client(running.target) as client, pytest.raises(ServiceError, match="took too long"):
        client.call(Recognize(np.tile(samples, 60), rate), timeout_seconds=0.5)
    assert quiet(running)
    assert running.resources.turns.waiting == 0


@pytest.mark.slow
def test_a_connection_that_says_nothing_more_does_not_hold_others_up(start_service) -> None:
    running = start_service(ServiceLimits(idle_seconds=1, drain_seconds=1))
    host, port = running.target.split(":")
    halves = []
    for sent in (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096)):
        half = socket.create_connection((host, int(port)))
        half.sendall(sent)
        halves.append(half)
    np.testing.assert_array_equal(whole(running.target, 0), dser_ext.recognize(LINE).concentration)
    for half in halves:
        half.close()


def valid(target: str) -> dict[str, list[list[bytes]]]:
    """Requests of every call, as bytes."""
    small = Path(LINE.parent / "voice").glob("*.ogg")
    track = dser_ext.recognize(np.zeros(16_000, np.float32), 16_000)
    asked = {
        "Recognize": Recognize(np.zeros(3200, np.int16), 16_000, waveform_bins=5),
        "LearnVoice": LearnVoice([next(small)]),
        "Export": Export(track),
        "Push": Push(Recognize(np.zeros(3200, np.int16), 16_000), target, keys=CALM),
    }
    requests = {name: [part.SerializeToString() for part in ask.messages()] for name, ask in asked.items()}
    pcm = {"sample_rate_hz": 16_000}
    live = [
        messages.RecognizeStreamRequest(options=messages.StreamOptions(pcm=pcm)),
        messages.RecognizeStreamRequest(audio=bytes(3200)),
    ]
    requests["RecognizeStream"] = [part.SerializeToString() for part in live]
    requests["ListModels"] = [messages.ListModelsRequest().SerializeToString()]
    requests["GetModel"] = [messages.GetModelRequest(name="dser-base").SerializeToString()]
    return {name: [parts] for name, parts in requests.items()}


def mutated(parts: list[bytes], chance: random.Random) -> list[bytes]:
    """The same request with something wrong."""
    parts = [bytearray(part) for part in parts]
    for _ in range(chance.randint(1, 4)):
        part = chance.choice(parts)
        kind = chance.randrange(6)
        if kind == 0 and part:
            part[chance.randrange(min(len(part), 64))] = chance.randrange(256)
        elif kind == 1:
            del part[chance.randrange(len(part) + 1) :]
        elif kind == 2:
            part[:] = chance.randbytes(chance.randrange(200))
        elif kind == 3:
            parts.append(part)
        elif kind == 4:
            chance.shuffle(parts)
        else:
            place = chance.randrange(len(part) + 1)
            part[place:place] = chance.randbytes(chance.randrange(1, 9))
    return [bytes(part) for part in parts]


@pytest.mark.slow
def test_5000_damaged_requests_are_answered_each_with_a_proper_code(start_service, caplog) -> None:
    running = start_service(ServiceLimits(idle_seconds=2, drain_seconds=1))
    requests = valid("127.0.0.1:9")
    assert requests.keys() == messages.METHODS.keys()
    codes: Counter[grpc.StatusCode] = Counter()
    words: set[str] = set()

    def ask(number: int) -> None:
        chance = random.Random(number)
        name = chance.choice(sorted(requests))
        answer = GetMessageClass(messages.METHODS[name].output_type).FromString
        call = channel.stream_stream(f"/{messages.SERVICE}/{name}", None, answer)
        try:
            for _ in call(iter(mutated(requests[name][0], chance)), timeout=PATIENCE_SECONDS):
                pass
            codes[grpc.StatusCode.OK] += 1
        except grpc.RpcError as error:
            codes[error.code()] += 1
            words.add(error.details())

    with grpc.insecure_channel(running.target) as channel, ThreadPoolExecutor(8) as callers:
        list(callers.map(ask, range(5000)))
    assert sum(codes.values()) == 5000
    assert "" not in words
    proper = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "PERMISSION_DENIED"}
    assert {code.name for code in codes} <= proper | {"UNIMPLEMENTED"}, codes
    assert codes[grpc.StatusCode.INVALID_ARGUMENT] > 1000
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert quiet(running)
    np.testing.assert_array_equal(whole(running.target, 0), dser_ext.recognize(LINE).concentration)


def test_too_much_in_one_message_is_refused(start_service) -> None:
    running = start_service(ServiceLimits(audio_bytes=1000, drain_seconds=1))
    with grpc.insecure_channel(running.target) as channel, pytest.raises(grpc.RpcError, match="send at most 1000"):
        list(method(channel, "Recognize")(line(LINE.read_bytes(), 1001), timeout=PATIENCE_SECONDS))


def test_a_line_that_is_too_long_is_refused_before_the_disk_is_full(start_service) -> None:
    running = start_service(ServiceLimits(clip_bytes=5000, drain_seconds=1))
    with grpc.insecure_channel(running.target) as channel, pytest.raises(grpc.RpcError, match="more than 0 MiB"):
        list(method(channel, "Recognize")(line(LINE.read_bytes(), 1001), timeout=PATIENCE_SECONDS))


def test_a_disk_that_cannot_be_written_is_said(start_service, monkeypatch) -> None:
    running = start_service()
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with grpc.insecure_channel(running.target) as channel, pytest.raises(grpc.RpcError, match="cannot keep") as caught:
        list(method(channel, "Recognize")(line(LINE.read_bytes()), timeout=PATIENCE_SECONDS))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_nothing_is_left_on_disk(start_service, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = start_service()
    whole(running.target, 0)
    some_then_leave(running.target, 1)
    with grpc.insecure_channel(running.target) as channel, contextlib.suppress(grpc.RpcError):
        list(method(channel, "Recognize")(line(b"no sound" * 99), timeout=PATIENCE_SECONDS))
    assert quiet(running)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_hour_is_heard_in_bounded_memory_while_others_are_served(tmp_path) -> None:
    speech, rate = soundfile.read(LINE, dtype="int16")
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16", format="FLAC") as file:
        for _ in range(6):
            file.write(speech)
            file.write(np.zeros(600 * rate - len(speech), np.int16))
    with process() as (target, memory), Client(target) as client, ThreadPoolExecutor(1) as other:
        whole(target, 0)
        before, most = memory(), 0
        long = other.submit(client.call, Recognize(path))
        while not long.done():
            start = time.monotonic()
            whole(target, 0)
            assert time.monotonic() - start < 10
            most = max(most, memory())
            time.sleep(1)
        assert len(long.result().track.times) == 3600 * 50
        assert most - before < 250 << 10  # its samples alone would be 230 MB
