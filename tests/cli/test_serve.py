"""dser serve as its user starts it: what it says, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

import dser_ext
from dser_ext.client import Address, Client, ListModels, Push, Recognize
from dser_ext.errors import ServiceError
from dser_ext.recognition.bundle import ModelBundle

PATIENCE_SECONDS = 30
pytestmark = pytest.mark.slow


class Served:
    """A running dser serve. address: where it listens. lines: its log so far."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "dser_ext.cli.main", "serve", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.lines: list[str] = []
        while not any("listening" in line for line in self.lines):
            line = self.process.stderr.readline()
            assert line, self.lines
            self.lines.append(line.strip())
        said = self.lines[-1]
        self.address = json.loads(said)["address"] if said[0] == "{" else said.split("address=")[1].split()[0]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.lines += (self.process.communicate(timeout=PATIENCE_SECONDS)[1] or "").splitlines()
        return self.process.returncode


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(*arguments: str, **environment: str) -> Served:
        running.append(Served(*arguments, **environment))
        return running[-1]

    yield start
    for served in running:
        served.process.kill()
        served.process.wait()


def test_it_serves_logs_and_ends_when_it_is_told_to(serve):
    served = serve("--listen", "127.0.0.1:0", "--log-format", "json")
    with Client(served.address) as client:
        client.call(Recognize(dser_ext.sample_line()))
    assert served.end() == 0
    first, call, last = map(json.loads, served.lines)
    assert (first["event"], last["event"]) == ("listening", "stopped")
    assert (call["event"], call["method"], call["code"]) == ("call", "Recognize", "OK")
    assert 0 < call["computed_seconds"] <= call["seconds"]
    assert "three_moods" not in served.lines[1]


def test_flags_count_more_than_variables_and_those_more_than_the_file(serve, tmp_path):
    config = tmp_path / "serve.yaml"
    config.write_text(f"listen: unix:{tmp_path}/file\nlog-format: json\ntraces: false\nmodel: [dser-base]\n")
    assert serve("--config", str(config)).address == f"unix:{tmp_path}/file"
    assert serve("--config", str(config), DSER_LISTEN=f"unix:{tmp_path}/own").address == f"unix:{tmp_path}/own"
    third = serve("--listen", "127.0.0.1:0", DSER_LISTEN=f"unix:{tmp_path}/no", DSER_CONFIG=str(config))
    assert third.address.startswith("127.0.0.1:")
    assert third.lines[-1].startswith("{")  # the file's log-format


def test_a_socket_is_its_users_alone_and_goes_with_the_service(serve, tmp_path):
    path = tmp_path / "dser.sock"
    served = serve("--listen", f"unix:{path}", DSER_TOKEN="secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ServiceError, match="a token is needed"), Client(served.address) as client:
        client.call(ListModels())
    with Client(Address(served.address, token="secret")) as client:
        assert client.call(ListModels())
    served.process.kill()
    served.process.wait()
    assert path.exists()  # as after a crash
    again = serve("--listen", f"unix:{path}")
    assert again.end(signal.SIGINT) == 0
    assert not path.exists()


def test_running_calls_end_before_it_does_and_a_second_signal_does_not_wait(serve):
    served = serve("--listen", "127.0.0.1:0")
    samples = [0.0] * 16_000
    with Client(served.address) as client:
        line = client.stream(dser_ext.client.Live(16_000), _slowly(samples, served))
        parts = list(line)
    assert sum(len(part.concentration) for part in parts[1:]) == 100
    assert served.process.wait(PATIENCE_SECONDS) == 0
    other = serve("--listen", "127.0.0.1:0")
    with Client(other.address) as client:
        stuck = client.stream(dser_ext.client.Live(16_000), _slowly(samples, other, pause=20))
        next(stuck)
        other.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        start = time.monotonic()
        assert other.end() == 0
        assert time.monotonic() - start < 10


def _slowly(samples: list[float], served: Served, pause: float = 0.5) -> Iterator[list[float]]:
    """Two seconds, and the end of the service announced between them."""
    yield samples
    served.process.send_signal(signal.SIGTERM) if pause < 1 else None
    time.sleep(pause)
    yield samples


def test_metrics_are_there_for_prometheus(serve):
    from socket import socket

    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = serve("--listen", "127.0.0.1:0", "--metrics", f"127.0.0.1:{port}")
    with Client(served.address) as client:
        client.call(Recognize(dser_ext.sample_line()))
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    assert 'dser_calls_total{code="OK",method="Recognize"} 1.0' in text
    assert 'dser_compute_seconds_count{method="Recognize"} 1.0' in text


def test_spans_go_where_the_variables_of_opentelemetry_say(serve):
    collector, received = grpc.server(ThreadPoolExecutor(1)), []

    class Collector(TraceServiceServicer):
        def Export(self, request, _):  # noqa: N802 (OpenTelemetry's name)
            received.extend(request.resource_spans)
            return ExportTraceServiceResponse()

    add_TraceServiceServicer_to_server(Collector(), collector)
    endpoint = f"http://127.0.0.1:{collector.add_insecure_port('127.0.0.1:0')}"
    collector.start()
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "studio"}
    served = serve("--listen", "127.0.0.1:0", "--traces", **variables)
    with Client(served.address) as client:
        client.call(ListModels())
    assert served.end() == 0  # which sends what is left
    collector.stop(None)
    (spans,) = received
    assert "studio" in [pair.value.string_value for pair in spans.resource.attributes if pair.key == "service.name"]
    assert [span.name for span in spans.scope_spans[0].spans] == ["dser.v1.EmotionService/ListModels"]


def test_on_this_machine_too_it_pushes_only_where_it_was_told(serve):
    """Others may come in through a proxy here."""
    served = serve("--listen", "127.0.0.1:0", "--push-to", "127.0.0.1:9")
    with Client(served.address) as client, pytest.raises(ServiceError, match=r"pushes to 127\.0\.0\.1:9 alone"):
        client.call(Push(Recognize(dser_ext.sample_line()), "10.0.0.1:52000"))


def test_models_of_one_name_are_refused(tmp_path):
    shutil.copytree(ModelBundle.open().folder, tmp_path / "copy")
    assert "could not tell those of one name apart" in refused("--model", "dser-base", str(tmp_path / "copy"))[1]


def refused(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "dser_ext.cli.main", "serve", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "DSER_TOKEN"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, env=environment, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--listen", "0.0.0.0:0"], 1, "others than this machine could come in"),
        (["--listen", "nowhere"], 1, "no address to listen at"),
        (["--certificate", "a.pem"], 2, "go together"),
        (["--certificate", "a.pem", "--key", "b.pem"], 1, "a.pem: cannot be read"),
        (["--metrics", "0.0.0.0:9464"], 1, "only told to this machine"),
        (["--model", "no"], 1, "no such model"),
        (["--config", "missing.yaml"], 1, "missing.yaml: is no file"),
        (["--listen", f"unix:{__file__}"], 1, "no socket"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, code, words):
    ended, said = refused(*arguments)
    assert ended == code
    assert words in said


def test_an_unknown_option_in_the_file_is_one_sentence(tmp_path):
    config = tmp_path / "serve.yaml"
    config.write_text("listne: 127.0.0.1:0\n")
    assert "'listne' is no option; those are " in refused("--config", str(config))[1]


def test_others_come_in_without_tls_only_where_that_is_said_loudly(serve):
    served = serve("--listen", "0.0.0.0:0", "--insecure")
    assert any("INSECURE" in line for line in served.lines)


def test_kill_9_in_the_middle_of_a_call_is_seen_and_the_next_one_works(serve, tmp_path):
    path = f"unix:{tmp_path}/dser.sock"
    served = serve("--listen", path)
    with Client(path) as client:
        stuck = client.stream(dser_ext.client.Live(16_000), _slowly([0.0] * 16_000, served, pause=3))
        next(stuck)
        served.process.kill()
        with pytest.raises(ServiceError, match="gone away"):
            list(stuck)
        served.process.wait()
        serve("--listen", path)
        assert client.call(Recognize(dser_ext.sample_line())).track.seconds > 6
