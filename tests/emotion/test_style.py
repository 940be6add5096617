"""A style turns what the model believes into what an animator wants to see."""

from __future__ import annotations

import json
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.audio2emotion import Audio2Emotion
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS, TO_A2F
from dser_ext.emotion.style import PRESETS, Style, style
from dser_ext.emotion.track import AudioInfo, EmotionTrack
from dser_ext.errors import FormatError

JOY, ANGER, SADNESS = (A2F_EMOTIONS.index(name) for name in ("joy", "anger", "sadness"))

STYLES = st.builds(
    Style,
    gain=st.floats(0, 4),
    contrast=st.floats(0.3, 3),
    smoothing_seconds=st.floats(0, 5),
    gains=st.dictionaries(st.sampled_from(A2F_EMOTIONS), st.floats(0, 4)),
    limits=st.dictionaries(st.sampled_from(A2F_EMOTIONS), st.floats(0, 1)),
    preferred=st.dictionaries(st.sampled_from(A2F_EMOTIONS), st.floats(0, 1)),
    preferred_strength=st.floats(0, 1),
    tail_seconds=st.floats(0, 5),
    extended=st.booleans(),
    audio2emotion=st.none()
    | st.builds(
        Audio2Emotion,
        emotion_contrast=st.floats(0.3, 3),
        max_emotions=st.integers(1, 6),
        live_blend_coef=st.floats(0, 1),
        enable_preferred_emotion=st.booleans(),
        preferred_emotion_strength=st.floats(0, 1),
        live_transition_time=st.floats(0, 10),
        emotion_strength=st.floats(0, 1),
        beginning_emotion=st.dictionaries(st.sampled_from(A2F_EMOTIONS), st.floats(0, 1)),
    ),
)


def track(*, seconds: float = 1.0, **shares: float) -> EmotionTrack:
    """A track that believes the same all the time; what is not named shares the rest."""
    rest = (1 - sum(shares.values())) / (6 - len(shares))
    mean = [shares.get(name, rest) for name in EMOTIONS]
    frames = int(np.ceil(50 * seconds))
    return EmotionTrack(np.arange(frames) / 50, np.tile(20 * np.array(mean), (frames, 1)))


def wandering(seed: int = 0, frames: int = 200) -> EmotionTrack:
    return EmotionTrack(np.arange(frames) / 50, np.random.default_rng(seed).gamma(0.5, 4, (frames, 6)) + 1e-6)


def plain(**settings) -> Style:
    return Style(**{"smoothing_seconds": 0.0, **settings})


class TestTheCurves:
    @settings(deadline=None)
    @given(STYLES, st.integers(0, 100), st.sampled_from([12, 29.97, 30, 60, 240]))
    def test_lie_between_0_and_1_in_every_style(self, made, seed, fps):
        values = made.apply(wandering(seed, frames=20), fps).values
        assert values.min() >= 0
        assert values.max() <= 1

    def test_show_each_recognised_emotion_where_audio2face_has_it_and_nothing_elsewhere(self):
        shares = {"anger": 0.3, "disgust": 0.05, "fear": 0.1, "happiness": 0.2, "neutral": 0.25, "sadness": 0.1}
        values = plain().apply(track(**dict(list(shares.items())[:-1])), 30).values[0]
        expected = dict.fromkeys(A2F_EMOTIONS, 0.0) | {TO_A2F[name]: shares[name] for name in TO_A2F}
        np.testing.assert_allclose(values, list(expected.values()), atol=1e-6)

    def test_of_a_neutral_line_rest_near_zero(self):
        assert plain().apply(track(neutral=0.999), 30).values.max() < 0.001

    @pytest.mark.parametrize(("seconds", "fps", "frames"), [(1, 30, 31), (0.02, 30, 1), (2.5, 24, 61)])
    def test_reach_from_0_to_the_end_of_the_sound(self, seconds, fps, frames):
        made = plain().apply(track(seconds=seconds), fps)
        assert len(made.values) == frames
        assert made.times[-1] <= seconds

    def test_are_as_long_as_the_sound_itself_where_that_is_known(self):
        known = EmotionTrack(np.arange(50) / 50, np.ones((50, 6)), AudioInfo("a.wav", "", 0.99))
        assert len(plain().apply(known, 100).values) == 100

    def test_need_a_frame_rate(self):
        for fps in (0, -1, float("nan"), float("inf")):
            with pytest.raises(FormatError, match="frames a second"):
                plain().apply(track(), fps)


class TestGain:
    def test_multiplies_every_emotion(self):
        heard, doubled = plain().apply(wandering(), 30).values, plain(gain=2.0).apply(wandering(), 30).values
        np.testing.assert_allclose(doubled, np.minimum(2 * heard, 1), atol=1e-6)

    def test_of_zero_leaves_a_still_face(self):
        assert not plain(gain=0.0).apply(wandering(), 30).values.any()

    def test_of_one_emotion_leaves_the_others(self):
        heard, more = plain().apply(wandering(), 30).values, plain(gains={"joy": 1.5}).apply(wandering(), 30).values
        np.testing.assert_allclose(more[:, JOY], np.minimum(1.5 * heard[:, JOY], 1), atol=1e-6)
        np.testing.assert_array_equal(np.delete(more, JOY, axis=1), np.delete(heard, JOY, axis=1))


class TestContrast:
    def test_above_one_lifts_the_strongest_emotion_at_the_cost_of_the_others(self):
        mixed = track(anger=0.5, happiness=0.3)
        heard, sharp = plain().apply(mixed, 30).values[0], plain(contrast=2.0).apply(mixed, 30).values[0]
        assert sharp[ANGER] > heard[ANGER]
        assert sharp[JOY] < heard[JOY]

    def test_below_one_levels_them(self):
        mixed = track(anger=0.5, happiness=0.3)
        heard, soft = plain().apply(mixed, 30).values[0], plain(contrast=0.5).apply(mixed, 30).values[0]
        assert soft[ANGER] < heard[ANGER]
        assert soft[ANGER] > soft[JOY]

    @settings(deadline=None)
    @given(st.floats(0.3, 3), st.integers(0, 100))
    def test_never_changes_the_order_of_emotions(self, contrast, seed):
        heard = plain().apply(wandering(seed, frames=9), 50).values.astype(float)
        sharp = plain(contrast=contrast).apply(wandering(seed, frames=9), 50).values.astype(float)
        order = np.argsort(heard, axis=1)
        assert (np.diff(np.take_along_axis(sharp, order, axis=1), axis=1) >= -1e-6).all()


class TestSmoothing:
    @settings(deadline=None)
    @given(st.floats(0, 5), st.floats(0.02, 3))
    def test_leaves_what_never_changes(self, smoothing, seconds):
        steady = track(seconds=seconds, anger=0.6, sadness=0.2)
        np.testing.assert_allclose(
            plain(smoothing_seconds=smoothing).apply(steady, 30).values, plain().apply(steady, 30).values, atol=1e-6
        )

    @settings(deadline=None)
    @given(st.floats(0, 5), st.integers(1, 200))
    def test_keeps_shares_that_sum_to_one(self, smoothing, frames):
        made = EmotionTrack(np.arange(frames) / 50, np.random.default_rng(frames).gamma(0.5, 4, (frames, 6)) + 1e-6)
        values = plain(smoothing_seconds=smoothing).apply(made, 50).values
        assert values.sum(axis=1).max() <= 1 + 1e-5

    def test_is_the_average_in_a_hann_window_of_this_width(self):
        made = wandering(frames=101)
        window = np.hanning(13)[1:-1]  # 0.2 s are five frames to each side, and the window's zeros lie beyond them
        expected = (window[:, None] * made.mean[45:56]).sum(axis=0) / window.sum()
        values = plain(smoothing_seconds=0.2).apply(made, 50).values[50]
        np.testing.assert_allclose(values[ANGER], expected[EMOTIONS.index("anger")], atol=1e-6)

    def test_may_be_wider_than_the_line(self):
        short = wandering(frames=10)
        wide = plain(smoothing_seconds=5.0).apply(short, 50).values[:10, ANGER]
        np.testing.assert_allclose(wide, short.mean[:, EMOTIONS.index("anger")].mean(), atol=0.01)

    def test_takes_no_time_for_frames_a_millionth_of_a_second_apart(self):
        dense = EmotionTrack(np.arange(50) * 1e-9, np.ones((50, 6)))
        assert plain(smoothing_seconds=5.0).apply(dense, 30).values.shape == (1, 10)


class TestExtended:
    def test_is_off_unless_asked_for(self):
        heard = [A2F_EMOTIONS.index(name) for name in TO_A2F.values()]
        assert not np.delete(plain().apply(wandering(), 30).values, heard, axis=1).any()

    @pytest.mark.parametrize(
        ("shares", "shown"),
        [
            ({"fear": 0.5, "happiness": 0.4}, {"amazement": 0.8}),
            ({"happiness": 0.5, "disgust": 0.3}, {"cheekiness": 0.6}),
            ({"anger": 0.5, "fear": 0.45}, {"outofbreath": 0.9}),
            ({"sadness": 0.5, "disgust": 0.25}, {"pain": 0.5}),
            ({"sadness": 0.9}, {"grief": 0.75}),
            ({"sadness": 0.6}, {"grief": 0.0}),
        ],
    )
    def test_shows_what_two_emotions_make_together_and_keeps_both(self, shares, shown):
        made = track(**{name: shares.get(name, 1e-9) for name in EMOTIONS if name != "neutral"})
        values, heard = (plain(extended=extended).apply(made, 30).values[0] for extended in (True, False))
        assert dict(zip(A2F_EMOTIONS, values, strict=True)) == pytest.approx(
            dict(zip(A2F_EMOTIONS, heard, strict=True)) | shown, abs=1e-6
        )


class TestAudio2Emotion:
    """The steps by themselves are in test_audio2emotion.py."""

    def test_takes_the_mixture_as_what_its_network_says(self):
        made, steps = wandering(frames=50), Audio2Emotion(max_emotions=6, live_blend_coef=0, live_transition_time=1e-3)
        heard = plain().apply(made, 50).values
        np.testing.assert_allclose(plain(audio2emotion=steps).apply(made, 50).values, 0.6 * heard, atol=1e-6)

    def test_gain_gains_and_limits_still_hold(self):
        made, steps = wandering(), Audio2Emotion()
        look = plain(audio2emotion=steps).apply(made, 30).values
        mine = plain(audio2emotion=steps, gain=2, gains={"joy": 1.5}, limits={"anger": 0.1}).apply(made, 30).values
        np.testing.assert_allclose(mine[:, JOY], np.minimum(3 * look[:, JOY], 1), atol=1e-6)
        np.testing.assert_allclose(mine[:, ANGER], np.minimum(2 * look[:, ANGER], 0.1), atol=1e-6)

    def test_leans_to_the_preferred_mood_with_its_own_strength(self):
        steps = Audio2Emotion(enable_preferred_emotion=True, preferred_emotion_strength=1.0, emotion_strength=0.8)
        values = plain(audio2emotion=steps, preferred={"joy": 0.5}).apply(track(anger=0.9), 30).values
        np.testing.assert_allclose(values[0, [JOY, ANGER]], [0.4, 0], atol=1e-6)


class TestLimitsAndMoods:
    def test_a_limit_is_a_ceiling_for_its_emotion_alone(self):
        heard = plain().apply(wandering(), 30).values
        limited = plain(limits={"joy": 0.2}).apply(wandering(), 30).values
        np.testing.assert_allclose(limited[:, JOY], np.minimum(heard[:, JOY], 0.2), atol=1e-6)
        np.testing.assert_array_equal(np.delete(limited, JOY, axis=1), np.delete(heard, JOY, axis=1))

    def test_a_preferred_mood_shows_in_proportion_to_its_strength(self):
        heard = plain().apply(wandering(), 30).values
        mood = np.zeros(10)
        mood[[JOY, A2F_EMOTIONS.index("amazement")]] = 0.8, 0.4
        for strength in (0.0, 0.3, 1.0):
            lean = plain(preferred={"joy": 0.8, "amazement": 0.4}, preferred_strength=strength)
            expected = (1 - strength) * heard + strength * mood
            np.testing.assert_allclose(lean.apply(wandering(), 30).values, expected, atol=1e-6)


class TestTail:
    def test_ends_neutral_and_changes_nothing_before(self):
        heard, ended = (plain(tail_seconds=seconds).apply(wandering(), 30).values for seconds in (0, 1))
        np.testing.assert_array_equal(ended[:-31], heard[:-31])
        np.testing.assert_allclose(ended[-16], heard[-16] / 2, atol=1e-6)
        assert not ended[-1].any()

    def test_is_as_long_as_the_line_where_that_is_shorter(self):
        values = plain(tail_seconds=5).apply(track(seconds=1, anger=1 - 1e-6), 30).values[:, ANGER]
        np.testing.assert_allclose(values, np.linspace(1, 0, 31), atol=1e-4)


class TestPresets:
    def test_are_found_by_name(self):
        assert list(PRESETS) == ["natural", "subtle", "expressive", "steady", "audio2emotion"]
        assert all(style(name) is preset and preset.name == name for name, preset in PRESETS.items())
        assert style("natural") == Style()

    def test_do_what_their_names_say(self):
        values = {name: preset.apply(wandering(3), 30).values for name, preset in PRESETS.items()}
        movement = {name: np.abs(np.diff(curve, axis=0)).sum() for name, curve in values.items()}
        assert values["subtle"].mean() < values["natural"].mean() < values["expressive"].mean()
        assert movement["steady"] < movement["natural"]


class TestStyleFiles:
    @settings(deadline=None)
    @given(STYLES)
    def test_a_style_survives_json(self, made):
        assert Style.from_json(json.loads(json.dumps(made.to_json()))) == made

    def test_settings_left_out_keep_their_defaults(self, tmp_path):
        (tmp_path / "bold.json").write_text('{"name": "bold", "gain": 2, "limits": {"anger": 0.5}}', encoding="utf-8")
        assert style(tmp_path / "bold.json") == Style("bold", gain=2, limits={"anger": 0.5})

    def test_without_a_name_has_that_of_its_file(self, tmp_path):
        (tmp_path / "loud.json").write_text('{"gain": 2}')
        assert style(tmp_path / "loud.json") == Style("loud", gain=2)

    def test_any_mapping_will_do(self):
        limits = MappingProxyType({"joy": 0.5})
        assert Style(limits=limits).to_json()["limits"] == {"joy": 0.5}

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("{", f"neither a style ({', '.join(PRESETS)}) nor a readable JSON file with one"),
            ("[" * 100_000, f"neither a style ({', '.join(PRESETS)}) nor a readable JSON file with one"),
            ("[]", "style must be a JSON object of settings"),
            ('{"gian": 1}', "style: 'gian' is no setting; those are audio2emotion, contrast, extended, gain, gains"),
            ('{"gain": 5}', "style: gain must be a number from 0 to 4, not 5"),
            ('{"gain": "1"}', "style: gain must be a number from 0 to 4, not '1'"),
            ('{"gain": true}', "style: gain must be a number from 0 to 4, not True"),
            ('{"gain": NaN}', "style: gain must be a number from 0 to 4, not nan"),
            ('{"gain": 1' + "0" * 400 + "}", "style: gain must be a number from 0 to 4, not 1000"),
            ('{"contrast": 0.1}', "style: contrast must be a number from 0.3 to 3, not 0.1"),
            ('{"smoothing_seconds": -1}', "style: smoothing_seconds must be a number from 0 to 5, not -1"),
            ('{"preferred_strength": 2}', "style: preferred_strength must be a number from 0 to 1, not 2"),
            ('{"gains": {"joy": null}}', "style: gains.joy must be a number from 0 to 4, not None"),
            ('{"limits": {"joy": 1.5}}', "style: limits.joy must be a number from 0 to 1, not 1.5"),
            ('{"limits": {"happiness": 1}}', "style: limits: 'happiness' is no Audio2Face emotion; those are amaz"),
            ('{"preferred": [1]}', "style: preferred must be an object of emotion names and numbers"),
            ('{"audio2emotion": 1}', "style: audio2emotion must be a JSON object of settings"),
            (
                '{"audio2emotion": {"gain": 1}}',
                "style: audio2emotion: 'gain' is no setting; those are beginning_emotion",
            ),
            (
                '{"audio2emotion": {"beginning_emotion": []}}',
                "style: audio2emotion: beginning_emotion must be an object",
            ),
            ('{"audio2emotion": {"max_emotions": 2.5}}', "style: max_emotions must be a whole number from 1 to 6, not"),
            ('{"audio2emotion": {"live_blend_coef": 2}}', "style: live_blend_coef must be a number from 0 to 1, not 2"),
            ('{"audio2emotion": {"enable_preferred_emotion": 1}}', "style: enable_preferred_emotion must be true or f"),
            ('{"extended": 1}', "style: extended must be true or false"),
            ('{"name": 7}', "style: name must be a text"),
        ],
    )
    def test_a_file_with_a_mistake_is_named_with_it(self, tmp_path, text, problem):
        path = tmp_path / "mine.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(FormatError) as caught:
            style(path)
        assert str(caught.value).startswith(f"{path}: {problem}")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", ["naturall", "", ".", "a\0b", "x" * 5000])
    def test_a_name_that_is_neither_preset_nor_file_lists_the_presets(self, name):
        with pytest.raises(FormatError, match="natural, subtle, expressive, steady"):
            style(name)

    def test_bytes_that_are_no_text_are_refused(self, tmp_path):
        (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(FormatError, match=r"a\.json"):
            style(tmp_path / "a.json")

    @settings(deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from([*Style().to_json(), *A2F_EMOTIONS, "other"]), inner, max_size=4)
            ),
        )
    )
    def test_any_json_is_a_style_or_refused_in_one_sentence(self, document):
        said = ""
        try:
            Style.from_json(document)
        except FormatError as error:
            said = str(error)
        assert not said or "style" in said
        assert "\n" not in said


@pytest.mark.parametrize("most", [1, 2, 4, 5])
def test_no_more_emotions_show_than_may_and_they_are_the_strongest(most):
    heard = wandering()
    everything, some = (plain(max_emotions=count).apply(heard, 50).values for count in (5, most))
    assert ((some > 0).sum(axis=1) <= most).all()
    strongest = np.sort(everything, axis=1)[:, -most:]
    np.testing.assert_allclose(np.sort(some, axis=1)[:, -most:], strongest, atol=1e-6)
