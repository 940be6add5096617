"""Any file or array of sound becomes float32 mono 16 kHz, in bounded memory, or one clear sentence."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sounds import LINE, RATE, Samples, noise, png_bytes, refused, wav_bytes, whole, write_aac, write_video

from dser_ext import audio
from dser_ext.audio import SAMPLE_RATE, AudioArray, AudioFile, read
from dser_ext.errors import AudioError

# Bands of speech compared after resampling: up to 3.5 kHz every rate from 8 kHz on carries it whole.
BAND_HZ, BAND_ERROR = 3_500, 0.01
NOT_SOUND = "is not sound|is not WAV|has no audio|holds no sound"  # the second where the package av is absent


@pytest.fixture(scope="module")
def speech() -> Samples:
    """A real line of speech, (n,) at 16 kHz; made-up syllables where the data set is not at hand."""
    if LINE.exists():
        samples, rate = soundfile.read(LINE, dtype="float32")
        assert rate == SAMPLE_RATE
        return samples * np.float32(0.5 / np.abs(samples).max())  # Vorbis goes beyond ±1, integers cannot
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    return (0.2 * voice * np.square(np.sin(8 * time))).astype(np.float32)


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "subtype", "error"),
    [
        ("wav", "PCM_U8", 0.1), ("wav", "PCM_16", 1e-3), ("wav", "PCM_24", 1e-5), ("wav", "PCM_32", 1e-5),
        ("wav", "FLOAT", 1e-7), ("wav", "DOUBLE", 1e-7), ("aiff", "PCM_16", 1e-3), ("aiff", "PCM_24", 1e-5),
        ("flac", "PCM_16", 1e-3), ("flac", "PCM_24", 1e-5), ("ogg", "VORBIS", 0.2), ("ogg", "OPUS", 0.2),
        ("mp3", "MPEG_LAYER_III", 0.2),
    ],
)  # fmt: skip
def test_every_format_of_libsndfile_gives_the_same_speech(
    tmp_path: Path, speech: Samples, suffix: str, subtype: str, error: float
) -> None:
    path = tmp_path / f"line.{suffix}"
    soundfile.write(path, speech, SAMPLE_RATE, format="OGG" if suffix == "ogg" else None, subtype=subtype)
    sound = AudioFile(path)
    samples = whole(sound)
    assert samples.dtype == np.float32
    assert samples.shape == speech.shape
    assert sound.seconds == len(speech) / SAMPLE_RATE
    assert not sound.note
    assert np.linalg.norm(samples - speech) <= error * np.linalg.norm(speech)


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("mp4", "aac"), ("mov", "pcm_s16le"), ("aac", "aac")])
def test_sound_of_mp4_and_its_family_is_read_through_av(
    tmp_path: Path, speech: Samples, suffix: str, codec: str
) -> None:
    if codec == "aac":
        path = write_aac(tmp_path / f"line.{suffix}", speech, SAMPLE_RATE)
    else:
        path = tmp_path / f"line.{suffix}"
        av = pytest.importorskip("av")
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=SAMPLE_RATE, layout="stereo")
            both = np.repeat((speech * 32767).astype(np.int16), 2)[None]  # interleaved
            frame = av.AudioFrame.from_ndarray(both, "s16", "stereo")
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    sound = AudioFile(path)
    samples = whole(sound)
    assert not sound.note
    assert 0 <= len(samples) - len(speech) <= 3 * 1024  # AAC comes in frames of 1024, the first perhaps a run-in
    late = 1024 if suffix == "aac" else 0  # a bare stream cannot say that its first frame is one
    match = samples[late : late + len(speech)]
    assert np.corrcoef(match, speech[: len(match)])[0, 1] > 0.98


def test_content_and_not_the_suffix_chooses_the_decoder(tmp_path: Path, speech: Samples) -> None:
    for suffix in ("raw", "vox", "mp3", "txt", ""):
        path = tmp_path / f"line.{suffix}"
        path.write_bytes(wav_bytes(speech))
        assert len(read(path)) == len(speech)
    headerless = tmp_path / "noise.vox"
    headerless.write_bytes(b"nothing but text " * 100)
    with pytest.raises(AudioError, match=NOT_SOUND):
        read(headerless)


def test_without_av_an_m4a_names_the_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_aac(tmp_path / "line.m4a", noise(RATE))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r'line\.m4a.*pip install "dser-audio2face\[av\]"'):
        read(path)


def test_path_is_as_typed_and_sha256_is_of_the_files_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line.wav").write_bytes(wav_bytes(noise(1000)))
    monkeypatch.chdir(tmp_path)
    sound = AudioFile("./line.wav")
    assert sound.path == "./line.wav"
    assert sound.sha256 == hashlib.sha256((tmp_path / "line.wav").read_bytes()).hexdigest()


# --- rates, channels, blocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_the_same_speech_at_any_rate_agrees_with_the_original(
    tmp_path: Path, speech: Samples, rate: int, channels: int
) -> None:
    path = tmp_path / "line.wav"
    other = soxr.resample(speech, SAMPLE_RATE, rate, quality="VHQ")
    soundfile.write(path, np.repeat(other[:, None], channels, axis=1), rate, subtype="FLOAT")
    samples = read(path)
    assert abs(len(samples) - len(speech)) <= 1
    frames = min(len(samples), len(speech))
    shared = np.fft.rfftfreq(frames, 1 / SAMPLE_RATE) < BAND_HZ
    want, got = (np.fft.rfft(x[:frames])[shared] for x in (speech, samples))
    assert np.linalg.norm(got - want) <= BAND_ERROR * np.linalg.norm(want)


@settings(max_examples=40, deadline=None)
@given(
    rate=st.integers(4_000, 384_000),
    channels=st.integers(1, 32),
    frames=st.integers(1, 30_000),
    block_seconds=st.floats(0.001, 1.0),
)
def test_any_rate_channels_and_length_give_the_stated_number_of_samples(
    rate: int, channels: int, frames: int, block_seconds: float
) -> None:
    sound = AudioArray(np.repeat(noise(frames)[:, None], channels, axis=1), rate)
    blocks = list(sound.blocks(block_seconds))
    assert sound.seconds == frames / rate
    assert sum(map(len, blocks)) == max(1, round(sound.seconds * SAMPLE_RATE))
    assert {len(block) for block in blocks[:-1]} <= {round(block_seconds * SAMPLE_RATE)}
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 96_000])
def test_a_stream_of_blocks_equals_one_pass_over_the_whole(rate: int) -> None:
    samples = noise(3 * rate + 17)
    want = samples if rate == SAMPLE_RATE else soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ")
    chooser = random.Random(rate)
    for block_seconds in [chooser.uniform(0.0005, 3) for _ in range(4)]:
        got = whole(AudioArray(samples, rate), block_seconds)
        np.testing.assert_allclose(got, want, atol=1e-4)


def test_one_frame_is_a_sound_of_one_sample(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, np.ones(1, np.float32), 192_000, subtype="FLOAT")
    assert len(read(path)) == 1


def test_speech_in_one_channel_of_two_or_of_six_is_heard(speech: Samples) -> None:
    for channels in (2, 6):
        spread = np.zeros((len(speech), channels), np.float32)
        spread[:, -1] = speech
        np.testing.assert_allclose(whole(AudioArray(spread, SAMPLE_RATE)), speech / channels, atol=1e-6)


def test_a_channel_that_speaks_late_is_heard() -> None:
    first, second = noise(5 * SAMPLE_RATE, 1), noise(5 * SAMPLE_RATE, 2)
    talk = np.zeros((10 * SAMPLE_RATE, 2), np.float32)
    talk[: len(first), 0], talk[len(first) :, 1] = first, second
    np.testing.assert_allclose(whole(AudioArray(talk, SAMPLE_RATE)), np.concatenate([first, second]) / 2, atol=1e-6)


def test_inverted_channels_do_not_silence_each_other(speech: Samples) -> None:
    hiss = noise(len(speech) + SAMPLE_RATE, 3).reshape(-1, 1) * np.float32([[1e-3, -1e-3]])  # before and under it
    hiss[SAMPLE_RATE:] += speech[:, None] * np.float32([[1, -1]])
    mixed = whole(AudioArray(hiss, SAMPLE_RATE))[SAMPLE_RATE:]
    assert np.abs(np.corrcoef(mixed, speech)[0, 1]) > 0.999
    assert np.std(mixed) == pytest.approx(np.std(speech), rel=0.01)


def test_inversion_that_is_noticed_late_is_faded_in_without_a_click() -> None:
    tone = np.sin(2 * np.pi * 100 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    both = np.stack([tone, -tone], axis=1)
    both[: 2 * SAMPLE_RATE] = noise(4 * SAMPLE_RATE).reshape(-1, 2) * 0.01  # unrelated at first
    steps = np.abs(np.diff(whole(AudioArray(both, SAMPLE_RATE))))
    assert steps.max() < 0.06  # the tone's own steepest step is 0.039
    assert steps[3 * SAMPLE_RATE :].max() > 0.03


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_an_array_has_the_interface_of_a_file(speech: Samples) -> None:
    sound = AudioArray(speech, SAMPLE_RATE)
    np.testing.assert_array_equal(whole(sound), speech)
    assert (sound.path, sound.seconds, sound.note) == (None, len(speech) / SAMPLE_RATE, None)
    assert sound.sha256 == hashlib.sha256(speech.tobytes()).hexdigest()
    stereo = AudioArray(np.stack([speech, speech], axis=1).astype(np.float64), SAMPLE_RATE)
    assert stereo.sha256 == sound.sha256


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.float16, np.float64])
def test_numbers_of_any_type_reach_full_scale(kind: type) -> None:
    if np.dtype(kind).kind == "f":
        samples = np.array([-1, 0, 0.5], kind)
    else:
        half = 2 ** (8 * np.dtype(kind).itemsize - 1)
        middle = half if np.dtype(kind).kind == "u" else 0
        samples = np.array([middle - half, middle, middle + half // 2], kind)
    np.testing.assert_allclose(whole(AudioArray(samples, SAMPLE_RATE)), [-1, 0, 0.5])


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(0), 16_000), (np.zeros((0, 2)), 16_000), (np.zeros((4, 0)), 16_000), (np.float32(1), 16_000),
        (np.zeros((2, 2, 2)), 16_000), (np.array(["a"]), 16_000), (np.zeros(4, complex), 16_000),
        (np.zeros((2, 48_000)), 16_000), (np.zeros(4), 0), (np.zeros(4), -1), (np.zeros(4), 10**9),
        (np.array([0, np.inf]), 16_000), (np.array([1e300]), 16_000),
    ],
)  # fmt: skip
def test_arrays_that_are_not_sound_are_refused(samples: NDArray[np.float64], rate: int) -> None:
    with pytest.raises(AudioError, match="the array given"):
        whole(AudioArray(samples, rate))


# --- bad files -------------------------------------------------------------------------------------------------------


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    refused(tmp_path / "none.wav", r"No such file.*check its name")
    refused(tmp_path, "folder")
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", r"empty \(0 bytes\)")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        refused(tmp_path / "pipe.wav", "pipe or a device")
        refused(Path("/dev/zero"), "pipe or a device")
    with pytest.raises(AudioError):
        AudioFile("nul\0.wav")
    with pytest.raises(AudioError):
        AudioFile("x" * 5000)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX permissions")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(wav_bytes(noise(1000)))
    path.chmod(0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)  # root reads everything
    try:
        refused(path, "ermission")
    finally:
        os.seteuid(me)


def test_what_is_not_sound_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.wav", "w") as archive:
        archive.writestr("line.txt", "hello")
    refused(tmp_path / "zip.wav", NOT_SOUND)
    for name, content in {
        "text": b"To be, or not to be.\n" * 200,
        "html": b"<!doctype html><html><body>404</body></html>" * 20,
        "json": b'{"emotions": []}' * 50,
        "png": png_bytes(),
        "random": np.random.default_rng(0).bytes(50_000),
        "zeros": bytes(10_000),
        "one": b"R",
        "riff": b"RIFF\x04\0\0\0WAVE",
    }.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(content)
        refused(path, NOT_SOUND)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_aac(tmp_path / "line.ts", noise(RATE))
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/line.ts\n#EXT-X-ENDLIST\n")
    refused(path, NOT_SOUND)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    refused(write_video(tmp_path / "silent.mp4"), "no audio stream")


def test_a_header_without_samples_is_refused(tmp_path: Path) -> None:
    for name in ("a.wav", "a.aiff"):
        soundfile.write(tmp_path / name, np.zeros(0, np.float32), SAMPLE_RATE)
        refused(tmp_path / name, NOT_SOUND)


@pytest.mark.parametrize("rate", [0, 1, 10**9, 2**32 - 1])
def test_absurd_sample_rates_are_refused(tmp_path: Path, rate: int) -> None:
    content = wav_bytes(noise(1000))
    content[24:28] = struct.pack("<I", rate)
    (tmp_path / "odd.wav").write_bytes(content)
    refused(tmp_path / "odd.wav", f"{NOT_SOUND}|Hz")


@pytest.mark.parametrize("channels", [0, 500, 65_535])
def test_absurd_channel_counts_are_refused(tmp_path: Path, channels: int) -> None:
    content = wav_bytes(noise(20_000))
    content[22:24] = struct.pack("<H", channels)
    (tmp_path / "odd.wav").write_bytes(content)
    refused(tmp_path / "odd.wav", f"{NOT_SOUND}|channels")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_placed(tmp_path: Path, bad: float) -> None:
    samples = noise(4 * 22_050)
    samples[3 * 22_050 + 2205] = samples[-1] = bad
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.stack([noise(len(samples)), samples], axis=1), 22_050, subtype="FLOAT")
    refused(path, r"3\.100 s is NaN")


def test_floats_beyond_full_scale_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, noise(1000) * 1000, SAMPLE_RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read(path), noise(1000) * 1000)


def test_a_sound_longer_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(audio, "MAX_SECONDS", 2.0)
    soundfile.write(tmp_path / "long.flac", noise(3 * SAMPLE_RATE), SAMPLE_RATE)
    refused(tmp_path / "long.flac", "longer than")
    with pytest.raises(AudioError, match="longer than"):
        whole(AudioArray(noise(3 * SAMPLE_RATE), SAMPLE_RATE))


# --- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "hours"), [(16_000, 2.0), (48_000, 0.25)])
def test_hours_of_sound_are_read_in_the_memory_of_a_few_blocks(tmp_path: Path, rate: int, hours: float) -> None:
    path = tmp_path / "hours.wav"
    frames = int(hours * 3600 * rate)
    path.write_bytes(wav_bytes(np.zeros(0, np.float32), rate))
    with path.open("r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", 2 * frames))
        file.truncate(44 + 2 * frames)  # sparse: costs no disk
    sound = AudioFile(path)
    tracemalloc.start()
    try:
        assert len(sound.sha256) == 64
        count = sum(len(block) for block in sound.blocks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == round(hours * 3600 * SAMPLE_RATE)
    assert sound.seconds == hours * 3600
    assert peak < 8e6  # bytes; the file has 230 and 86 million
