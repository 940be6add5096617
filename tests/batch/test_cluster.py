"""The same batch on two machines of a Ray cluster, from and to S3, with one machine lost on the way.

The machines are two nodes on this one, each with its own processes; S3 is a server on loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import VOICE, results, short_line

from dser_ext.batch.place import read_only

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="a cluster of Ray needs Linux")]
LINES = 120


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("studio")
    yield "s3://studio"
    server.stop()


@pytest.fixture
def cluster(bucket, monkeypatch):  # noqa: ARG001 (its processes inherit the way to the bucket)
    """Two nodes of a core each, which know the bucket."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


def dser(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dser_ext.cli.main", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fetched(url: str, folder: Path) -> dict[str, bytes]:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().get(f"{url}/", str(folder), recursive=True)
    return results(folder)


def stored(url: str) -> int:
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)
    return sum(1 for path in system.find(url) if path.endswith(".json"))


def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    short_line(tmp_path / "in" / "1.wav")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    run = dser("batch", str(tmp_path / "in"), str(tmp_path / "out"), "--engine", "ray")
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert said.startswith("dser: no Ray cluster answers at 127.0.0.1:9 (")
    assert len(said.splitlines()) == 1


def test_a_machine_that_is_lost_loses_and_doubles_no_line(tmp_path, bucket, cluster):
    import s3fs

    for number in range(LINES):
        short_line(tmp_path / "in" / f"v{number % 3}" / f"{number}.wav", VOICE[number % 8], start=0.002 * number)
    (tmp_path / "in" / "v1" / "bad.wav").write_bytes(b"no sound")
    options = ["--voice-by", "folder", "--format", "json,csv"]
    local = dser("batch", str(tmp_path / "in"), str(tmp_path / "local"), *options)
    assert local.wait() == 1
    s3fs.S3FileSystem().put(f"{tmp_path / 'in'}/", f"{bucket}/in/", recursive=True)

    lost = threading.Event()
    run = dser("batch", f"{bucket}/in", f"{bucket}/out", *options, "--engine", "ray", "--json")
    while run.poll() is None and not lost.is_set():
        if stored(f"{bucket}/out") > LINES // 4:
            cluster.remove_node(cluster.list_all_nodes()[1], allow_graceful=False)
            lost.set()
        time.sleep(0.05)
    printed, said = run.communicate()
    assert lost.is_set(), said
    assert run.returncode == 1, said
    summary = json.loads(printed)
    assert (summary["lines"], summary["done"], summary["failed"]) == (LINES + 1, LINES, 1)

    expected = results(tmp_path / "local")
    got = fetched(f"{bucket}/out", tmp_path / "got")
    assert set(got) == set(expected)
    for name, data in got.items():  # the same but for where the sound is
        assert data.replace(f"{bucket}/in/".encode(), f"{tmp_path / 'in'}/".encode()) == expected[name]
    with read_only(f"{bucket}/out") as ledger:
        rows = list(ledger.lines(1))
    assert len(rows) == LINES + 1
    assert all(row["attempts"] == 1 for row in rows)

    again = dser("batch", f"{bucket}/in", f"{bucket}/out", *options, "--engine", "ray", "--json")
    assert json.loads(again.communicate()[0])["unchanged"] == LINES
