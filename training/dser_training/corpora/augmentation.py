"""What is done to the sound of training lines: virtual voices, and small changes of each line's own.

All lines of a voice are changed alike (speed, pitch, equaliser, room, band, noise floor, codec), so that how a line
sounds by itself means little, and only the speaker's other lines tell what is usual.

Filters, resampling, pitch and shift are audiomentations'. It draws from the process's global random state, so its
parameters are drawn here. Noise is made here: audiomentations draws every sample of it globally.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import soundfile
from audiomentations import BandPassFilter, PitchShift, Resample, SevenBandParametricEQ, Shift
from audiomentations.core.transforms_interface import BaseWaveformTransform
from noisereduce import reduce_noise
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import fftconvolve

from dser_ext.audio import SAMPLE_RATE
from dser_ext.recognition.speech import HOP, loud_frames

RING_SECONDS = 0.25  # after which the slowest equaliser (+8 dB at 91 Hz, Q 5) has decayed by 75 dB
BAND_LOW, BAND_HIGH, BAND_ROLLOFF = (150.0, 400.0), (3000.0, 4000.0), 24  # Hz, Hz, dB an octave: around a telephone's
WHITE, BROWN = 0.0, -6.02  # dB an octave, between which a voice's noise lies
QUIET_SHARE = 0.15  # of a line's frames, that hold its noise and nothing else
NOISE_WINDOW = 512  # samples, of a spectrum that noise is told by
LOWEST_NOISE = 50.0  # Hz, below which noise is flat: microphones hear little there
MP3_KBITS = (8, 160)  # slowest and fastest MP3 at 16 kHz, 1 and 0 on libsndfile's scale of compression
MP3_DELAY = 1105  # samples before the sound; readers drop them but at 32 kbit/s or less, whose frames do not tell it

Sound = NDArray[np.float32]  # (n,), mono, 16 kHz
Random = np.random.Generator


@dataclass(frozen=True)
class Augmentation:
    """How much is changed in training; a section of the configuration."""

    voice_share: float = 0.85  # of voices that are changed; the shares below are of these
    denoise_share: float = 0.3  # with part of their noise taken out, as dry as a studio's
    denoised: tuple[float, float] = (0.3, 0.9)  # the part that is
    speed: float = 1.12  # up to so many times as fast or slow, pitch and formants with it
    pitch_share: float = 0.3  # of changed voices whose pitch and formants are moved at the same speed
    pitch_semitones: float = 2.0  # at most, up or down
    equaliser_db: float = 8.0  # at most, up or down, in each of seven bands
    room_share: float = 0.3
    room_seconds: tuple[float, float] = (0.15, 0.6)  # in which the reverberation decays by 60 dB
    room_direct_db: tuple[float, float] = (0.0, 12.0)  # direct sound to reverberation
    band_share: float = 0.1  # as if through a telephone
    floor_share: float = 0.3  # with a noise floor, as far below the speech in every line
    floor_snr_db: tuple[float, float] = (15.0, 40.0)
    codec_share: float = 0.03  # stored as MP3; rare, since it costs 12 ms a line and everything else together 3
    codec_kbits: tuple[float, float] = (24.0, 64.0)
    crop: float = 0.1  # of a line, cut off its ends at most
    shift: float = 0.05  # of a line's length, earlier or later at most, with silence at one end
    noise_share: float = 0.3  # of lines with noise of their own
    noise_snr_db: tuple[float, float] = (10.0, 40.0)


@dataclass(frozen=True)
class VirtualVoice:
    """What all lines of a voice go through alike. As it stands, it changes nothing."""

    denoised: float = 0.0  # part of its noise that is taken out
    speed: float = 1.0  # times as fast
    semitones: float = 0.0
    response: Sound | None = None  # impulse response of equaliser, room and band together
    floor_snr_db: float | None = None
    floor_slope_db: float = WHITE  # an octave
    codec_kbits: float | None = None

    @classmethod
    def drawn(cls, settings: Augmentation, random: Random) -> VirtualVoice:
        """A voice of the settings; unchanged in all but `voice_share` of the cases."""
        if random.random() >= settings.voice_share:
            return cls()
        shifted, noisy, coded = random.random(3) < (settings.pitch_share, settings.floor_share, settings.codec_share)
        dry = random.random() < settings.denoise_share
        return cls(
            denoised=random.uniform(*settings.denoised) if dry else 0.0,
            speed=settings.speed ** random.uniform(-1, 1),
            semitones=random.uniform(-1, 1) * settings.pitch_semitones if shifted else 0.0,
            response=_impulse_response(settings, random),
            floor_snr_db=random.uniform(*settings.floor_snr_db) if noisy else None,
            floor_slope_db=random.uniform(BROWN, WHITE),
            codec_kbits=random.uniform(*settings.codec_kbits) if coded else None,
        )

    def __call__(self, sound: Sound, random: Random) -> Sound:
        """A line in this voice; `random` gives the samples of its noise floor. Only speed changes the length."""
        if self.denoised:
            sound = without_noise(sound, self.denoised)
        if self.speed != 1:
            sound = fixed(Resample(), target_sample_rate=round(SAMPLE_RATE / self.speed))(sound, SAMPLE_RATE)
        if self.semitones:
            sound = fixed(PitchShift(), num_semitones=self.semitones)(sound, SAMPLE_RATE)
        if self.response is not None:
            sound = fftconvolve(sound, self.response)[: len(sound)]
        if self.floor_snr_db is not None:
            sound = with_noise(sound, self.floor_snr_db, self.floor_slope_db, random)
        if self.codec_kbits is not None:
            sound = through_mp3(sound, self.codec_kbits)
        return sound


def change_line(sound: Sound, settings: Augmentation, random: Random) -> Sound:
    """A line with changes of its own: crop, shift and noise. They come before its voice's, whose floor fills gaps."""
    length = max(1, round(len(sound) * (1 - random.uniform(0, settings.crop))))
    start = random.integers(len(sound) - length + 1)
    moved = fixed(Shift(rollover=False), shift_amount=random.uniform(-1, 1) * settings.shift)
    line: Sound = moved(sound[start : start + length], SAMPLE_RATE)
    if random.random() < settings.noise_share:
        line = with_noise(line, random.uniform(*settings.noise_snr_db), random.uniform(BROWN, WHITE), random)
    return line


def fixed(transform: BaseWaveformTransform, **parameters: float) -> BaseWaveformTransform:
    """A transform that draws nothing: it keeps these parameters."""
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    return transform


def with_noise(sound: Sound, snr_db: float, slope_db: float, random: Random) -> Sound:
    """Noise added so many dB below the speech, its power falling or rising by `slope_db` an octave.

    The speech's power is that of the sound's loud frames, so levelled lines have noise of one level. In silence there
    is none.
    """
    size = next_fast_len(len(sound), real=True)
    spectrum = rfft(random.standard_normal(size, dtype=np.float32))
    spectrum *= np.maximum(rfftfreq(size, 1 / SAMPLE_RATE), LOWEST_NOISE) ** (slope_db / (20 * np.log10(2)))
    noise = irfft(spectrum, size)[: len(sound)]
    power = speech_power(sound) * 10 ** (-snr_db / 10)
    return np.asarray(sound + noise * np.sqrt(power / np.square(noise).mean()), np.float32)


def without_noise(sound: Sound, part: float) -> Sound:
    """The sound with this part of its steady noise taken out: in each band what is as quiet as its quietest frames."""
    frames = sound[: len(sound) // HOP * HOP].reshape(-1, HOP)
    power = np.square(frames).sum(axis=1)
    quiet = frames[power <= np.quantile(power, QUIET_SHARE)].ravel() if len(frames) else sound
    if len(quiet) < NOISE_WINDOW or not quiet.any():
        return sound
    reduced = reduce_noise(
        y=sound, sr=SAMPLE_RATE, y_noise=quiet, stationary=True, prop_decrease=part, n_fft=NOISE_WINDOW
    )
    return np.asarray(reduced, np.float32)


def speech_power(sound: Sound) -> float:
    """Mean square of the loud frames; of all the samples, if there are none."""
    loud = loud_frames(sound)
    frames = sound[: len(loud) * HOP].reshape(-1, HOP)[loud]
    return float(np.square(frames if frames.size else sound).mean())


def through_mp3(sound: Sound, kbits: float) -> Sound:
    """The sound after MP3 of so many kbit/s, as long and at the same place as before."""
    decoded, _ = soundfile.read(BytesIO(mp3(sound, kbits)), dtype="float32")
    delay = MP3_DELAY if len(decoded) > len(sound) else 0
    return np.asarray(decoded[delay : delay + len(sound)])


def mp3(sound: Sound, kbits: float) -> bytes:
    """The sound as an MP3 file of a constant rate near `kbits`, from 16 kbit/s."""
    slowest, fastest = MP3_KBITS
    compression = (fastest - kbits) / (fastest - slowest)
    file = BytesIO()
    soundfile.write(file, sound, SAMPLE_RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=compression)
    return file.getvalue()


def _impulse_response(settings: Augmentation, random: Random) -> Sound | None:
    """Of all that filters a voice, so that a line costs one convolution; None if nothing does."""
    room = random.uniform(*settings.room_seconds) if random.random() < settings.room_share else 0.0
    filters = [_equaliser(settings.equaliser_db, random)] if settings.equaliser_db else []
    filters += [_band(random)] if random.random() < settings.band_share else []
    if not room and not filters:
        return None
    response = np.zeros(1 + round((RING_SECONDS + room) * SAMPLE_RATE), np.float32)
    response[1] = 1  # not the first: filters start as if that had been there for ever
    if room:
        tail = _reverberation(room, random.uniform(*settings.room_direct_db), random)
        response[1 : 1 + len(tail)] += tail
    for change in filters:
        response = change(response, SAMPLE_RATE)
    return response[1:]


def _reverberation(seconds: float, direct_db: float, random: Random) -> Sound:
    """Noise that decays by 60 dB in so many seconds, its energy so many dB below that of a unit impulse."""
    count = round(seconds * SAMPLE_RATE)
    tail = random.standard_normal(count, dtype=np.float32) * np.logspace(0, -3, count, dtype=np.float32)
    return np.asarray(tail * np.sqrt(10 ** (-direct_db / 10) / np.square(tail).sum()), np.float32)


def _equaliser(most_db: float, random: Random) -> BaseWaveformTransform:
    equaliser = SevenBandParametricEQ()
    for band in (equaliser.low_shelf_filter, *equaliser.peaking_filters, equaliser.high_shelf_filter):
        fixed(
            band,
            center_freq=np.exp(random.uniform(np.log(band.min_center_freq), np.log(band.max_center_freq))),
            gain_db=random.uniform(-most_db, most_db),
            q_factor=random.uniform(band.min_q, band.max_q),
        )
    return fixed(equaliser)


def _band(random: Random) -> BaseWaveformTransform:
    low, high = random.uniform(*BAND_LOW), random.uniform(*BAND_HIGH)
    return fixed(BandPassFilter(), center_freq=(low + high) / 2, bandwidth=high - low, rolloff=BAND_ROLLOFF)
