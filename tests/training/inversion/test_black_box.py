"""Emotions back through a running Audio2Face of which nothing is known, over gRPC."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from dser_training.config import ConfigError
from dser_training.inversion import regions
from dser_training.inversion.black_box import matrix
from dser_training.main import main

import dser_ext
from dser_ext.audio import read
from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.connection import Connection
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats import save_animation

CONFIG = "training/configs/invert.yaml"
SECONDS = 2


def test_blendshapes_count_by_the_region_that_their_name_begins_with() -> None:
    names = ["browinnerup", "eyelookinleft", "eyeblinkleft", "nosesneerleft", "mouthclose", "jawopen", "else"]
    weights = {"brows": 1.0, "eyes": 4.0, "cheeks": 9.0, "mouth": 0.0, "jaw": 0.25, "gaze": 0.0}
    told = np.square(matrix(names, weights)).sum(axis=1) * len(names)
    assert told == pytest.approx([1, 0, 4, 9, 0, 0.25, 0])
    with pytest.raises(ConfigError, match="none of the animation's blendshapes"):
        matrix(names, {"tongue": 1.0})


@pytest.mark.slow
def test_emotions_come_back_through_a_running_audio2face(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).resolve().parents[2] / "audio2face")])
    from a2f_server import A2FServer

    samples = read(dser_ext.sample_line())[: SECONDS * 16_000]
    sound, keyed, out = tmp_path / "line.wav", tmp_path / "line.json", tmp_path / "found.json"
    soundfile.write(sound, samples, 16_000)
    times = np.array([0.0, 1.0, 2.0])
    keys = np.zeros((3, 10), np.float32)
    keys[1, A2F_EMOTIONS.index("joy")], keys[2, A2F_EMOTIONS.index("anger")] = 0.9, 0.6
    server = A2FServer()
    try:
        save_animation(animate(samples, Keyframes(times, keys), server.target), keyed)
        settings = [f"audio={sound}", f"animation={keyed}", f"output={out}", 'network=""', f"a2f={server.target}"]
        settings.append("regions.eyes=0")  # it blinks at moments of its own
        assert main(["invert", "--config", CONFIG, *settings, "offset=0"]) == 0
        calls = len(server.requests)
        assert main(["invert", "--config", CONFIG, *settings]) == 0  # with the offset found, in one call more
    finally:
        server.stop()
    assert calls < 40
    found = json.loads(out.read_text())
    assert found["network"] == {"a2f": server.target}
    assert found["offset"]["seconds"] == pytest.approx(0, abs=0.03)
    truth = Keyframes(times, keys).at(np.array(found["times"]))
    assert np.abs(np.array(found["emotions"]) - truth).mean() < 0.03
    assert found["residual"]["share_of_variance"] < 0.1
    assert "ms late" in capsys.readouterr().out


@pytest.mark.slow
def test_audio2face_is_reached_by_tls(tmp_path: Path, monkeypatch, certificates, capsys) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).resolve().parents[2] / "audio2face")])
    from a2f_server import A2FServer

    samples = read(dser_ext.sample_line())[: SECONDS * 16_000]
    sound, keyed, out = tmp_path / "line.wav", tmp_path / "line.json", tmp_path / "found.json"
    soundfile.write(sound, samples, 16_000)
    server = A2FServer(credentials=certificates.server(mutual=False))
    address = server.target.replace("127.0.0.1", "localhost")  # the name in the certificate
    trusted = ["tls=true", f"root_certificate={certificates.path('authority.pem')}"]
    settings = [
        f"audio={sound}",
        f"animation={keyed}",
        f"output={out}",
        'network=""',
        f"a2f={address}",
        "offset=0",
    ]
    connection = Connection(address, True, certificates.path("authority.pem"))
    try:
        save_animation(animate(samples, Keyframes(np.zeros(1), np.full((1, 10), 0.1, np.float32)), connection), keyed)
        assert main(["invert", "--config", CONFIG, *settings, *trusted]) == 0
        assert main(["invert", "--config", CONFIG, *settings]) == 1
    finally:
        server.stop()
    assert out.exists()
    assert address in capsys.readouterr().err


@pytest.mark.slow
def test_nobody_at_the_address_is_said(tmp_path: Path, capsys) -> None:
    sound, keyed = tmp_path / "line.wav", tmp_path / "line.json"
    soundfile.write(sound, read(dser_ext.sample_line())[: SECONDS * 16_000], 16_000)
    weights = {"exportFps": 30, "numPoses": 1, "numFrames": 60, "facsNames": ["jawOpen"], "weightMat": [[0.1]] * 60}
    keyed.write_text(json.dumps(weights))
    settings = [f"audio={sound}", f"animation={keyed}", f"output={tmp_path / 'out.json'}", 'network=""']
    assert main(["invert", "--config", CONFIG, *settings, "a2f=127.0.0.1:9"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_regions_of_blendshapes_are_regions_of_the_face() -> None:
    from dser_training.inversion.black_box import REGIONS

    assert set(REGIONS.values()) <= set(regions.WEIGHTS)
