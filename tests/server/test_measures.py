"""What is noted of calls: a log that holds no secrets, metrics, and spans that go on where a caller's trace was."""

from __future__ import annotations

import json
import logging
import time

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from service import PATIENCE_SECONDS, line, method

import dser_ext
from dser_ext.errors import DserError
from dser_ext.server.journal import Caller, Ended, _Json, _Text, note
from dser_ext.server.measures import start_metrics, start_traces

SOUND = dser_ext.sample_line().read_bytes()
CALL = Ended(
    "Recognize", Caller("ipv4:127.0.0.1:5\n", 0.25, 0.5), "OK", 1e9, 1.0, (("authorization", "Bearer secret"),)
)


@pytest.mark.parametrize("form", [_Text(), _Json()])
def test_a_call_is_one_line_without_secrets(form, caplog):
    with caplog.at_level(logging.INFO, "dser"):
        note(CALL)
    (record,) = [each for each in caplog.records if each.name == "dser"]  # other services may still be ending
    text = form.format(record)
    assert "\n" not in text
    assert "secret" not in text
    assert "Recognize" in text
    assert "waited_seconds" in text


def test_json_is_json(caplog):
    with caplog.at_level(logging.INFO, "dser"):
        note(CALL)
    said = json.loads(_Json().format(next(each for each in caplog.records if each.name == "dser")))
    assert (said["event"], said["code"], said["computed_seconds"]) == ("call", "OK", 0.5)


def test_a_span_tells_of_a_call_and_goes_on_where_the_callers_trace_was(start_service):
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    running = start_service(observers=[start_traces(provider)])
    trace = "0af7651916cd43dd8448eb211c80319c"
    metadata = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
    with grpc.insecure_channel(running.target) as channel:
        list(method(channel, "Recognize")(line(SOUND), timeout=PATIENCE_SECONDS, metadata=metadata))
        with pytest.raises(grpc.RpcError):
            list(method(channel, "Recognize")(line(b""), timeout=PATIENCE_SECONDS))
    until = time.monotonic() + PATIENCE_SECONDS
    while len(spans.get_finished_spans()) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    good, bad = spans.get_finished_spans()
    assert f"{good.context.trace_id:032x}" == trace
    assert good.attributes["rpc.method"] == "Recognize"
    assert 0 < good.attributes["dser.computed_seconds"] <= (good.end_time - good.start_time) / 1e9
    assert (good.status.is_ok or good.status.is_unset, bad.status.is_ok) == (True, False)


@pytest.mark.parametrize("address", ["0.0.0.0:1", "nowhere", "10.0.0.1:9"])
def test_metrics_are_for_this_machine(address, running_service):
    with pytest.raises(DserError, match="only told to this machine"):
        start_metrics(address, running_service.resources)
