"""A request's order and limits are checked, and Maya-ACE's quirks put right."""

from __future__ import annotations

from typing import Any

import pytest
from relayed import END, header, piece

from dser_ext.audio2face import protocol
from dser_ext.server.limits import Limits
from dser_ext.server.refusal import RefusalError
from dser_ext.server.request import Piece, Request

SECOND = bytes(32_000)


def taken(*messages: Any, limits: Limits | None = None) -> list[Piece]:
    request = Request(limits or Limits())
    pieces = [request.take(message.SerializeToString()) for message in messages]
    return [piece for piece in pieces if piece is not None]


def stereo(**more: int) -> Any:
    audio = {"channel_count": 1, "samples_per_second": 16_000, "bits_per_sample": 16, **more}
    return protocol.AudioStream(audio_stream_header={"audio_header": audio})


REFUSED = {
    "sound before the header": ([piece(SECOND)], "the header must come first"),
    "the end before the header": ([END], "the header must come first"),
    "two headers": ([header(), header()], "only one header"),
    "nothing in a message": ([header(), protocol.AudioStream()], "without content"),
    "sound after the end": ([header(), piece(SECOND), END, piece(SECOND)], "nothing may follow EndOfAudio"),
    "no sound": ([header(), piece(b""), END], "no sound before EndOfAudio"),
    "no audio header": ([protocol.AudioStream(audio_stream_header={})], "only mono 16-bit PCM"),
    "stereo": ([stereo(channel_count=2)], "only mono 16-bit PCM"),
    "24 bits": ([stereo(bits_per_sample=24)], "only mono 16-bit PCM"),
    "another format": ([stereo(audio_format=3)], "only mono 16-bit PCM"),
    "8 kHz": ([header(8_000)], "a sample rate of 8000 Hz"),
    "192 kHz": ([header(192_000)], "a sample rate of 192000 Hz"),
    "11 s in a message": ([header(), piece(11 * SECOND)], "more than 10 s of sound in a message"),
    "301 s": ([header(), *[piece(10 * SECOND)] * 30, piece(SECOND)], "more than 300 s of sound"),
    "a negative time": ([header(), piece(SECOND, (-1.0, {}))], "negative or not finite"),
    "no time": ([header(), piece(SECOND, (float("nan"), {}))], "negative or not finite"),
}


@pytest.mark.parametrize(("messages", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(messages, words):
    with pytest.raises(RefusalError, match=words):
        taken(*messages)


def test_too_many_keys_are_refused():
    with pytest.raises(RefusalError, match="more than 3 emotion keys"):
        taken(header(), piece(SECOND, *[(number / 10, {}) for number in range(4)]), limits=Limits(keys=3))


def test_bytes_that_are_no_message_are_refused():
    with pytest.raises(RefusalError, match="no AudioStream"):
        Request(Limits()).take(b"\xff\xff\xff")


def test_a_message_goes_on_byte_for_byte_with_what_we_do_not_know_of_it():
    unknown = piece(SECOND, (0.3, {"joy": 1.0})).SerializeToString() + b"\x9a\x06\x02hi"  # field 99
    request = Request(Limits())
    request.take(header().SerializeToString())
    assert request.take(unknown).data == unknown
    assert request.take(piece(b"").SerializeToString()).with_keys([]) == piece(b"").SerializeToString()


def test_chunks_know_where_they_lie_in_the_clip():
    pieces = taken(header(48_000), piece(bytes(96_000)), piece(bytes(3)), piece(b""))
    assert [each.start for each in pieces] == [0, 1, 96_003 / 96_000]
    assert [each.end for each in pieces] == [1, 96_003 / 96_000, 96_003 / 96_000]


def test_mayas_name_of_a_breathless_face_is_put_right_in_keys_and_header():
    request = Request(Limits())
    request.take(header(emotion_params={"beginning_emotion": {"out_of_breath": 0.5}}).SerializeToString())
    assert dict(request.header.emotion_params.beginning_emotion) == {"outofbreath": 0.5}
    mended = request.take(piece(SECOND, (0.1, {"out_of_breath": 0.25, "joy": 1.0})).SerializeToString())
    expected = piece(SECOND, (0.1, {"outofbreath": 0.25, "joy": 1.0}))
    assert protocol.AudioStream.FromString(mended.data) == expected
    assert dict(mended.keys[0].emotion) == {"outofbreath": 0.25, "joy": 1.0}


def times(*messages: Any) -> list[float]:
    return [key.time_code for each in taken(header(), *messages) for key in each.keys]


def test_mayas_doubled_time_codes_are_halved():
    static = {"joy": 0.5}
    assert times(*[piece(SECOND, (2.0 * number, static)) for number in range(4)]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "keys",
    [
        [(0.0, {"joy": 0.5}), (2.0, {"joy": 0.6})],  # not static
        [(0.0, {"joy": 0.5}), (1.0, {"joy": 0.5})],  # right already, as the Unreal plugin's
        [(0.1, {"joy": 0.5}), (2.0, {"joy": 0.5})],  # not by the chunks' first bytes
    ],
)
def test_other_time_codes_are_left_alone(keys):
    assert times(*[piece(SECOND, key) for key in keys]) == [time for time, _ in keys]


def test_a_client_that_sends_several_keys_with_a_chunk_is_not_maya():
    both = [(0.0, {"joy": 0.5}), (0.5, {"joy": 0.5})]
    assert times(piece(SECOND, *both), piece(SECOND, (2.0, {"joy": 0.5}))) == [0, 0.5, 2]
