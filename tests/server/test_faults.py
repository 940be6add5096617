"""Whatever goes wrong on either side ends the call in words, in bounded time, and touches no other call."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import a2f_server
import grpc
import numpy as np
import pytest
from a2f_rules import Limits as Rules
from relayed import END, PATIENCE_SECONDS, ask, header, piece, spoken

from dser_ext.audio2face import protocol
from dser_ext.server.limits import Limits

pytestmark = pytest.mark.slow  # waiting is what it is about

MODES = ("clip", "stream")
SECOND = bytes(32_000)
HASTY = Limits(idle_seconds=0.5, connect_seconds=0.5, linger_seconds=0.3, drain_seconds=2)
ROOT = Path(__file__).resolve().parents[2]


def failed(target: str, messages, **call) -> tuple[grpc.StatusCode, str, list]:
    """The code and the words that a call ends with, and what came before that."""
    answer = []
    with grpc.insecure_channel(target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        started = time.monotonic()
        running = process(iter(messages), timeout=PATIENCE_SECONDS, **call)
        with pytest.raises(grpc.RpcError) as caught:
            answer.extend(running)
        assert time.monotonic() - started < PATIENCE_SECONDS / 2
    return caught.value.code(), caught.value.details(), answer


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("failure", "frames", "code", "words"),
    [
        ("refuse", 0, grpc.StatusCode.INVALID_ARGUMENT, "Audio2Face refuses the line: the moon is in the wrong phase"),
        ("refuse", 5, grpc.StatusCode.INVALID_ARGUMENT, "the moon is in the wrong phase"),
        ("cut", 0, grpc.StatusCode.INTERNAL, "without saying that it was complete"),
        ("cut", 5, grpc.StatusCode.INTERNAL, "without saying that it was complete"),
        ("garbage", 5, grpc.StatusCode.INTERNAL, "no AnimationDataStream"),
        ("hang", 0, grpc.StatusCode.DEADLINE_EXCEEDED, "Audio2Face has sent nothing for 0.5 s"),
        ("hang", 5, grpc.StatusCode.DEADLINE_EXCEEDED, "Audio2Face has sent nothing for 0.5 s"),
    ],
)
def test_an_audio2face_that_fails_is_reported_in_words(
    start_a2f, start_relay, speech, mode, failure, frames, code, words
):
    spoil = a2f_server.after_frames(frames, a2f_server.FAILURES[failure])
    relay = start_relay(start_a2f(spoil=spoil).target, limits=HASTY, mode=mode)
    given, details, seen = failed(relay.target, spoken(speech[:24_000]))
    assert given is code
    assert words in details
    assert seen[-1].status.code == protocol.Status.ERROR
    assert seen[-1].status.message == details
    assert sum(message.HasField("animation_data") for message in seen) == frames


@pytest.mark.parametrize("mode", MODES)
def test_an_error_that_audio2face_reports_itself_is_passed_on_and_ends_the_call(start_a2f, start_relay, speech, mode):
    relay = start_relay(start_a2f(spoil=a2f_server.after_frames(3, a2f_server.report_error)).target, mode=mode)
    answer = ask(relay.target, spoken(speech[:16_000]))
    assert [message.status.message for message in answer if message.HasField("status")] == [
        "the network\nran out of memory"
    ]


def lie(change):
    def spoil(answer):
        for message in answer:
            if message.HasField("animation_data"):
                change(message.animation_data.skel_animation.blend_shape_weights[0])
            yield message

    return spoil


def nan(frame):
    frame.values[3] = float("nan")


def fewer(frame):
    del frame.values[5:]


def backwards(frame):
    frame.time_code = 100 - frame.time_code


@pytest.mark.parametrize("change", [nan, fewer, backwards])
@pytest.mark.parametrize("mode", MODES)
def test_what_audio2face_says_wrongly_is_the_clients_to_judge_and_passes(start_a2f, start_relay, speech, mode, change):
    relay = start_relay(start_a2f(spoil=lie(change)).target, mode=mode)
    answer = ask(relay.target, spoken(speech[:16_000]))
    assert answer[-1].status.code == protocol.Status.SUCCESS
    assert sum(message.HasField("animation_data") for message in answer) == 30


def test_an_audio2face_that_keeps_the_call_open_after_success_does_not_keep_the_client(start_a2f, start_relay, speech):
    def linger(answer):
        yield from answer
        raise a2f_server.SilentError

    relay = start_relay(start_a2f(spoil=linger).target, limits=HASTY)
    started = time.monotonic()
    assert ask(relay.target, spoken(speech[:16_000]))[-1].status.code == protocol.Status.SUCCESS
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("mode", MODES)
def test_a_slow_audio2face_is_waited_for(start_a2f, start_relay, speech, mode):
    def dawdle(answer):
        for number, message in enumerate(answer):
            time.sleep(0.2 if number % 10 == 0 else 0)
            yield message

    relay = start_relay(start_a2f(spoil=dawdle).target, limits=HASTY, mode=mode)
    assert ask(relay.target, spoken(speech[:16_000]))[-1].status.code == protocol.Status.SUCCESS


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_an_audio2face_that_is_gone_is_said_and_found_again_when_it_is_back(start_relay, speech, mode):
    port = free_port()
    relay = start_relay(f"127.0.0.1:{port}", limits=HASTY, mode=mode)
    for back in (True, False):
        code, details, _ = failed(relay.target, spoken(speech[:16_000]))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "no Audio2Face answers behind the relay; start it" in details
        if back:
            server = a2f_server.A2FServer(listen=f"127.0.0.1:{port}")
            time.sleep(1.1)  # the longest back-off
            assert ask(relay.target, spoken(speech[:16_000]))[-1].status.code == protocol.Status.SUCCESS
            server.stop()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("frames", [0, 5])
def test_an_audio2face_that_dies_in_mid_answer_is_reported(start_relay, speech, mode, frames):
    target = f"127.0.0.1:{free_port()}"
    command = [sys.executable, a2f_server.__file__, "--listen", target, "--fail", "die", "--after-frames", str(frames)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(a2f_server.__file__).parent)])}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline().startswith(b"listening")
            code, details, _ = failed(start_relay(target, limits=HASTY, mode=mode).target, spoken(speech[:24_000]))
        finally:
            server.kill()
    assert code is grpc.StatusCode.UNAVAILABLE
    assert target in details


@pytest.mark.slow
def test_an_audio2face_that_takes_nothing_is_given_up(start_relay, speech):
    class Deaf(a2f_server.A2FServer):
        def _process(self, _, context):
            over = threading.Event()
            context.add_callback(over.set)
            over.wait()
            yield from ()

    server = Deaf()
    relay = start_relay(server.target, limits=HASTY)
    sound = np.tile(speech, 20)[: 16_000 * 120]
    code, details, _ = failed(relay.target, spoken(sound, 160_000))
    server.stop()
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "Audio2Face has" in details


BAD = {
    "sound first": ([piece(SECOND)], "the header must come first"),
    "no end": ([header(), piece(SECOND)], "the stream ended without EndOfAudio"),
    "nothing": ([], "the stream ended without EndOfAudio"),
    "after the end": ([header(), piece(SECOND), END, piece(SECOND)], "nothing may follow EndOfAudio"),
    "stereo": (
        [protocol.AudioStream(audio_stream_header={"audio_header": {"channel_count": 2, "bits_per_sample": 16}})],
        "only mono 16-bit PCM",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("messages", "words"), BAD.values(), ids=BAD.keys())
def test_a_client_that_breaks_the_rules_is_told(start_a2f, start_relay, mode, messages, words):
    def slow(answer):
        for message in answer:
            time.sleep(0.02)
            yield message

    relay = start_relay(start_a2f(spoil=slow).target, mode=mode)
    code, details, _ = failed(relay.target, messages)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert words in details


def test_a_message_larger_than_the_limit_ends_the_call(start_a2f, start_relay):
    relay = start_relay(start_a2f().target, limits=Limits(message_bytes=10_000, connect_seconds=1))
    assert failed(relay.target, [header(), piece(SECOND), END])[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_falls_silent_is_given_up(start_a2f, start_relay, mode):
    over = threading.Event()

    def messages():
        yield header()
        yield piece(SECOND)
        over.wait(PATIENCE_SECONDS)

    relay = start_relay(start_a2f().target, limits=HASTY, mode=mode)
    code, details, _ = failed(relay.target, messages())
    over.set()
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "nothing came in for 0.5 s" in details


def until(condition, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_when_a_client_vanishes_its_upstream_call_is_cancelled(start_a2f, start_relay, speech, mode, count):
    """After so many messages; of 8 the last is EndOfAudio."""
    a2f = start_a2f(spoil=a2f_server.after_frames(3, a2f_server.hang))
    relay = start_relay(a2f.target, mode=mode)
    over = threading.Event()

    def messages():
        yield from spoken(speech[: 16_000 * 5])[:count]
        over.wait(PATIENCE_SECONDS)

    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        call = process(messages())
        time.sleep(0.2)
        call.cancel()
    over.set()
    assert until(lambda: relay.running == 0)
    assert until(lambda: a2f.running == 0)


def test_a_client_that_does_not_read_is_given_up(start_a2f, start_relay, speech):
    def flood(answer):
        yield next(answer)
        while True:
            yield protocol.AnimationDataStream(animation_data={"audio": {"audio_buffer": bytes(200_000)}})

    relay = start_relay(start_a2f(spoil=flood).target, limits=HASTY)
    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        call = process(iter(spoken(speech[:8000])))
        assert until(lambda: relay.running == 1)
        assert until(lambda: relay.running == 0)
        call.cancel()


def test_one_streams_failure_touches_no_other(start_a2f, start_relay, speech):
    fates = iter([None, "refuse", "hang", None, "garbage", None])
    lock = threading.Lock()

    def fate(answer):
        with lock:
            drawn = next(fates)
        yield from a2f_server.after_frames(4, a2f_server.FAILURES[drawn])(answer) if drawn else answer

    relay = start_relay(start_a2f(spoil=fate).target, limits=HASTY, mode="stream")
    results: list[object] = []

    def client():
        try:
            results.append(ask(relay.target, spoken(speech[:32_000], 3200))[-1].status.code)
        except grpc.RpcError as error:
            results.append(error.code())

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert results.count(protocol.Status.SUCCESS) == 3
    assert set(results) - {protocol.Status.SUCCESS} == {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
    }


def test_more_clips_than_the_limit_are_turned_away_in_words(start_a2f, start_relay, speech):
    relay, over = start_relay(start_a2f().target, limits=Limits(streams=1, connect_seconds=1)), threading.Event()

    def messages():
        yield header()
        over.wait(PATIENCE_SECONDS)
        yield from spoken(speech[:8000])[1:]

    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        first = process(messages(), timeout=PATIENCE_SECONDS)
        assert until(lambda: relay.running == 1)
        code, details, _ = failed(relay.target, spoken(speech[:8000]))
        over.set()
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "serves 1 clips at once already" in details
        assert len(list(first)) > 2


def test_an_audio2face_that_is_full_says_so_itself(start_a2f, start_relay, speech):
    server = start_a2f(limits=Rules(streams=1))
    over = threading.Event()

    def hold():
        yield header()
        over.wait(PATIENCE_SECONDS)

    with grpc.insecure_channel(server.target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        holding = process(hold())
        next(holding)
        code, details, _ = failed(start_relay(server.target).target, spoken(speech[:8000]))
        over.set()
        holding.cancel()
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "Audio2Face has no room for this line" in details


def test_when_it_is_told_to_stop_running_clips_end_well_and_new_ones_are_turned_away(start_a2f, start_relay, speech):
    relay, go = start_relay(start_a2f().target), threading.Event()

    def messages():
        yield header()
        go.wait(PATIENCE_SECONDS)
        yield from spoken(speech[:8000])[1:]

    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        running = process(messages(), timeout=PATIENCE_SECONDS)
        assert until(lambda: relay.running == 1)
        relay.stop(wait=False)
        time.sleep(0.2)
        assert failed(relay.target, spoken(speech[:8000]))[0] is grpc.StatusCode.UNAVAILABLE
        go.set()
        assert list(running)[-1].status.code == protocol.Status.SUCCESS
    relay.stop()


@pytest.mark.slow
def test_a_clip_that_does_not_end_does_not_keep_the_relay_from_stopping(start_a2f, start_relay):
    relay, over = start_relay(start_a2f().target, limits=HASTY), threading.Event()

    def messages():
        yield header()
        while not over.wait(0.1):
            yield piece(bytes(320))

    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        call = process(messages())
        assert until(lambda: relay.running == 1)
        started = time.monotonic()
        relay.stop()
        assert 1 < time.monotonic() - started < 5
        over.set()
        call.cancel()
