"""What every call has in common: who may call, what can be asked about the service, and messages that are too large."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from service import PATIENCE_SECONDS, line, method

import dser_ext
from dser_ext import messages
from dser_ext.pool import POOL
from dser_ext.server.door import Door

SOUND = dser_ext.sample_line().read_bytes()


def test_reflection_tells_the_whole_declaration(running_service):
    with grpc.insecure_channel(running_service.target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {messages.SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
        theirs = DescriptorPool(database).FindServiceByName(messages.SERVICE)
    ours = POOL.FindServiceByName(messages.SERVICE)
    assert [found.name for found in theirs.methods] == [found.name for found in ours.methods]
    assert theirs.methods_by_name["Recognize"].input_type.fields_by_name["audio"].number == 2


@pytest.mark.parametrize("service", ["", messages.SERVICE])
def test_health_is_told_without_a_token(start_service, service):
    running = start_service(door=Door("127.0.0.1:0", token="secret"))
    with grpc.insecure_channel(running.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("name", messages.METHODS)
def test_every_call_asks_for_the_token(start_service, name):
    running = start_service(door=Door("127.0.0.1:0", token="secret"))
    with grpc.insecure_channel(running.target) as channel:
        call = channel.stream_stream(f"/{messages.SERVICE}/{name}")
        for metadata in ((), (("authorization", "Bearer secreT"),), (("authorization", "secret"),)):
            with pytest.raises(grpc.RpcError, match="a token is needed") as caught:
                list(call(iter([b""]), timeout=PATIENCE_SECONDS, metadata=metadata))
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_message_that_is_too_large_is_refused_and_the_next_call_works(running_service):
    huge = messages.RecognizeRequest(options=messages.RecognizeOptions(voice=bytes(5 << 20)))
    with grpc.insecure_channel(running_service.target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(method(channel, "Recognize")(iter([huge]), timeout=PATIENCE_SECONDS))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert list(method(channel, "Recognize")(line(SOUND), timeout=PATIENCE_SECONDS))


def test_a_model_can_be_asked_for_and_another_cannot(running_service, violations):
    with grpc.insecure_channel(running_service.target) as channel:
        found = method(channel, "GetModel")(messages.GetModelRequest(name="dser-base"), timeout=PATIENCE_SECONDS)
        assert found.model.name == "dser-base"
        with pytest.raises(grpc.RpcError) as caught:
            method(channel, "GetModel")(messages.GetModelRequest(name="no"), timeout=PATIENCE_SECONDS)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert [violation.field for violation in violations(caught.value)] == ["name"]
