"""Any client that points at the relay gets Audio2Face's answer, with the emotions of what is said."""

from __future__ import annotations

import itertools
import queue
import threading
import time

import a2f_server
import grpc
import numpy as np
import pytest
import soxr
from a2f_rules import Limits as Rules
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from relayed import END, ask, felt, frames, header, piece, sent_keys, spoken

from dser_ext.audio import AudioArray
from dser_ext.audio2face import protocol
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.formats.track_json import Performance
from dser_ext.recognition.recognizer import loaded
from dser_ext.recognition.stream import Stream
from dser_ext.server.limits import Limits
from dser_ext.server.lines import STEP_SECONDS
from dser_ext.server.voices import Voices

JOY = A2F_EMOTIONS.index("joy")
MODES = ("clip", "stream")


@pytest.fixture(scope="module")
def a2f():
    server = a2f_server.A2FServer(limits=Rules(half_samples=True))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def relays(a2f, running_relay):
    started = {mode: running_relay(a2f.target, mode=mode) for mode in MODES}
    yield started
    for relay in started.values():
        relay.stop()


def expected(sound: np.ndarray, rate: int = 16_000):
    return Performance.of(loaded().track(loaded().hear(AudioArray(sound, rate))))


@pytest.mark.parametrize("mode", MODES)
def test_the_answer_is_audio2faces_and_the_request_the_clients(a2f, relays, speech, mode):
    answer = ask(relays[mode].target, spoken(speech))
    kinds = [message.WhichOneof("stream_part") for message in answer]
    assert kinds == ["animation_data_stream_header", *["animation_data"] * 199, "event", "status"]
    assert (answer[-1].status.code, answer[-1].status.message) == (protocol.Status.SUCCESS, "all animation sent")
    request = a2f.requests[-1]
    assert bytes(request.sound) == speech.tobytes()
    assert request.pieces == [len(message.audio_with_emotion.audio_buffer) for message in spoken(speech)[1:-1]]


def test_in_clip_mode_the_face_feels_the_keys_of_the_whole_line(a2f, relays, speech):
    answer = ask(relays["clip"].target, spoken(speech))
    keys = expected(speech).keyframes
    np.testing.assert_allclose(sent_keys(a2f.requests[-1]).values, keys.values, atol=1e-5)
    np.testing.assert_allclose(felt(answer), keys.at(np.arange(199) / 30), atol=1e-5)
    assert np.ptp(felt(answer), axis=0).max() > 0.5  # the line changes its mood


@pytest.mark.slow
def test_in_stream_mode_the_face_feels_the_curves_of_the_stream(a2f, relays, speech):
    answer = ask(relays["stream"].target, spoken(speech, 1600))
    stream = Stream(loaded(), step_seconds=STEP_SECONDS)
    told = np.concatenate([stream.feed(speech.astype(np.float32) / 32768), stream.end()])
    curves = Style().apply(EmotionTrack(np.arange(len(told)) / 50, told), 30)
    felt_now = felt(answer)
    np.testing.assert_allclose(felt_now, curves.values[: len(felt_now)], atol=0.02 + 1e-4)
    np.testing.assert_allclose(felt_now, sent_keys(a2f.requests[-1]).at(np.arange(len(felt_now)) / 30), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=12, deadline=None)
@given(
    rate=st.integers(16_000, 144_000),
    length=st.floats(0.001, 2.5),
    cuts=st.lists(st.floats(0, 1), max_size=8),
    empty_last=st.booleans(),
    odd=st.booleans(),
)
def test_any_rate_and_any_chunks_arrive_byte_for_byte_and_no_key_too_late(
    a2f, relays, speech, mode, rate, length, cuts, empty_last, odd
):
    sound = soxr.resample(speech[: max(16, round(16_000 * length))], 16_000, rate).tobytes()
    sound += b"x" * odd
    places = sorted({0, len(sound), *(round(cut * len(sound)) for cut in cuts)})
    pieces = [sound[start:stop] for start, stop in itertools.pairwise(places)] + [b""] * empty_last
    answer = ask(relays[mode].target, [header(rate), *map(piece, pieces), END])
    request = a2f.requests[-1]
    assert bytes(request.sound) == sound
    assert request.pieces == [len(each) for each in pieces]
    assert request.sample_rate == rate
    moments = np.arange(len(felt(answer))) / 30
    if len(moments):
        np.testing.assert_allclose(felt(answer), sent_keys(request).at(moments), atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_recognised_comes_back_beside_the_animation(relays, speech, mode):
    answer = ask(relays[mode].target, spoken(speech))
    notes = [frame.metadata["dser"] for frame in frames(answer) if "dser" in frame.metadata]
    unpacked = [struct_pb2.Struct() for _ in notes]
    assert all(note.Unpack(into) for note, into in zip(notes, unpacked, strict=True))
    assert list(unpacked[0]["emotions"]) == list(EMOTIONS)
    assert unpacked[0]["model"].startswith("dser-base ")
    times = [time for note in unpacked for time in note["times"]]
    np.testing.assert_allclose(times, np.arange(len(times)) / 50)
    assert len(times) == int(np.ceil(len(speech) / 320))
    rows = np.array([list(row) for note in unpacked for row in note["concentration"]])
    if mode == "clip":
        np.testing.assert_allclose(rows, expected(speech).track.concentration, rtol=1e-5)
    for frame in frames(answer):
        times = (
            list(frame.metadata["dser"].value) and struct_pb2.Struct.FromString(frame.metadata["dser"].value)["times"]
        )
        assert all(time <= frame.audio.time_code + 0.04 for time in times)


@pytest.mark.parametrize("mode", MODES)
def test_the_answer_is_otherwise_untouched_even_what_we_do_not_know_of_it(start_a2f, start_relay, speech, mode):
    said = []

    def note(answer):
        for message in answer:
            data = message.SerializeToString() + b"\x9a\x06\x02hi"  # field 99
            said.append(data)
            yield data

    relay = start_relay(start_a2f(spoil=note).target, mode=mode)
    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        heard = list(process(iter(spoken(speech[:16_000])), timeout=20))
    assert len(heard) == len(said)
    assert all(one.startswith(other) for one, other in zip(heard, said, strict=True))
    for data in heard:
        message = protocol.AnimationDataStream.FromString(data)
        packed = message.animation_data.metadata["emotion_aggregate"].value
        assert not protocol.EmotionAggregate.FromString(packed).a2e_output


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_never_half_closes_is_served_to_the_end(relays, speech, mode):
    never: queue.Queue[None] = queue.Queue()

    def messages():
        yield from spoken(speech[:16_000])
        never.get()

    started = time.monotonic()
    answer = ask(relays[mode].target, messages())
    never.put(None)
    assert answer[-1].status.code == protocol.Status.SUCCESS
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("mode", MODES)
def test_an_audio2face_that_waits_for_the_half_close_is_given_one(start_relay, speech, mode):
    class Patient(a2f_server.A2FServer):
        def _process(self, incoming, context):
            messages = list(incoming)  # as Maya-ACE's mock does
            yield from super()._process(iter(messages), context)

    server = Patient()
    answer = ask(start_relay(server.target, mode=mode).target, spoken(speech[:16_000]))
    server.stop()
    assert answer[-1].status.code == protocol.Status.SUCCESS


KEYED = [header(), piece(bytes(32_000), (0.0, {"joy": 0.5})), piece(bytes(32_000), (1.5, {"joy": 0.25})), END]


@pytest.mark.parametrize("mode", MODES)
def test_only_if_absent_passes_a_client_with_keys_through(start_relay, a2f, mode):
    relay = start_relay(a2f.target, mode=mode, mix="only-if-absent")
    ask(relay.target, KEYED)
    request = a2f.requests[-1]
    assert request.keys == [(0.0, {"joy": 0.5}), (1.5, {"joy": 0.25})]
    assert request.header == header().audio_stream_header


@pytest.mark.parametrize("mode", MODES)
def test_add_puts_our_emotions_on_the_clients(start_relay, a2f, speech, mode):
    relay = start_relay(a2f.target, mode=mode, mix="add")
    messages = spoken(speech)
    alone = ask(relay.target, messages)
    ours = sent_keys(a2f.requests[-1])
    messages[1].audio_with_emotion.emotions.add(time_code=0.0, emotion={"joy": 0.25})
    both = ask(relay.target, messages)
    moments = np.arange(0, 6, 0.1)
    summed = sent_keys(a2f.requests[-1]).at(moments)
    np.testing.assert_allclose(summed[:, JOY], np.minimum(ours.at(moments)[:, JOY] + 0.25, 1), atol=0.05)
    assert a2f.requests[-1].header == header().audio_stream_header
    assert len(alone) == len(both)


@pytest.mark.parametrize("mode", MODES)
def test_silence_is_neutral(relays, mode):
    answer = ask(relays[mode].target, [header(), piece(bytes(64_000)), END])
    assert felt(answer).max() < 0.05


@pytest.mark.slow
def test_in_stream_mode_sound_leaves_while_the_line_goes_on(start_relay, a2f, speech):
    relay, times = start_relay(a2f.target, mode="stream"), {}

    def messages():
        for number, message in enumerate(spoken(speech[: 16_000 * 3], 1600)):
            times[number] = time.monotonic()
            yield message
            time.sleep(0.05)

    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        first = None
        for message in process(messages(), timeout=20):
            if first is None and message.HasField("animation_data"):
                first = time.monotonic()
    assert first < times[len(times) - 1] - 0.5


def test_in_stream_mode_a_line_with_keys_that_stay_is_not_held(start_relay, a2f):
    relay = start_relay(a2f.target, mode="stream", mix="only-if-absent")
    answered = threading.Event()

    def messages():
        yield header()
        yield piece(bytes(3200), (0.0, {"joy": 0.5}))
        assert answered.wait(10), "0.1 s of sound was held until more came"
        yield END

    with grpc.insecure_channel(relay.target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        for message in process(messages(), timeout=20):
            if message.HasField("animation_data_stream_header") or message.HasField("animation_data"):
                answered.set()
    assert answered.is_set()


def test_a_voice_is_learned_by_name_and_changes_the_next_line(a2f, start_relay, speech):
    voices = Voices(None, learn=True, limits=Limits())
    relay = start_relay(a2f.target, voices=voices)
    lines = [speech[:32_000], speech[32_000:64_000], speech[64_000:]]
    for line in lines:
        ask(relay.target, spoken(line), metadata=(("dser-voice", "hero"),))
    assert voices.of("hero").profile.lines == 3
    assert voices.of("villain") is None
    request = a2f.requests[-1]
    recognizer = loaded()
    hearing = recognizer.hear(AudioArray(lines[2], 16_000))
    heard = [recognizer.hear(AudioArray(line, 16_000)).profile for line in lines[:2]]
    keys = Performance.of(recognizer.track(hearing, heard[0].merged(heard[1]))).keyframes
    np.testing.assert_allclose(sent_keys(request).values, keys.values, atol=1e-5)
    assert not np.allclose(keys.at(1.0), expected(lines[2]).keyframes.at(1.0), atol=1e-3)


def test_in_stream_mode_a_voice_is_learned_too(a2f, start_relay, speech):
    voices = Voices(None, learn=True, limits=Limits())
    ask(start_relay(a2f.target, voices=voices, mode="stream").target, spoken(speech))
    (speaker,) = voices._lines
    profile = voices.of(speaker).profile
    assert speaker in ("ipv4:127.0.0.1", "ipv6:[::1]")
    whole = loaded().hear(AudioArray(speech, 16_000)).profile
    assert profile.seconds == pytest.approx(whole.seconds, abs=0.3)


def test_other_metadata_goes_on_and_ours_does_not(a2f, relays, speech):
    ask(relays["clip"].target, spoken(speech[:8000]), metadata=(("function-id", "x"), ("dser-voice", "y")))
    assert a2f.metadata[-1]["function-id"] == "x"
    assert "dser-voice" not in a2f.metadata[-1]
