"""Metrics for Prometheus and traces for OpenTelemetry, of calls that are over; off unless asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dser_ext.audio2face.connection import is_loopback
from dser_ext.errors import DserError
from dser_ext.messages import SERVICE
from dser_ext.server.call import Resources
from dser_ext.server.journal import Ended

SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
"""Upper ends of the classes of times."""


def start_metrics(address: str, resources: Resources) -> Callable[[Ended], None]:
    """Answer Prometheus at "HOST:PORT" of this machine; returns what is to be told of each call.

    Raises DserError without prometheus-client, or if the address cannot be listened at.
    """
    try:
        import prometheus_client as prometheus
    except ModuleNotFoundError as error:
        raise DserError('metrics need prometheus-client; pip install "dser-audio2face[metrics]"') from error
    if not re.fullmatch(r".+:\d{1,5}", address) or not is_loopback(address):
        raise DserError(f"{address}: metrics are only told to this machine; write 127.0.0.1:PORT")
    registry = prometheus.CollectorRegistry()
    calls = prometheus.Counter("dser_calls", "Calls that are over.", ["method", "code"], registry=registry)
    took = {
        name: prometheus.Histogram(f"dser_{name}_seconds", help_, ["method"], registry=registry, buckets=SECONDS)
        for name, help_ in (
            ("call", "How long calls took."),
            ("wait", "How long calls waited for turns."),
            ("compute", "How long was computed for calls."),
        )
    }
    for name, help_, value in (
        ("dser_calls_running", "Calls that there are.", lambda: resources.load.calls),
        ("dser_steps_waiting", "Steps of calls that wait for a turn.", lambda: resources.turns.waiting),
    ):
        prometheus.Gauge(name, help_, registry=registry).set_function(value)
    host, _, port = address.rpartition(":")
    try:
        prometheus.start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise DserError(
            f"{address}: cannot listen there for metrics ({error.strerror}); choose another port"
        ) from error

    def measure(ended: Ended) -> None:
        calls.labels(ended.method, ended.code).inc()
        took["call"].labels(ended.method).observe(ended.seconds)
        took["wait"].labels(ended.method).observe(ended.caller.waited_seconds)
        took["compute"].labels(ended.method).observe(ended.caller.computed_seconds)

    return measure


def start_traces(provider: Any = None) -> Callable[[Ended], None]:
    """Send a span of each call where OpenTelemetry's own OTEL_* variables say; returns what is to be told of each call.

    A caller's trace (traceparent in the call's metadata) goes on. provider: another one than that of OTLP over gRPC.
    Raises DserError without OpenTelemetry's packages.
    """
    try:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if provider is None:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

            named = OTELResourceDetector().detect().attributes.get("service.name", "dser")
            provider = TracerProvider(resource=Resource.create({"service.name": named}))
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ModuleNotFoundError as error:
        raise DserError(f'traces need {error.name}; pip install "dser-audio2face[traces]"') from error
    tracer, propagator = provider.get_tracer("dser"), TraceContextTextMapPropagator()

    def trace(ended: Ended) -> None:
        carrier = {key: value for key, value in ended.metadata if isinstance(value, str)}
        span = tracer.start_span(
            f"{SERVICE}/{ended.method}",
            propagator.extract(carrier),
            SpanKind.SERVER,
            {
                "rpc.system": "grpc",
                "rpc.service": SERVICE,
                "rpc.method": ended.method,
                "rpc.grpc.status_code": ended.code,
                "dser.waited_seconds": ended.caller.waited_seconds,
                "dser.computed_seconds": ended.caller.computed_seconds,
            },
            start_time=round(ended.start_seconds * 1e9),
        )
        if ended.code != "OK":
            span.set_status(StatusCode.ERROR, ended.code)
        span.end(round((ended.start_seconds + ended.seconds) * 1e9))

    return trace
