"""A voice profile is a fair sample of pieces of all lines, the same in any order, and no line counts for itself."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.errors import FormatError, VoiceError
from dser_ext.recognition.voice import MAX_BYTES, MOST_PIECES, VoiceGatherer, VoiceLines, VoiceProfile, merge

SIZE = 4


def profile(pieces: int = 1, seed: int = 0, *, mark: float = 0.0, model: str = "a" * 64) -> VoiceProfile:
    """Of one line. mark: stands in the first column of every piece."""
    random = np.random.default_rng(seed)
    features = random.normal(0, 2, (pieces, SIZE)).astype(np.float32)
    features[:, 0] += mark
    seconds = (random.integers(25, 200, pieces) / 50).astype(np.float32)
    return VoiceProfile("line", features, seconds, 1, float(seconds.sum()), model)


def profiles_of(counts: list[int]) -> list[VoiceProfile]:
    return [profile(count, seed) for seed, count in enumerate(counts)]


def assert_same(found: VoiceProfile, wanted: VoiceProfile) -> None:
    np.testing.assert_array_equal(found.pieces, wanted.pieces)
    np.testing.assert_array_equal(found.piece_seconds, wanted.piece_seconds)
    assert found.seconds == pytest.approx(wanted.seconds)
    assert found.lines == wanted.lines


def grouped(profiles: list[VoiceProfile], choose) -> VoiceProfile:
    """Merge neighbours in an order that `choose` makes up, until one is left."""
    while len(profiles) > 1:
        place = choose(len(profiles) - 1)
        profiles = [*profiles[:place], profiles[place].merged(profiles[place + 1]), *profiles[place + 2 :]]
    return profiles[0]


pieces_of_lines = st.lists(st.one_of(st.integers(1, 3), st.integers(1, 130)), min_size=1, max_size=9)


@settings(deadline=None)
@given(pieces_of_lines, st.randoms(use_true_random=False))
def test_merging_in_any_order_and_grouping_keeps_the_same_pieces(counts, random):
    profiles = profiles_of(counts)
    wanted = merge(profiles)
    random.shuffle(profiles)
    assert_same(grouped(profiles, lambda last: random.randrange(last)), wanted)
    assert wanted.lines == len(counts)
    assert wanted.seconds == pytest.approx(sum(one.seconds for one in profiles))
    assert len(wanted.pieces) == min(sum(counts), MOST_PIECES)


def test_every_piece_keeps_its_seconds():
    first = profile(50, 1)
    together = first.merged(profile(30, 2))
    seconds = {piece.tobytes(): heard for piece, heard in zip(together.pieces, together.piece_seconds, strict=True)}
    for piece, heard in zip(first.pieces, first.piece_seconds, strict=True):
        assert seconds[piece.tobytes()] == heard


@pytest.mark.parametrize("counts", [[1000, 1000], [96, 96], [500, 1500], [1500, 500]])
def test_the_sample_is_fair_to_long_and_short_lines_and_to_the_first_and_the_last(counts):
    first, last = (profile(count, seed, mark=100 * seed) for seed, count in enumerate(counts))
    whole = [len(profile(count, seed).pieces) for seed, count in enumerate(counts)]
    assert whole == [MOST_PIECES] * 2
    share = float((first.merged(last).pieces[:, 0] < 50).mean())
    assert share == pytest.approx(counts[0] / sum(counts), abs=0.15)


def test_of_nothing_there_is_no_profile():
    assert merge([]) is None
    assert VoiceLines("nobody", {}).profile is None
    assert VoiceLines("nobody", {}).without("1") is None


def test_voices_heard_with_different_models_do_not_merge():
    with pytest.raises(VoiceError, match="different models"):
        profile().merged(profile(model="b" * 64))


@settings(deadline=None)
@given(pieces_of_lines)
def test_each_line_is_measured_against_all_others(counts):
    profiles = profiles_of(counts)
    lines = VoiceLines("anna", {str(number): one for number, one in enumerate(profiles)})
    for number in range(len(profiles)):
        found = lines.without(str(number))
        wanted = merge(profiles[:number] + profiles[number + 1 :])
        assert (found is None) == (wanted is None)
        if found is not None:
            assert_same(found, wanted)


def test_a_line_is_known_by_its_content_and_left_out_of_its_own_voice():
    first, second, third = profiles_of([1, 2, 3])
    lines = VoiceLines("anna", {"1": first, "2": second})
    assert_same(lines.without("1"), second)
    assert_same(lines.without("2"), first)
    assert_same(lines.without("3"), first.merged(second))
    assert lines.profile.name == lines.without("1").name == "anna"
    assert VoiceLines("anna", {"3": third}).without("3") is None


def test_ten_times_as_many_lines_take_about_ten_times_as_long():
    def seconds(count: int) -> float:
        profiles = {str(number): profile(1, number) for number in range(count)}
        start = time.process_time()
        lines = VoiceLines("anna", profiles)
        for name in profiles:
            lines.without(name)
        return time.process_time() - start

    seconds(200)
    assert seconds(4000) < 30 * seconds(400)


def test_a_saved_profile_comes_back_as_it_was(tmp_path):
    saved = replace(profile(40), name="Käthe 声", lines=7)
    saved.save(tmp_path / "k.voice")
    loaded = VoiceProfile.load(tmp_path / "k.voice")
    assert_same(loaded, saved)
    assert (loaded.name, loaded.features_sha256) == (saved.name, saved.features_sha256)
    assert loaded.info == saved.info
    assert [path.name for path in tmp_path.iterdir()] == ["k.voice"]


def test_a_saved_profile_merges_like_the_one_it_was(tmp_path):
    saved, more = profile(300, 1), profile(300, 2)
    saved.save(tmp_path / "a.voice")
    assert_same(VoiceProfile.load(tmp_path / "a.voice").merged(more), saved.merged(more))


def test_the_file_of_a_voice_of_hours_stays_small(tmp_path):
    wide = np.random.default_rng(0).normal(size=(2000, 1024))
    VoiceProfile("anna", wide, np.ones(2000), 900, 2000.0, "a" * 64).save(tmp_path / "a.voice")
    assert (tmp_path / "a.voice").stat().st_size < MAX_BYTES / 2
    assert VoiceProfile.load(tmp_path / "a.voice").info.lines == 900


def test_a_profile_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(FormatError, match=r"k\.voice: cannot be written"):
        profile().save(tmp_path / "missing" / "k.voice")
    assert not list(tmp_path.iterdir())


GOOD = {
    "schema": "dser.voice/2",
    "name": "anna",
    "lines": 1,
    "seconds": 2.5,
    "features_sha256": "a" * 64,
    "piece_seconds": [1.5, 1.0],
    "pieces": [[0.5] * SIZE, [1.0] * SIZE],
}
OLD = {
    **{key: GOOD[key] for key in ("name", "lines", "seconds", "features_sha256")},
    **{"schema": "dser.voice/1", "mean": [0.5] * SIZE, "spread": [1.0] * SIZE},
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
    "too many pieces": json.dumps({**GOOD, "pieces": [[0.5]] * 97, "piece_seconds": [1.0] * 97}),
    "no pieces": json.dumps({**GOOD, "pieces": [], "piece_seconds": []}),
    **{f"no {key}": json.dumps({k: v for k, v in GOOD.items() if k != key}) for key in GOOD if key != "schema"},
    **{
        f"{key} = {value!r}": json.dumps({**GOOD, key: value})
        for key, values in {
            "pieces": [
                *("text", None, 1.0, {"0": 1}, [1.0] * SIZE, [[1.0] * SIZE], [[], []], [[1.0], [1.0, 2.0]]),
                *([["x"], ["y"]], [[1e39]] * 2, [[1e30]] * 2, [[float("nan")]] * 2, [[10**400]] * 2, [[[1.0]]] * 2),
            ],
            "piece_seconds": ["text", [1.0], [1.0] * 3, [[1.0]] * 2, [1.0, 0], [1.0, -1], [1.0, 4.5], [1.0, None]],
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


def test_a_profile_of_an_earlier_version_is_to_be_made_anew(tmp_path):
    (tmp_path / "old.voice").write_text(json.dumps(OLD))
    with pytest.raises(VoiceError, match=r"old\.voice: .* schema dser\.voice/2; make it anew with dser voice"):
        VoiceProfile.load(tmp_path / "old.voice")


def test_a_missing_profile_is_named(tmp_path):
    with pytest.raises(VoiceError, match=r"none\.voice: cannot be read \(No such file"):
        VoiceProfile.load(tmp_path / "none.voice")


@pytest.mark.parametrize("count", [24, 25, 199, 200, 201, 1000])
def test_a_voice_gathered_while_heard_is_that_of_all_its_speech(count):
    frames = np.random.default_rng(0).standard_normal((count, 4)).astype(np.float32)
    gatherer = VoiceGatherer()
    for start in range(0, count, 70):
        gatherer.add(frames[start : start + 70])
    made = gatherer.profile("line", "model")
    if count < 25:
        assert made is None
        return
    assert made.seconds == pytest.approx(count / 50)
    assert made.piece_seconds.sum() == pytest.approx(count / 50)
    mean = (made.pieces * made.piece_seconds[:, None]).sum(axis=0) / made.piece_seconds.sum()
    np.testing.assert_allclose(mean, frames.mean(axis=0), atol=2e-3)
