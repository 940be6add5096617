"""dser.track/1 says what it promises, reads back, and never trusts what it reads."""

from __future__ import annotations

import copy
import json
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import AudioInfo, EmotionTrack, ModelInfo, VoiceInfo
from dser_ext.errors import FormatError
from dser_ext.formats.track_json import Performance, read_track, write_track

SHA = "ab" * 32


def performance(seconds: float = 1.0, seed: int = 0, **origin) -> Performance:
    frames = int(np.ceil(50 * seconds))
    concentration = np.random.default_rng(seed).gamma(1, 5, (frames, 6)) + 1e-6
    origin = {"audio": AudioInfo("lines/a.wav", SHA, seconds), "model": ModelInfo("base", "1.0", SHA)} | origin
    track = EmotionTrack(np.arange(frames) / 50, concentration, **origin)
    return Performance.of(track, Style("mine", gain=1.2, limits={"joy": 0.5}), fps=24)


def written(made: Performance, folder: Path) -> dict:
    write_track(made, folder / "a.json")
    return json.loads((folder / "a.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def document(tmp_path_factory) -> dict:
    return written(performance(0.1, voice=VoiceInfo("anna", 5, 14.2)), tmp_path_factory.mktemp("good"))


class TestTheDocument:
    def test_has_exactly_the_fields_that_are_promised_in_their_order(self, tmp_path):
        made = performance(voice=VoiceInfo("anna", 5, 14.2))
        read = written(made, tmp_path)
        assert list(read) == [
            "schema",
            "audio",
            "model",
            "voice",
            "emotions",
            "times",
            "concentration",
            "mean",
            "std",
            "style",
            "fps",
            "keyframes",
        ]
        assert read["schema"] == "dser.track/1"
        assert list(read["audio"].items()) == [("path", "lines/a.wav"), ("sha256", SHA), ("seconds", 1.0)]
        assert list(read["model"].items()) == [("name", "base"), ("version", "1.0"), ("sha256", SHA)]
        assert list(read["voice"].items()) == [("name", "anna"), ("lines", 5), ("seconds", 14.2)]
        assert read["emotions"] == ["anger", "disgust", "fear", "happiness", "neutral", "sadness"]
        assert read["style"] == made.style.to_json()
        assert read["fps"] == 24
        assert list(read["keyframes"]) == ["names", "times", "values"]
        assert read["keyframes"]["names"] == list(A2F_EMOTIONS)

    def test_has_null_for_a_voice_that_was_not_given(self, tmp_path):
        assert written(performance(), tmp_path)["voice"] is None

    def test_keeps_six_digits_of_values_and_the_microsecond(self, tmp_path):
        track = EmotionTrack([0, 1 / 3], [[1234567, 0.00012345678, 1, 2, 3, 4], [1, 1, 1, 1, 1, 1]])
        keys = Keyframes([0, 1 / 3], np.full((2, 10), 2 / 3))
        text = write_text(Performance(track, Style(), 30, keys), tmp_path)
        assert '"times": [0.0, 0.333333],' in text
        assert '"concentration": [[1.23457e+06, 0.000123457, 1, 2, 3, 4], [1, 1, 1, 1, 1, 1]],' in text
        assert '"times": [0.0, 0.333333333],' in text  # of the keys, which steep curves need
        assert '"values": [[0.666667, 0.666667' in text

    def test_holds_a_row_for_every_frame_and_key(self, tmp_path):
        for frames in (1, 4095, 4096, 4097, 8193):
            read = written(performance((frames - 0.5) / 50), tmp_path)
            lengths = {len(read[name]) for name in ("times", "concentration", "mean", "std")}
            assert lengths == {frames}
            assert {len(row) for name in ("concentration", "mean", "std") for row in read[name]} == {6}
            assert len(read["keyframes"]["times"]) == len(read["keyframes"]["values"])
            np.testing.assert_allclose(read["times"], np.arange(frames) / 50, atol=1e-9)

    def test_is_the_same_whenever_it_is_written(self, tmp_path):
        assert write_text(performance(), tmp_path) == write_text(performance(), tmp_path)

    def test_is_not_written_with_a_length_that_is_no_number(self, tmp_path):
        with pytest.raises(ValueError, match="JSON"):
            write_track(
                Performance(
                    EmotionTrack([0], np.ones((1, 6)), AudioInfo("a.wav", SHA, float("nan"))),
                    Style(),
                    30,
                    Keyframes([0], np.zeros((1, 10))),
                ),
                tmp_path / "a.json",
            )
        assert not list(tmp_path.iterdir())


def write_text(made: Performance, folder: Path) -> str:
    write_track(made, folder / "a.json")
    return (folder / "a.json").read_text(encoding="utf-8")


class TestReadingBack:
    @given(st.integers(0, 10**6), st.floats(0.01, 3))
    @settings(max_examples=30, deadline=None)
    def test_gives_the_same_within_rounding(self, tmp_path_factory, seed, seconds):
        made = performance(seconds, seed, voice=VoiceInfo("anna", 5, 14.2))
        path = tmp_path_factory.mktemp("tracks") / "a.json"
        write_track(made, path)
        read = read_track(path)
        np.testing.assert_allclose(read.track.times, made.track.times, atol=1e-6)
        np.testing.assert_allclose(read.track.concentration, made.track.concentration, rtol=1e-5)
        np.testing.assert_allclose(read.track.mean, made.track.mean, atol=1e-5)
        np.testing.assert_allclose(read.keyframes.times, made.keyframes.times, atol=1e-9)
        np.testing.assert_allclose(read.keyframes.values, made.keyframes.values, atol=1e-6)
        assert (read.track.audio, read.track.model, read.track.voice) == (
            made.track.audio,
            made.track.model,
            made.track.voice,
        )
        assert (read.style, read.fps) == (made.style, made.fps)

    def test_and_writing_again_and_again_changes_nothing_more(self, tmp_path):
        write_track(performance(2.0), tmp_path / "a.json")
        again = write_text(read_track(tmp_path / "a.json"), tmp_path)
        assert write_text(read_track(tmp_path / "a.json"), tmp_path) == again

    @pytest.mark.parametrize("path", ["größe/再生.wav", 'a "b" \\ c\n.wav', "\u2028.wav", "bytes-\udcff.wav", None])
    def test_keeps_any_path_of_the_sound(self, tmp_path, path):
        made = performance(audio=AudioInfo(path, SHA, 1.0))
        text = write_text(made, tmp_path)
        assert read_track(tmp_path / "a.json").track.audio == made.track.audio
        assert path is None or not path.startswith("größe") or "größe/再生.wav" in text

    def test_knows_nothing_of_where_an_anonymous_track_came_from(self, tmp_path):
        write_track(performance(audio=None, model=None), tmp_path / "a.json")
        read = read_track(tmp_path / "a.json").track
        assert (read.audio, read.model, read.voice) == (None, None, None)

    def test_works_with_a_byte_order_mark_and_any_white_space(self, tmp_path, document):
        (tmp_path / "a.json").write_text(json.dumps(document, indent=4), encoding="utf-8-sig")
        assert read_track(tmp_path / "a.json").fps == 24

    def test_needs_no_mean_and_no_spread_which_follow_from_the_rest(self, tmp_path, document):
        short = {name: value for name, value in document.items() if name not in ("mean", "std")}
        (tmp_path / "a.json").write_text(json.dumps(short), encoding="utf-8")
        np.testing.assert_allclose(read_track(tmp_path / "a.json").track.mean, document["mean"], atol=1e-5)


class TestTheCurvesOfAPerformance:
    def test_are_followed_by_its_keys(self):
        made = performance(4.0)
        found = made.keyframes.at(made.curves.times)
        assert np.abs(found - made.curves.values).max() <= 0.02

    def test_come_in_the_natural_style_if_none_is_named(self):
        assert Performance.of(performance().track).style == Style()

    @pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
    def test_need_a_frame_rate(self, fps):
        with pytest.raises(FormatError, match="frames a second"):
            Performance.of(performance().track, fps=fps)


def two_hours() -> Performance:
    track = EmotionTrack(np.arange(360_000) / 50, np.random.default_rng(0).gamma(1, 5, (360_000, 6)) + 1e-6)
    return Performance(track, Style(), 30, Keyframes(np.arange(20_000) / 3, np.zeros((20_000, 10))))


@pytest.mark.slow
class TestTwoHours:
    def test_are_written_in_little_memory(self, tmp_path):
        made = two_hours()
        tracemalloc.start()
        try:
            write_track(made, tmp_path / "a.json")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 20e6
        assert len(read_track(tmp_path / "a.json").track.times) == 360_000

    def test_are_written_in_seconds(self, tmp_path):
        made = two_hours()
        began = time.process_time()
        write_track(made, tmp_path / "a.json")
        assert time.process_time() - began < 10


def refused(path: Path) -> str:
    """What is said of a file that is no track: one sentence that names it."""
    with pytest.raises(FormatError) as caught:
        read_track(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def set_at(document: dict, place: str, value) -> dict:
    """A copy of the document with another value at a place such as "audio.seconds" or "times.3"."""
    changed = copy.deepcopy(document)
    *parents, last = (int(part) if part.isdigit() else part for part in place.split("."))
    within = changed
    for part in parents:
        within = within[part]
    within[last] = value
    return changed


class TestADamagedFile:
    def refused(self, folder: Path, document: object) -> str:
        (folder / "a.json").write_text(json.dumps(document), encoding="utf-8")
        return refused(folder / "a.json")

    @pytest.mark.parametrize(
        ("place", "value", "problem"),
        [
            ("schema", "dser.track/2", "not a dser.track/1 document"),
            ("schema", ["dser.track/1"], "not a dser.track/1 document"),
            ("emotions", list(EMOTIONS)[::-1], "emotions"),
            ("emotions", None, "emotions"),
            ("keyframes.names", list(EMOTIONS), "emotions"),
            ("keyframes", None, '"keyframes"'),
            ("keyframes", [], '"keyframes"'),
            ("keyframes.times", [], "keyframes"),
            ("keyframes.times.0", 1e9, "increasing"),
            ("keyframes.values.0.0", 2, "between 0 and 1"),
            ("times", [0, 0.02], "concentrations"),
            ("times", {"0": 1}, '"times"'),
            ("times.1", "0.02", '"times"'),
            ("times.1", None, '"times"'),
            ("times.1", float("nan"), "finite"),
            ("times.1", 10**400, '"times"'),
            ("times.1", 0, "increasing"),
            ("concentration", None, '"concentration"'),
            ("concentration.2", [1, 2, 3], '"concentration"'),
            ("concentration.2.3", "1", '"concentration"'),
            ("concentration.2.3", 0, "above zero"),
            ("concentration.2.3", 1e300, "finite"),
            ("concentration.2.3", [[[[1]]]], '"concentration"'),
            ("concentration", [[[True] * 6] * 5], '"concentration"'),
            ("audio.seconds", "1", '"seconds"'),
            ("audio.seconds", float("nan"), '"seconds"'),
            ("audio.seconds", True, '"seconds"'),
            ("audio.seconds", 1e9, "do not fit a track"),
            ("audio.seconds", -5, "do not fit a track"),
            ("audio.path", 7, '"path"'),
            ("audio.sha256", None, '"sha256"'),
            ("audio.codec", "opus", "'codec' does not belong into its \"audio\""),
            ("audio", "a.wav", '"audio"'),
            ("audio", 0, '"audio"'),
            ("audio", [], '"audio"'),
            ("model.version", 1, '"version"'),
            ("voice.lines", 1.5, '"lines"'),
            ("voice.seconds", 10**400, '"seconds"'),
            ("fps", "24", '"fps"'),
            ("fps", 0, "frames a second"),
            ("fps", 1e12, "frames a second"),
            ("fps", float("inf"), '"fps"'),
            ("style", None, "style"),
            ("style.gain", "1", "gain"),
            ("style.glow", 1, "glow"),
        ],
    )
    def test_is_refused_for_what_is_wrong(self, tmp_path, document, place, value, problem):
        assert problem in self.refused(tmp_path, set_at(document, place, value))

    @pytest.mark.parametrize(
        "name", ["schema", "emotions", "times", "concentration", "style", "fps", "keyframes", "keyframes.values"]
    )
    def test_is_refused_where_something_is_missing(self, tmp_path, document, name):
        changed = copy.deepcopy(document)
        *parents, last = name.split(".")
        del (changed[parents[0]] if parents else changed)[last]
        self.refused(tmp_path, changed)

    @pytest.mark.parametrize("content", [[], 1, None, "dser.track/1", {}, [{"schema": "dser.track/1"}]])
    def test_is_refused_if_it_is_another_kind_of_json(self, tmp_path, content):
        assert "not a dser.track/1 document" in self.refused(tmp_path, content)

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"RIFF\x00\x00", b"\xff" * 9, b"[" * 10**6, b'{"a":' * 10**5, b'{"schema": "dser.track/1"'],
        ids=["empty", "open", "sound", "no text", "deep lists", "deep objects", "cut"],
    )
    def test_is_refused_if_it_is_no_json(self, tmp_path, content):
        (tmp_path / "a.json").write_bytes(content)
        assert "not a JSON document" in refused(tmp_path / "a.json")

    def test_is_refused_if_it_was_cut_anywhere(self, tmp_path, document):
        whole = json.dumps(document).encode()
        for length in range(0, len(whole), 97):
            (tmp_path / "a.json").write_bytes(whole[:length])
            refused(tmp_path / "a.json")

    def test_is_refused_if_it_cannot_be_read(self, tmp_path):
        assert "cannot be read" in refused(tmp_path / "missing.json")
        assert "cannot be read" in refused(tmp_path)

    def test_is_refused_if_it_is_too_large(self, tmp_path, monkeypatch):
        write_track(performance(), tmp_path / "a.json")
        monkeypatch.setattr("dser_ext.formats.track_json.MAX_BYTES", 1000)
        assert "too large" in refused(tmp_path / "a.json")

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_of_any_kind_raises_nothing_but_a_format_error(self, tmp_path_factory, document, data):
        changed = copy.deepcopy(document)
        for _ in range(data.draw(st.integers(1, 3))):
            within: object = changed
            while isinstance(within, (dict, list)) and within:
                places = list(within) if isinstance(within, dict) else list(range(len(within)))
                place = data.draw(st.sampled_from(places))
                child = within[place]
                if not isinstance(child, (dict, list)) or not child or data.draw(st.booleans()):
                    if data.draw(st.booleans()):
                        within[place] = data.draw(JUNK)
                    else:
                        del within[place]
                    break
                within = child
        folder = tmp_path_factory.getbasetemp()
        path = folder / f"mutated-{os.getpid()}.json"
        path.write_text(json.dumps(changed), encoding="utf-8")
        said = f"{path}: "  # a mutation may also do no harm
        try:
            read_track(path)
        except FormatError as error:
            said = str(error)
        assert said.startswith(f"{path}: ")
        assert "\n" not in said


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([10**30, -(10**400), 1e308, -0.0, "", "0.5", "joy", "dser.track/1"])
    | st.floats(),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(["joy", "path", "a\nb"]), inner),
    max_leaves=8,
)
