"""The keys as the sample client's configuration has them."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

import dser_ext
from dser_ext.audio2face.settings import Settings
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import DserWarning
from dser_ext.formats.a2f_yaml import a2f_yaml


def test_every_key_has_its_time_and_all_ten_emotions():
    values = np.random.default_rng(0).random((4, 10)).astype(np.float32)
    values[0] = [0, 1, 1e-5, 1e-6, 0.5, 0, 0, 0, 0, 0]
    keys = Keyframes(np.array([0.0, 1 / 30, 1.0, 3600.0]), values)
    listed = list(yaml.safe_load(a2f_yaml(keys))["emotion_with_timecode_list"].values())
    np.testing.assert_allclose([key["time_code"] for key in listed], keys.times, atol=1e-9)
    assert all(tuple(key["emotions"]) == A2F_EMOTIONS for key in listed)
    np.testing.assert_allclose([list(key["emotions"].values()) for key in listed], values, atol=1e-6)


def test_it_is_written_by_its_name_and_read_as_a_configuration(tmp_path):
    track = EmotionTrack(np.arange(100) / 50, np.random.default_rng(0).random((100, 6)) + 0.1)
    performance = dser_ext.save(track, tmp_path / "line.yaml")
    document = yaml.safe_load((tmp_path / "line.yaml").read_text())
    assert len(document["emotion_with_timecode_list"]) == len(performance.keyframes.times)
    with pytest.warns(DserWarning, match="left out"):  # since pushing sends keys of its own
        Settings.from_config(document)
