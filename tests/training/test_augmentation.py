"""What is done to the sound of training lines, and the conditions that a model has to stand."""

from __future__ import annotations

import random as global_random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
from dser_training.corpora.augmentation import (
    BROWN,
    WHITE,
    Augmentation,
    Sound,
    VirtualVoice,
    change_line,
    mp3,
    speech_power,
    through_mp3,
    with_noise,
)
from dser_training.corpora.conditions import CONDITIONS
from numpy.typing import NDArray
from scipy.signal import correlate, welch

from dser_ext.audio import SAMPLE_RATE, read
from dser_ext.recognition.speech import HOP, loud_frames

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LINES = [read(path) for path in sorted((SAMPLES / "voice").glob("*.ogg"))]
LINE = LINES[3]
OCTAVES = 62.5 * 2.0 ** np.arange(8)  # Hz, where octaves begin, up to 8 kHz
STILL = Augmentation(
    voice_share=1, denoise_share=0, speed=1, pitch_share=0, equaliser_db=0, room_share=0, band_share=0, floor_share=0,
    codec_share=0, crop=0, shift=0, noise_share=0,
)  # fmt: skip
EVERYTHING = Augmentation(
    voice_share=1,
    denoise_share=1,
    pitch_share=1,
    room_share=1,
    band_share=1,
    floor_share=1,
    codec_share=1,
    noise_share=1,
)
ODD_SOUNDS = {
    "silence": np.zeros(SAMPLE_RATE, np.float32),
    "0.1 s": LINE[SAMPLE_RATE : SAMPLE_RATE + SAMPLE_RATE // 10],
    "0.1 s of silence": np.zeros(SAMPLE_RATE // 10, np.float32),
    "a line that peaks at 1": LINE / np.abs(LINE).max(),
    "a square wave at full scale": np.tile(np.repeat(np.float32([1, -1]), 40), 200),
}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decibels(power: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(power)


def octave_powers(sound: Sound) -> NDArray[np.float64]:
    """Mean power density in each of the octaves, in decibels."""
    frequency, density = welch(sound, SAMPLE_RATE, nperseg=2048)
    return decibels(np.array([density[(frequency >= low) & (frequency < 2 * low)].mean() for low in OCTAVES[:-1]]))


def gain_at(before: Sound, after: Sound, low: float, high: float) -> float:
    """Decibels by which the sound between two frequencies was raised."""
    frequency, density = welch(np.stack([before, after]), SAMPLE_RATE, nperseg=2048)
    inside = (frequency >= low) & (frequency < high)
    return float(decibels(density[1, inside].sum() / density[0, inside].sum()))


def pitch(sound: Sound) -> float:
    """The median fundamental frequency of the speech, in Hz."""
    fundamental = librosa.yin(sound, fmin=60, fmax=500, sr=SAMPLE_RATE, frame_length=1024, hop_length=HOP)
    loud = loud_frames(sound)
    return float(np.median(fundamental[: len(loud)][loud]))


def ten_frame_powers(sound: Sound) -> NDArray[np.float64]:
    """Mean power of every ten frames, 0.2 s, in a row."""
    power = np.square(sound[: len(sound) // HOP * HOP].reshape(-1, HOP), dtype=np.float64).mean(axis=1)
    return np.convolve(power, np.ones(10) / 10, mode="valid")


def lag(before: Sound, after: Sound) -> int:
    """Samples by which one comes later than the other."""
    return int(np.argmax(correlate(after, before, method="fft"))) - len(before) + 1


@pytest.mark.parametrize("seed", range(4))
def test_all_lines_of_a_voice_are_coloured_alike(seed: int) -> None:
    settings = replace(STILL, equaliser_db=8, room_share=1, room_seconds=(0.2, 0.2))
    voice, other = (VirtualVoice.drawn(settings, generator(number)) for number in (seed, seed + 1))
    changes = np.stack([octave_powers(voice(line, generator())) - octave_powers(line) for line in LINES])
    assert np.abs(changes - changes.mean(axis=0)).max() < 3  # voices vary inside octaves, and so do lines
    assert np.ptp(changes.mean(axis=0)) > 3
    others = np.stack([octave_powers(other(line, generator())) - octave_powers(line) for line in LINES])
    assert np.abs(others.mean(axis=0) - changes.mean(axis=0)).max() > 3


def test_the_equaliser_stays_within_its_decibels() -> None:
    for seed in range(30):
        response = VirtualVoice.drawn(replace(STILL, equaliser_db=3), generator(seed)).response
        gains = 2 * decibels(np.abs(np.fft.rfft(response)))
        assert 1 < np.abs(gains).max() < 2 * 3.1  # neighbouring bands overlap
        assert np.abs(response[-1000:]).max() < 1e-4


def test_only_the_wanted_share_of_voices_is_changed() -> None:
    random = generator()
    changed = [VirtualVoice.drawn(Augmentation(voice_share=0.7), random).speed != 1 for _ in range(500)]
    assert 0.64 < np.mean(changed) < 0.76


def test_of_the_noise_the_wanted_part_is_taken_out_and_the_words_stay() -> None:
    line = np.pad(LINE, SAMPLE_RATE // 2)
    noisy = with_noise(line, 20, WHITE, generator())
    loud = np.repeat(loud_frames(line), HOP)
    power = {}
    for part in (0.0, 0.5, 1.0):
        heard = VirtualVoice(denoised=part)(noisy, generator())[: len(loud)]
        power[part] = [float(np.square(heard[own]).mean()) for own in (loud, ~loud)]
    assert all(decibels(spoken / power[0.0][0]) == pytest.approx(0, abs=1.5) for spoken, _ in power.values())
    assert power[1.0][1] < power[0.5][1] < power[0.0][1]
    assert decibels(power[1.0][1] / power[0.0][1]) < -6


@pytest.mark.parametrize("speed", [0.9, 1.12])
def test_speed_moves_pitch_and_length(speed: float) -> None:
    fast = VirtualVoice(speed=speed)(LINE, generator())
    assert len(fast) == pytest.approx(len(LINE) / speed, abs=2)
    assert pitch(fast) / pitch(LINE) == pytest.approx(speed, rel=0.02)


@pytest.mark.parametrize("semitones", [-2.0, 1.5])
def test_pitch_moves_at_the_same_speed(semitones: float) -> None:
    high = VirtualVoice(semitones=semitones)(LINE, generator())
    assert len(high) == len(LINE)
    assert pitch(high) / pitch(LINE) == pytest.approx(2 ** (semitones / 12), rel=0.02)
    envelopes = [np.convolve(np.abs(sound), np.ones(HOP)) for sound in (LINE, high)]
    assert np.corrcoef(envelopes)[0, 1] > 0.95


def test_speed_and_pitch_are_drawn_both_ways() -> None:
    settings = replace(STILL, speed=1.12, pitch_share=1, pitch_semitones=2)
    voices = [VirtualVoice.drawn(settings, generator(seed)) for seed in range(100)]
    speeds, semitones = np.array([(voice.speed, voice.semitones) for voice in voices]).T
    assert 1 / 1.12 <= speeds.min() < 0.92
    assert 1.09 < speeds.max() <= 1.12
    assert -2 <= semitones.min() < -1.5
    assert 1.5 < semitones.max() <= 2


def test_a_room_decays_as_long_and_is_as_loud_as_drawn() -> None:
    settings = replace(STILL, room_share=1, room_seconds=(0.4, 0.4), room_direct_db=(6, 6))
    for seed in range(5):
        response = VirtualVoice.drawn(settings, generator(seed)).response
        later = np.square(response[1:], dtype=np.float64)[::-1].cumsum()[::-1]
        assert decibels(later[0]) == pytest.approx(-6, abs=0.5)
        assert decibels(later[round(0.2 * SAMPLE_RATE)] / later[0]) == pytest.approx(-30, abs=1.5)


def test_a_band_keeps_the_middle_only() -> None:
    for seed in range(5):
        narrow = VirtualVoice.drawn(replace(STILL, band_share=1), generator(seed))(LINE, generator())
        assert gain_at(LINE, narrow, 600, 2400) == pytest.approx(0, abs=1)
        assert gain_at(LINE, narrow, 5500, 8000) < -12
        assert gain_at(LINE, narrow, 20, 60) < -20


def test_the_noise_floor_is_as_far_below_the_speech_in_every_line_and_of_one_colour() -> None:
    voice = VirtualVoice(floor_snr_db=15, floor_slope_db=BROWN)
    random = generator()
    for line in (*LINES, 0.01 * LINE):
        noise = (voice(line, random) - line).astype(np.float64)
        frames = line[: len(line) // HOP * HOP].reshape(-1, HOP)[loud_frames(line)]
        assert decibels(np.square(frames).mean() / np.square(noise).mean()) == pytest.approx(15, abs=0.01)
        slope, _ = np.polyfit(np.arange(7), octave_powers(noise), 1)
        assert slope == pytest.approx(BROWN, abs=0.4)
    first, again = (voice(LINE, random) - LINE for _ in range(2))
    assert abs(np.corrcoef(first, again)[0, 1]) < 0.5


def test_white_noise_is_flat() -> None:
    noise = with_noise(LINE, 0, WHITE, generator()) - LINE
    assert np.ptp(octave_powers(noise)) < 2


@pytest.mark.parametrize("kbits", [16, 24, 32, 40, 64])
def test_mp3_loses_something_but_keeps_length_and_place(kbits: float) -> None:
    for line in (LINE, LINE[SAMPLE_RATE : SAMPLE_RATE + 1601]):
        heard = VirtualVoice(codec_kbits=kbits)(line, generator())
        assert len(heard) == len(line)
        assert lag(line, heard) == 0
        lost = decibels(np.square(line - heard).mean() / np.square(line).mean())
        assert -35 < lost < -3


def test_the_same_generator_gives_the_same_sound_whatever_the_global_state_which_stays_as_it_is() -> None:
    heard = []
    for seed in (1, 2):
        global_random.seed(seed)
        np.random.seed(seed)
        before = global_random.getstate(), np.random.get_state()[1].tolist()
        random = generator(3)
        voice = VirtualVoice.drawn(EVERYTHING, random)
        heard.append([voice(change_line(line, EVERYTHING, random), random) for line in LINES[:3]])
        assert (global_random.getstate(), np.random.get_state()[1].tolist()) == before
    for first, again in zip(*heard, strict=True):
        assert np.array_equal(first, again)


def test_voices_can_be_heard_in_several_threads() -> None:
    def heard(seed: int) -> Sound:
        random = generator(seed)
        return VirtualVoice.drawn(EVERYTHING, random)(change_line(LINE, EVERYTHING, random), random)

    with ThreadPoolExecutor(4) as pool:
        for alone, together in zip(map(heard, range(8)), pool.map(heard, range(8)), strict=True):
            assert np.array_equal(alone, together)


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD_SOUNDS)
def test_odd_sounds_stay_finite_and_only_speed_changes_their_length(name: str) -> None:
    sound, settings = ODD_SOUNDS[name], replace(EVERYTHING, crop=0)
    before = sound.copy()
    for seed in range(20):
        random = generator(seed)
        voice = VirtualVoice.drawn(settings, random)
        heard = voice(change_line(sound, settings, random), random)
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
        assert np.abs(heard).max() < 30
        assert len(heard) == pytest.approx(len(sound) / voice.speed, abs=1 + len(sound) / SAMPLE_RATE)
        assert heard.any() == sound.any()
    assert np.array_equal(sound, before)


def test_the_papers_shift_crop_and_noise_are_possible_without_any_change_of_voice() -> None:
    settings = Augmentation(voice_share=0, crop=0.2, shift=0.1, noise_share=1, noise_snr_db=(20, 20))
    random = generator()
    voice = VirtualVoice.drawn(settings, random)
    lengths, lags = [], []
    for _ in range(40):
        changed = change_line(LINE, settings, random)
        assert np.array_equal(voice(changed, random), changed)
        lengths.append(len(changed) / len(LINE))
        lags.append(lag(LINE, changed) / len(LINE))
    assert 0.8 <= min(lengths) < 0.85
    assert 0.95 < max(lengths) <= 1
    assert -0.3 <= min(lags) < -0.1  # shifted by at most 0.1, and cropped by at most 0.2 before that
    assert 0 < max(lags) <= 0.1


def test_a_shifted_line_is_the_same_with_silence_at_one_end() -> None:
    for seed in range(10):
        moved = change_line(LINE, replace(STILL, shift=0.1), generator(seed))
        by = lag(LINE, moved)
        assert len(moved) == len(LINE)
        assert 0 < abs(by) <= 0.1 * len(LINE) + 1
        assert not (moved[:by] if by > 0 else moved[by:]).any()
        kept = slice(abs(by) + 100, len(LINE) - abs(by) - 100)  # 100 samples: the fades
        assert np.array_equal(moved[kept], np.roll(LINE, by)[kept])


def test_speech_power_leaves_the_pauses_out() -> None:
    padded = np.concatenate([np.zeros(5 * SAMPLE_RATE, np.float32), LINE])
    assert speech_power(padded) == pytest.approx(speech_power(LINE), rel=0.1)
    assert speech_power(padded) > 2 * np.square(padded).mean()


@pytest.mark.parametrize("snr_db", [20, 10, 5])
def test_noise_is_pink_and_as_loud_as_its_name_says(snr_db: int) -> None:
    for line in LINES:
        noise = (CONDITIONS[f"{snr_db} dB noise"](line, 1) - line).astype(np.float64)
        frames = line[: len(line) // HOP * HOP].reshape(-1, HOP)[loud_frames(line)]
        assert decibels(np.square(frames).mean() / np.square(noise).mean()) == pytest.approx(snr_db, abs=0.01)
        slope, _ = np.polyfit(np.arange(7), octave_powers(noise), 1)
        assert slope == pytest.approx(-3, abs=0.4)


def test_a_telephone_lets_300_to_3400_hz_through() -> None:
    for line in (LINE, LINE[:-1]):
        heard = CONDITIONS["8 kHz telephone band"](line, 0)
        assert len(heard) == len(line)
        assert gain_at(line, heard, 400, 3200) == pytest.approx(0, abs=0.5)
        assert gain_at(line, heard, 20, 150) < -35
        assert gain_at(line, heard, 4200, 8000) < -60


def test_mp3_has_32_kbit_per_second() -> None:
    line = read(SAMPLES / "three_moods.ogg")
    assert 8 * len(mp3(line, 32)) / (len(line) / SAMPLE_RATE) == pytest.approx(32_000, rel=0.03)
    assert 8 * len(mp3(line, 64)) / (len(line) / SAMPLE_RATE) == pytest.approx(64_000, rel=0.05)
    heard = CONDITIONS["MP3 32 kbit/s"](line, 0)
    assert np.array_equal(heard, through_mp3(line, 32))
    assert lag(line, heard) == 0
    assert 0.95 < np.corrcoef(line, heard)[0, 1] < 0.9999


def test_a_level_is_30_db_lower() -> None:
    quiet = CONDITIONS["-30 dB level"](LINE, 0)
    assert decibels(np.square(quiet).mean() / np.square(LINE).mean()) == pytest.approx(-30, abs=0.001)
    assert np.corrcoef(LINE, quiet)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("index", range(len(LINES)))
def test_pauses_make_a_line_half_as_long_again_and_sound_as_its_own_pauses(index: int) -> None:
    line = LINES[index]
    paused = CONDITIONS["1.5 x length by pauses"](line, 1)
    assert len(paused) == pytest.approx(1.5 * len(line), abs=1)
    same = int(np.argmax(paused[: len(line)] != line))
    assert same > 0.1 * len(line)
    assert np.array_equal(paused[-len(line) // 10 :], line[-len(line) // 10 :])
    before, after = ten_frame_powers(line), ten_frame_powers(paused)
    added = np.square(paused, dtype=np.float64).sum() - np.square(line, dtype=np.float64).sum()
    assert added / (len(paused) - len(line)) == pytest.approx(before.min(), rel=0.35)
    assert (np.abs(decibels(after / before.min())) < 3).mean() > 0.2  # pauses are a third of it, less their borders
    assert decibels(after.min() / before.min()) > -3


def test_a_condition_depends_on_its_seed_alone() -> None:
    for condition in CONDITIONS.values():
        assert np.array_equal(condition(LINE, 1), condition(LINE, 1))
    for name in ("20 dB noise", "1.5 x length by pauses"):
        assert not np.array_equal(CONDITIONS[name](LINE, 1), CONDITIONS[name](LINE, 2))


@pytest.mark.parametrize("name", ODD_SOUNDS)
def test_every_condition_leaves_odd_sounds_finite(name: str) -> None:
    for condition in CONDITIONS.values():
        heard = condition(ODD_SOUNDS[name], 0)
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
