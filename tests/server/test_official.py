"""NVIDIA's published packages, in an environment of their own, as the relay's client and as the service behind it."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from environments import clean_variables, make_environment
from relayed import ask, frames, sent_keys, spoken

from dser_ext.audio2face import protocol
from dser_ext.emotion.names import A2F_EMOTIONS

HERE = Path(__file__).parent
MODES = ("clip", "stream")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nvidias(tmp_path_factory):
    """A Python with NVIDIA's packages and nothing of ours."""
    folder = tmp_path_factory.mktemp("nvidias")
    return make_environment(Path(sys.executable), folder, "nvidia-ace", "nvidia-audio2face-3d")


def run(python: Path, program: str, *arguments: object) -> dict:
    command = [python, HERE / program, *map(str, arguments)]
    done = subprocess.run(command, env=clean_variables(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def line(tmp_path, speech):
    """Five seconds: the client's last chunk is empty."""
    with wave.open(str(tmp_path / "line.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(speech[:80_000].tobytes())
    return tmp_path / "line.wav"


@pytest.mark.parametrize("mode", MODES)
def test_as_client_they_get_the_whole_answer_with_our_emotions(nvidias, start_a2f, start_relay, line, mode):
    server = start_a2f()
    said = run(nvidias, "official_client.py", start_relay(server.target, mode=mode).target, line)
    assert said["statuses"] == [[0, "all animation sent"]]
    assert (said["frames"], said["a2e"]) == (150, 0)
    assert {"dser", "emotion_aggregate"} >= set(said["metadata"])
    keys = sent_keys(server.requests[-1])
    moments = [frame / 30 for frame in range(150)]
    assert said["joy"] == pytest.approx(keys.at(moments)[:, A2F_EMOTIONS.index("joy")].tolist(), abs=1e-4)
    assert min(said["joy"]) < 0.9  # its own key would be 1 throughout
    assert [len(piece) for piece in [server.requests[-1].pieces]] == [6]


def test_as_client_they_are_told_in_words_that_nobody_is_behind_the_relay(nvidias, start_relay, line):
    relay = start_relay("127.0.0.1:1")
    command = [nvidias, HERE / "official_client.py", relay.target, str(line)]
    done = subprocess.run(command, env=clean_variables(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("mode", MODES)
def test_as_service_they_understand_what_the_relay_sends(nvidias, start_relay, speech, mode):
    command = [nvidias, HERE / "official_service.py"]
    with subprocess.Popen(command, env=clean_variables(), stdout=subprocess.PIPE, text=True) as service:
        try:
            port = int(service.stdout.readline())
            answer = ask(start_relay(f"127.0.0.1:{port}", mode=mode).target, spoken(speech))
            got = json.loads(service.stdout.readline())
        finally:
            service.kill()
    assert answer[-1].status.code == protocol.Status.SUCCESS
    assert got["bytes"] == 2 * len(speech)
    assert got["strength"] == 1
    assert len(frames(answer)) == len(got["keys"]) >= 5
    assert all(set(emotion) == set(A2F_EMOTIONS) for _, emotion in got["keys"])
    assert "dser" in frames(answer)[0].metadata
