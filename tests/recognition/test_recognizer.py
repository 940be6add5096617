"""A line of speech becomes a track, the same one whatever its level, format and company; a voice changes it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import dser_ext
from dser_ext.audio import AudioArray, AudioFile
from dser_ext.emotion.names import EMOTIONS
from dser_ext.errors import AudioError, DserWarning, VoiceError
from dser_ext.recognition.recognizer import load_voice, loaded, recognize_lines

ROOT = Path(__file__).parents[2]
READER = ROOT.parent / "shared/data/read/speechocean762/0024"  # twelve neutral lines
RATE = 16_000
SAME = 0.02  # how far the mean mixture of a line may move when nothing of its emotion has changed


@pytest.fixture(scope="module")
def track(recognizer, speech):
    return tracked(recognizer, speech)


@pytest.fixture(scope="module")
def heard(recognizer, lines):
    """The samples of the actor's other lines, and their tracks."""
    samples = [soundfile.read(line, dtype="float32")[0] for line in lines]
    return [(line, tracked(recognizer, line)) for line in samples]


@pytest.fixture
def folder(tmp_path, lines) -> Path:
    """Four lines of the actor, and things that are none."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for line in lines[:4]:
        (folder / line.name).write_bytes(line.read_bytes())
    (folder / "notes.txt").write_text("not a line")
    (folder / ".hidden.wav").write_bytes(b"not a line")
    return folder


def tracked(recognizer, samples: np.ndarray, rate: int = RATE, voice=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)
        return recognizer.track(recognizer.hear(AudioArray(samples, rate)), voice)


def warned(recognizer, audio, voice=None) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recognizer.track(recognizer.hear(audio), voice)
    return [str(warning.message) for warning in caught if issubclass(warning.category, DserWarning)]


def all_lines(recognizer, paths, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)
        return [result for _, result in sorted(recognize_lines(recognizer, paths, **how), key=lambda pair: pair[0])]


def apart(first, second) -> float:
    return float(np.abs(first.mean.mean(axis=0) - second.mean.mean(axis=0)).max())


def noise(kind: str, seconds: float = 3.0) -> np.ndarray:
    count = round(seconds * RATE)
    white = np.random.default_rng(3).standard_normal(count)
    if kind == "silence":
        return np.zeros(count, np.float32)
    if kind == "hum":
        return (0.2 * np.sin(2 * np.pi * 50 * np.arange(count) / RATE)).astype(np.float32)
    if kind == "pink":
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), count)
    return (0.1 * white / white.std()).astype(np.float32)


NOISES = ["silence", "white", "pink", "hum"]


# --- what a track is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 800, 8_000, 16_001, 48_000])
def test_a_track_has_a_frame_for_every_begun_fiftieth_of_a_second(recognizer, speech, samples):
    found = tracked(recognizer, speech[20_000 : 20_000 + samples])
    assert len(found.times) == -(-samples // 320)
    np.testing.assert_allclose(found.times, np.arange(len(found.times)) / 50)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
def test_the_number_of_frames_goes_by_the_sounds_own_length_not_by_its_resampled_one(recognizer, rate):
    for samples in (rate // 50, rate // 50 + 1, rate // 3):
        found = tracked(recognizer, np.full(samples, 0.01, np.float32), rate)
        assert len(found.times) == int(np.ceil(round(50 * samples / rate, 6)))


def test_a_track_says_what_it_was_made_from(recognizer, moods):
    found = dser_ext.recognize(moods)
    assert found.audio.path == str(moods)
    assert found.audio.sha256 == hashlib.sha256(moods.read_bytes()).hexdigest()
    assert found.audio.seconds == pytest.approx(soundfile.info(moods).duration)
    assert found.model == recognizer.bundle.info
    assert found.voice is None
    np.testing.assert_allclose(found.mean.sum(axis=1), 1, atol=1e-5)


def test_samples_and_a_file_of_them_give_the_same_track(moods):
    samples, rate = soundfile.read(moods, dtype="float32")
    by_array, by_file = dser_ext.recognize(samples, rate), dser_ext.recognize(moods)
    np.testing.assert_allclose(by_array.concentration, by_file.concentration, rtol=1e-3)
    assert by_array.audio.path is None


def test_samples_without_their_rate_are_refused():
    with pytest.raises(AudioError, match="sample_rate"):
        dser_ext.recognize(np.zeros(16_000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_with_their_time(speech, bad):
    broken = speech.copy()
    broken[8_000] = bad
    with pytest.raises(AudioError, match=r"0\.500 s is NaN, infinite"):
        dser_ext.recognize(broken, RATE)


def test_the_head_sees_no_border_between_the_blocks_it_is_run_on(recognizer, speech, monkeypatch):
    whole = tracked(recognizer, speech)
    monkeypatch.setattr("dser_ext.recognition.recognizer.BLOCK_FRAMES", 40)
    np.testing.assert_allclose(tracked(recognizer, speech).concentration, whole.concentration, rtol=1e-4)


# --- what does not change it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decibels", [-50, -30, -6, 6])
def test_the_level_of_a_line_does_not_change_its_emotion(recognizer, speech, track, decibels):
    assert apart(tracked(recognizer, speech * np.float32(10 ** (decibels / 20))), track) < SAME


@pytest.mark.parametrize("channels", [2, 6])
def test_the_number_of_channels_does_not_change_it(recognizer, speech, track, channels):
    assert apart(tracked(recognizer, np.repeat(speech[:, None], channels, axis=1)), track) < 1e-3


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000])
def test_the_sample_rate_of_a_line_does_not_change_its_emotion(recognizer, heard, rate):
    """What resampling takes off the highest tones may move a border of one line by some frames, so all count."""
    changes = [apart(tracked(recognizer, soxr.resample(line, RATE, rate), rate), track) for line, track in heard]
    assert np.mean(changes) < 2 * SAME


def test_a_telephones_band_changes_it_no_more_than_its_missing_highs(recognizer, speech):
    narrow = soxr.resample(speech, RATE, 8_000)
    assert apart(tracked(recognizer, narrow, 8_000), tracked(recognizer, soxr.resample(narrow, 8_000, RATE))) < SAME


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_the_format_of_a_file_does_not_change_it(tmp_path, speech, track, subtype):
    soundfile.write(tmp_path / "line.wav", speech, RATE, subtype=subtype)
    assert apart(dser_ext.recognize(tmp_path / "line.wav"), track) < 5e-3


def test_a_result_does_not_depend_on_what_else_is_in_the_call(recognizer, moods, lines):
    alone = all_lines(recognizer, [moods])[0]
    among = all_lines(recognizer, [lines[0], "missing.wav", moods, lines[1]])
    np.testing.assert_array_equal(among[2].concentration, alone.concentration)
    assert isinstance(among[1], AudioError)


# --- voices -----------------------------------------------------------------------------------------------------------


def test_with_a_voice_the_line_is_measured_against_it_and_says_so(recognizer, moods, lines):
    voice, errors = recognizer.voice(lines, "anna")
    found = recognizer.track(recognizer.hear(AudioFile(moods)), voice.profile)
    assert not errors
    assert (found.voice.name, found.voice.lines) == ("anna", 8)
    assert found.voice.seconds == pytest.approx(voice.profile.seconds, abs=0.01)
    assert apart(found, all_lines(recognizer, [moods])[0]) > 1e-3


def test_of_two_lines_of_the_same_voice_each_is_measured_against_the_other_only(recognizer, lines):
    pair = lines[:2]
    found = all_lines(recognizer, pair, same_voice=True)
    for line, other, together in zip(pair, pair[::-1], found, strict=True):
        wanted = all_lines(recognizer, [line], voice=recognizer.voice([other], "the other lines")[0])[0]
        np.testing.assert_allclose(together.concentration, wanted.concentration, rtol=1e-4)
        assert together.voice == wanted.voice


def test_a_single_line_of_the_same_voice_is_as_without_a_voice(recognizer, moods):
    found, wanted = all_lines(recognizer, [moods], same_voice=True)[0], all_lines(recognizer, [moods])[0]
    np.testing.assert_array_equal(found.concentration, wanted.concentration)
    assert found.voice is None


def test_a_line_and_its_copy_are_one_line_which_does_not_count_for_itself(recognizer, tmp_path, lines):
    copy = tmp_path / "copy.ogg"
    copy.write_bytes(lines[0].read_bytes())
    for found in all_lines(recognizer, [lines[0], copy], same_voice=True):
        assert found.voice is None


def test_the_order_of_the_lines_does_not_matter(recognizer, lines):
    forth = all_lines(recognizer, lines, same_voice=True)
    back = all_lines(recognizer, lines[::-1], same_voice=True)[::-1]
    for first, second in zip(forth, back, strict=True):
        np.testing.assert_array_equal(first.concentration, second.concentration)
        assert first.voice == second.voice


def test_lines_that_were_given_twice_as_long_weigh_more_but_say_about_the_same(recognizer, moods, lines, tmp_path):
    for line in lines:
        samples, rate = soundfile.read(line, dtype="float32")
        soundfile.write(tmp_path / f"{line.stem}.wav", np.concatenate([samples, samples]), rate)
    once, _ = recognizer.voice(lines, "anna")
    twice, _ = recognizer.voice(sorted(tmp_path.iterdir()), "anna")
    assert twice.profile.seconds == pytest.approx(2 * once.profile.seconds, rel=0.05)
    assert len(twice.profile.pieces) > len(once.profile.pieces) == 8
    hearing = recognizer.hear(AudioFile(moods))
    first, second = recognizer.track(hearing, once), recognizer.track(hearing, twice)
    assert np.abs(first.mean - second.mean).mean() < 0.1  # a segment near a tie may fall on the other side of it


def test_a_broken_line_is_reported_and_the_others_are_still_each_others_voice(recognizer, tmp_path, lines):
    (tmp_path / "broken.wav").write_text("no sound")
    found = all_lines(recognizer, [lines[0], tmp_path / "broken.wav", lines[1]], same_voice=True)
    assert isinstance(found[1], AudioError)
    assert [found[0].voice.lines, found[2].voice.lines] == [1, 1]


def test_a_folder_of_lines_is_the_voice_that_dser_voice_makes_of_them(recognizer, folder, moods, tmp_path):
    voice, _ = recognizer.voice(sorted(folder.glob("*.ogg")), "anna")
    voice.profile.save(tmp_path / "anna.voice")
    by_folder = dser_ext.recognize(moods, voice=folder)
    by_file = dser_ext.recognize(moods, voice=tmp_path / "anna.voice")
    by_profile = dser_ext.recognize(moods, voice=voice.profile)
    assert by_folder.voice == by_file.voice == by_profile.voice
    assert by_folder.voice.name == "anna"
    np.testing.assert_allclose(by_file.concentration, by_folder.concentration, rtol=2e-3)
    np.testing.assert_allclose(by_profile.concentration, by_folder.concentration, rtol=1e-5)


def test_a_line_that_lies_in_the_folder_of_its_voice_does_not_count_for_itself(recognizer, folder, lines):
    inside = dser_ext.recognize(folder / lines[0].name, voice=folder)
    under_another_name = dser_ext.recognize(lines[0], voice=folder)
    wanted = recognizer.track(recognizer.hear(AudioFile(lines[0])), recognizer.voice(lines[1:4], "anna")[0])
    for found in (inside, under_another_name):
        np.testing.assert_allclose(found.concentration, wanted.concentration, rtol=1e-4)
        assert found.voice == wanted.voice


def test_a_line_that_cannot_be_heard_in_the_folder_is_a_warning(recognizer, folder):
    (folder / "broken.wav").write_text("no sound")
    with pytest.warns(DserWarning, match=r"broken\.wav"):
        assert load_voice(recognizer, folder).profile.lines == 4


def test_a_folder_without_a_line_is_no_voice(recognizer, tmp_path):
    with pytest.raises(VoiceError, match="no line with speech in this folder"):
        load_voice(recognizer, tmp_path)


def test_a_voice_of_another_model_is_refused_by_its_file_and_its_name(recognizer, lines, tmp_path):
    voice = recognizer.voice(lines[:1], "anna")[0].profile
    replace(voice, features_sha256="0" * 64).save(tmp_path / "old.voice")
    with pytest.raises(VoiceError, match=r"old\.voice: voice anna: made with another model .* make it anew"):
        load_voice(recognizer, tmp_path / "old.voice")
    with pytest.raises(VoiceError, match="another model"):
        recognizer.track(recognizer.hear(AudioFile(lines[0])), replace(voice, pieces=voice.pieces[:, :-1]))
    with pytest.raises(VoiceError, match="another model"):
        recognizer.advice(replace(voice, features_sha256="0" * 64))


# --- advice on voices -------------------------------------------------------------------------------------------------


def advised(use) -> list[str]:
    """The warnings of `use()`, but for the one that a voice would help."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    messages = [str(warning.message) for warning in caught if issubclass(warning.category, DserWarning)]
    return [message for message in messages if not message.startswith("without a voice")]


def test_a_voice_of_few_lines_gets_the_advice_to_give_more(recognizer, lines, tmp_path):
    voice = recognizer.voice(lines[:2], "anna")[0].profile
    advice = f"only 2 lines, {voice.seconds:.1f} s of speech; give at least 4 lines and 8 s, in different moods"
    assert recognizer.advice(voice) == advice
    voice.save(tmp_path / "anna.voice")
    assert advised(lambda: load_voice(recognizer, tmp_path / "anna.voice")) == [f"{tmp_path / 'anna.voice'}: {advice}"]


def test_the_advice_on_a_folder_is_given_once_whatever_is_measured_against_it(recognizer, folder, moods, lines):
    for line in sorted(folder.glob("*.ogg"))[2:]:
        line.unlink()
    messages = advised(
        lambda: list(recognize_lines(recognizer, [moods, *lines[4:]], voice=load_voice(recognizer, folder)))
    )
    assert [message.partition(",")[0] for message in messages] == [f"{folder}: only 2 lines"]


def test_the_advice_on_lines_of_the_same_voice_is_given_once(recognizer, lines):
    messages = advised(lambda: list(recognize_lines(recognizer, lines[:3], same_voice=True)))
    assert [message.partition(",")[0] for message in messages] == ["the same voice: only 3 lines"]
    assert not advised(lambda: list(recognize_lines(recognizer, lines[:1], same_voice=True))), "there is no voice"


def test_lines_in_all_moods_need_no_advice(recognizer, lines):
    assert recognizer.advice(recognizer.voice(lines, "anna")[0].profile) is None


@pytest.mark.skipif(not READER.is_dir(), reason="needs ../shared/data")
def test_neutral_lines_only_get_the_advice_to_add_other_moods(recognizer):
    voice = recognizer.voice(sorted(READER.iterdir()), "reader")[0].profile
    assert recognizer.advice(voice).startswith("its lines sound mostly neutral; add lines in other moods")


# --- what is not speech -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NOISES)
def test_what_is_no_speech_is_neutral_and_unsure_whatever_the_voice(recognizer, lines, kind):
    voice = recognizer.voice(lines, "anna")[0]
    sure = np.median(np.concatenate([found.total for found in all_lines(recognizer, lines, voice=voice)]))
    for level in (1.0, 0.01):
        for known in (None, voice):
            found = tracked(recognizer, np.float32(level) * noise(kind), voice=known)
            assert (found.mean.argmax(axis=1) == EMOTIONS.index("neutral")).all()
            assert np.median(found.total) < sure / 2


@pytest.mark.parametrize("kind", NOISES)
def test_what_is_no_speech_is_never_part_of_a_voice(recognizer, lines, tmp_path, kind):
    soundfile.write(tmp_path / "noise.wav", noise(kind), RATE)
    with pytest.warns(DserWarning, match=r"noise\.wav: too little speech to tell a voice"):
        voice, errors = recognizer.voice([lines[0], tmp_path / "noise.wav"], "anna")
    assert not errors
    assert voice.profile.lines == 1
    found = all_lines(recognizer, [lines[0], tmp_path / "noise.wav"], same_voice=True)
    assert found[0].voice is None
    assert found[1].voice.lines == 1


def test_speech_is_speech_at_any_level(recognizer, speech):
    loud, quiet = (recognizer.hear(AudioArray(speech * np.float32(level), RATE)).speech for level in (1, 0.003))
    assert loud.mean() > 0.6
    np.testing.assert_array_equal(loud, quiet)


def test_the_emotion_holds_through_a_pause_and_ends_in_a_long_one(recognizer, speech):
    middle = 40_000
    half_second, three_seconds = (
        tracked(recognizer, np.concatenate([speech[:middle], np.zeros(count, np.float32), speech[middle:]]))
        for count in (8_000, 48_000)
    )
    neutral = EMOTIONS.index("neutral")
    deep = three_seconds.concentration[(middle + 24_000) // 320]
    np.testing.assert_allclose(deep, recognizer.bundle.card["nonspeech_concentration"], rtol=1e-5)
    assert half_second.total[(middle + 4_000) // 320] > 1.5 * deep.sum()
    assert deep.argmax() == neutral


# --- warnings ---------------------------------------------------------------------------------------------------------


def test_without_a_voice_it_is_said_that_a_voice_would_help(recognizer, speech, lines):
    assert [message[:15] for message in warned(recognizer, AudioArray(speech, RATE))] == ["without a voice"]
    assert not warned(recognizer, AudioArray(speech, RATE), recognizer.voice(lines, "anna")[0])


def test_a_very_short_line_is_one_warning(recognizer, speech):
    messages = warned(recognizer, AudioArray(speech[20_000:20_800], RATE))
    assert messages == ["the array given: only 0.05 s long, too short to tell an emotion"]


@pytest.mark.parametrize("kind", NOISES)
def test_a_line_without_speech_is_one_warning(recognizer, kind):
    messages = warned(recognizer, AudioArray(noise(kind), RATE))
    assert messages == ["the array given: no speech was found in it, so its track is neutral"]


def test_a_model_is_loaded_once():
    assert loaded() is loaded()


# --- memory -----------------------------------------------------------------------------------------------------------

# Not getrusage: its peak counts what the parent had when it started the child.
PEAK = r"""
import pathlib, re, sys, warnings
import dser_ext
warnings.simplefilter("ignore")
track = dser_ext.recognize(sys.argv[1])
status = pathlib.Path("/proc/self/status").read_text()
print(len(track.times), int(re.search(r"VmHWM:\s*(\d+)", status)[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_half_an_hour_needs_hardly_more_memory_than_a_minute(tmp_path, speech):
    peaks = []
    for seconds in (60, 1800):
        samples = np.resize(speech, seconds * RATE)
        soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="PCM_16")
        command = [sys.executable, "-c", PEAK, str(tmp_path / "long.wav")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        frames, megabytes = map(int, done.stdout.split())
        assert frames == seconds * 50
        peaks.append(megabytes)
    assert peaks[1] < peaks[0] + 200  # 2 h take another 50 MB; the frames in memory are bounded
    assert peaks[1] < 500
