"""The older app's streaming player gets the sound, sample for sample, or the user one sentence."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from a2f_app import STREAMING

from dser_ext.audio2face.app_player import play
from dser_ext.errors import Audio2FaceError, AudioError

LINE = np.random.default_rng(1).uniform(-1, 1, 8_100).astype(np.float32)


def complaint(target: str, message: str, player: str = STREAMING) -> None:
    with pytest.raises(Audio2FaceError, match=message) as caught:
        play(LINE, target, player, timeout_seconds=0.3)
    assert str(caught.value).startswith(f"{target}: ")
    assert str(caught.value).isprintable()


def test_the_player_gets_the_line_sample_for_sample_in_small_pieces(start_player):
    peer = start_player()
    play(LINE, peer.target)
    np.testing.assert_array_equal(peer.sound, LINE)
    assert [len(piece) for piece in peer.pieces] == [6400] * 5 + [400]
    (start,) = peer.starts
    assert (start.instance_name, start.samplerate, start.block_until_playback_is_finished) == (STREAMING, 16_000, False)


def test_another_player_may_be_named(start_player):
    peer = start_player(instance="/World/ann/Player")
    play(LINE, peer.target, "/World/ann/Player")
    complaint(peer.target, "refuses the sound: Unable to find the instance; check that the scene has .* --player")


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    complaint(f"127.0.0.1:{port}", "no streaming player of Audio2Face answers there")


def test_another_service_listens(start_a2f):
    complaint(start_a2f().target, "not Audio2Face's streaming player .* use --a2f")


def test_a_service_of_another_kind_listens():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    complaint(f"127.0.0.1:{port}", "not Audio2Face's streaming player")
    server.stop(None)


def test_a_player_that_hangs_is_given_up(start_player):
    over = threading.Event()
    peer = start_player(answer=lambda _: over.wait(5))
    started = time.monotonic()
    complaint(peer.target, r"has not taken the sound within 0\.80625 s")
    assert time.monotonic() - started < 3
    over.set()


def test_a_player_that_breaks_down_is_quoted(start_player):
    peer = start_player(answer=lambda context: context.abort(grpc.StatusCode.INTERNAL, "bang\n" * 100))
    complaint(peer.target, r"failed: bang bang .*\(INTERNAL\); see the app's log")


@pytest.mark.parametrize("target", ["", "localhost", "http://localhost:50051", "localhost:0", "localhost:65536"])
def test_an_address_must_be_host_and_port(target):
    with pytest.raises(Audio2FaceError, match="HOST:PORT"):
        play(LINE, target)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((10, 2)), np.array([0, np.nan])])
def test_sound_that_cannot_be_sent_is_named_before_anyone_is_called(samples):
    with pytest.raises(AudioError):
        play(samples, "localhost:1")
