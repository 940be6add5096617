"""Who may come in, and whether the relay says that it is well."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
import pytest
from relayed import PATIENCE_SECONDS, ask, spoken

from dser_ext.audio2face import protocol
from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.health import SERVICE as HEALTH
from dser_ext.audio2face.health import HealthCheckRequest, HealthCheckResponse
from dser_ext.errors import DserError
from dser_ext.server.door import Door
from dser_ext.server.limits import Limits


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0", "127.8.8.8:0"])
def test_this_machine_needs_neither_tls_nor_token(address):
    assert Door(address).token is None


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "10.0.0.7:0", "relay.example:0"])
@pytest.mark.parametrize("lacking", ["certificate", "key", "token"])
def test_others_need_both(address, lacking):
    full = {"certificate": b"c", "key": b"k", "token": "t"}
    Door(address, **full)
    with pytest.raises(DserError, match="others than this machine could come in"):
        Door(address, **{name: value for name, value in full.items() if name != lacking})


def test_a_token_is_asked_for_in_words_and_does_not_go_on(start_a2f, start_relay, speech):
    server = start_a2f()
    relay = start_relay(server.target, door=Door("127.0.0.1:0", token="secret"))
    for wrong in ((), (("authorization", "Bearer secreT"),), (("authorization", "secret"),)):
        with pytest.raises(grpc.RpcError, match="a token is needed") as caught:
            ask(relay.target, spoken(speech[:8000]), metadata=wrong)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    answer = ask(relay.target, spoken(speech[:8000]), metadata=(("authorization", "Bearer secret"),))
    assert answer[-1].status.code == protocol.Status.SUCCESS
    assert len(server.metadata) == 1
    assert "authorization" not in server.metadata[0]


def test_without_a_token_of_ours_the_clients_own_goes_on(start_a2f, start_relay, speech):
    server = start_a2f()
    ask(start_relay(server.target).target, spoken(speech[:8000]), metadata=(("authorization", "Bearer theirs"),))
    assert server.metadata[0]["authorization"] == "Bearer theirs"


def test_it_speaks_tls(start_a2f, start_relay, speech, certificates):
    pem = [Path(certificates.path(f"service.{end}")).read_bytes() for end in ("pem", "key")]
    authority = Path(certificates.path("authority.pem")).read_bytes()
    relay = start_relay(start_a2f().target, door=Door("localhost:0", *pem))
    with grpc.secure_channel(relay.target, grpc.ssl_channel_credentials(authority)) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        answer = list(process(iter(spoken(speech[:8000])), timeout=PATIENCE_SECONDS))
    assert answer[-1].status.code == protocol.Status.SUCCESS


def test_a_port_that_is_taken_is_said(start_a2f, start_relay):
    relay = start_relay(start_a2f().target)
    server = grpc.server(None, options=[("grpc.so_reuseport", 0)])
    with pytest.raises(DserError, match="cannot listen there; choose another port"):
        Door(relay.target).open(server)


def check(target: str, service: str = ""):
    with grpc.insecure_channel(target) as channel:
        method = channel.unary_unary(
            f"/{HEALTH}/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
        )
        return method(HealthCheckRequest(service=service), timeout=5).status


def test_it_says_that_it_serves(start_a2f, start_relay):
    target = start_relay(start_a2f().target).target
    assert check(target) == check(target, protocol.SERVICE) == 1
    with pytest.raises(grpc.RpcError) as caught:
        check(target, "no.such.Service")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_who_watches_is_told_when_it_stops(start_a2f, start_relay):
    relay = start_relay(start_a2f().target, limits=Limits(drain_seconds=2))
    with grpc.insecure_channel(relay.target) as channel:
        method = channel.unary_stream(
            f"/{HEALTH}/Watch", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
        )
        watching = method(HealthCheckRequest(), timeout=PATIENCE_SECONDS)
        assert next(watching).status == 1
        started = time.monotonic()
        relay.stop(wait=False)
        assert [answer.status for answer in watching] == [2]
        assert time.monotonic() - started < 2
    relay.stop()


def test_audio2face_is_reached_over_tls_with_the_key_of_the_relay(
    start_a2f, start_relay, speech, certificates, monkeypatch
):
    monkeypatch.setenv("DSER_A2F_API_KEY", "secret")
    server = start_a2f(credentials=certificates.server(mutual=True))
    own = [certificates.path(f"client.{end}") for end in ("pem", "key")]
    address = server.target.replace("127.0.0.1", "localhost")
    way = Connection(address, True, certificates.path("authority.pem"), *own, function_id="f")
    relay = start_relay(way)
    answer = ask(relay.target, spoken(speech[:8000]), metadata=(("authorization", "Bearer theirs"), ("other", "x")))
    assert answer[-1].status.code == protocol.Status.SUCCESS
    sent = server.metadata[0]
    assert (sent["authorization"], sent["function-id"], sent["other"]) == ("Bearer secret", "f", "x")
