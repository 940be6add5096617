"""A voice profile is the pooled mean and deviation of all lines, in any order, and no line counts for itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.errors import FormatError, VoiceError
from dser_ext.recognition.voice import MAX_BYTES, VoiceLines, VoiceProfile, merge, of_the_others

SIZE = 4


def profile(frames: np.ndarray, model: str = "a" * 64, name: str = "line") -> VoiceProfile:
    """Of the feature frames of one line, (F, D) at 50 Hz."""
    mean, spread = frames.mean(axis=0).astype(np.float32), frames.std(axis=0).astype(np.float32)
    return VoiceProfile(name, mean, spread, 1, len(frames) / 50, model)


def lines_of(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(rng.uniform(-3, 3), rng.uniform(0.5, 2), (rng.integers(25, 400), SIZE)) for _ in range(count)]


def assert_same(found: VoiceProfile, wanted: VoiceProfile) -> None:
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-4)
    np.testing.assert_allclose(found.spread, wanted.spread, atol=1e-4)
    assert found.seconds == pytest.approx(wanted.seconds)
    assert found.lines == wanted.lines


def grouped(profiles: list[VoiceProfile], choose) -> VoiceProfile:
    """Merge neighbours in an order that `choose` makes up, until one is left."""
    while len(profiles) > 1:
        place = choose(len(profiles) - 1)
        profiles = [*profiles[:place], profiles[place].merged(profiles[place + 1]), *profiles[place + 2 :]]
    return profiles[0]


@given(st.integers(1, 9), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_merging_in_any_order_and_grouping_is_pooling_all_frames(count, seed, random):
    lines = lines_of(count, seed)
    pooled = replace(profile(np.concatenate(lines)), lines=count)
    profiles = [profile(line) for line in lines]
    random.shuffle(profiles)
    assert_same(grouped(profiles, lambda last: random.randrange(last)), pooled)


def test_of_nothing_there_is_no_profile():
    assert merge([]) is None
    assert VoiceLines("nobody", {}).profile is None


def test_voices_heard_with_different_models_do_not_merge():
    first, second = lines_of(2)
    with pytest.raises(VoiceError, match="different models"):
        profile(first).merged(profile(second, model="b" * 64))


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_each_line_is_measured_against_all_others_that_have_speech(spoken):
    frames = lines_of(len(spoken))
    profiles = [profile(line) if there else None for line, there in zip(frames, spoken, strict=True)]
    for index, found in enumerate(of_the_others(profiles)):
        wanted = merge(other for place, other in enumerate(profiles) if other is not None and place != index)
        assert (found is None) == (wanted is None)
        if found is not None:
            assert_same(found, wanted)


def test_a_line_is_known_by_its_content_and_left_out_of_its_own_voice():
    first, second, third = (profile(line) for line in lines_of(3))
    lines = VoiceLines("anna", {"1": first, "2": second})
    assert_same(lines.without("1"), second)
    assert_same(lines.without("2"), first)
    assert_same(lines.without("3"), first.merged(second))
    assert lines.profile.name == lines.without("1").name == "anna"
    assert VoiceLines("anna", {"3": third}).without("3") is None


def test_a_saved_profile_comes_back_to_six_digits(tmp_path):
    saved = replace(profile(lines_of(1)[0]), name="Käthe 声", lines=7)
    saved.save(tmp_path / "k.voice")
    loaded = VoiceProfile.load(tmp_path / "k.voice")
    np.testing.assert_allclose(loaded.mean, saved.mean, rtol=1e-5)
    np.testing.assert_allclose(loaded.spread, saved.spread, rtol=1e-5)
    assert (loaded.name, loaded.lines, loaded.features_sha256) == (saved.name, 7, saved.features_sha256)
    assert loaded.info == saved.info
    assert [path.name for path in tmp_path.iterdir()] == ["k.voice"]


def test_a_profile_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(FormatError, match=r"k\.voice: cannot be written"):
        profile(lines_of(1)[0]).save(tmp_path / "missing" / "k.voice")
    assert not list(tmp_path.iterdir())


GOOD = {
    "schema": "dser.voice/1",
    "name": "anna",
    "lines": 1,
    "seconds": 2.5,
    "features_sha256": "a" * 64,
    "mean": [0.5] * SIZE,
    "spread": [1.0] * SIZE,
}
HOSTILE = {
    "empty": "",
    "no JSON": "RIFF....WAVE",
    "not UTF-8": b"\xff\xfe{}",
    "a list": "[1, 2]",
    "deep": "[" * 100_000,
    "a number of 5000 digits": "1" * 5000,
    "another schema": json.dumps({**GOOD, "schema": "dser.voice/9"}),
    "a track": json.dumps({"schema": "dser.track/1"}),
    "too large": " " * (MAX_BYTES + 1),
    **{f"no {key}": json.dumps({k: v for k, v in GOOD.items() if k != key}) for key in GOOD if key != "schema"},
    **{
        f"{key} = {value!r}": json.dumps({**GOOD, key: value})
        for key, values in {
            "mean": ["text", [1.0], [[1.0] * SIZE], ["x"] * SIZE, [1e39] * SIZE, [1e30] * SIZE, {"0": 1}, None, 1.0],
            "spread": [[-1.0] * SIZE, [float("nan")] * SIZE, [10**400] * SIZE],
            "lines": [0, -1, "many", None, float("inf"), float("nan")],
            "seconds": [0, -2.0, float("nan"), float("inf"), "long", []],
        }.items()
        for value in values
    },
}


def test_the_good_profile_that_the_bad_ones_are_made_of_is_good(tmp_path):
    (tmp_path / "good.voice").write_text(json.dumps(GOOD))
    assert VoiceProfile.load(tmp_path / "good.voice").name == "anna"


@pytest.mark.parametrize("content", HOSTILE.values(), ids=[name[:40] for name in HOSTILE])
def test_a_damaged_or_hostile_profile_is_refused_in_one_sentence_with_its_name(tmp_path, content):
    path = tmp_path / "bad.voice"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(VoiceError, match=r"bad\.voice: .*make") as caught:
        VoiceProfile.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_profile_is_named(tmp_path):
    with pytest.raises(VoiceError, match=r"none\.voice: cannot be read \(No such file"):
        VoiceProfile.load(tmp_path / "none.voice")
