"""Frame rates as the fractions that they are: 23.976 frames a second are 24000/1001, to the last frame of an hour."""

from __future__ import annotations

from fractions import Fraction

from dser_ext.errors import FormatError

MAX_FPS = 1000
NTSC = tuple(Fraction(whole * 1000, 1001) for whole in (24, 30, 48, 60, 120))
"""Video's rates whose names are rounded: 23.976, 29.97, 47.952, 59.94 and 119.88."""

ROUNDED_BY = 0.005  # at most: 23.98 is 24000/1001, too; 23.97 is none of them


def frame_rate(fps: float | Fraction) -> Fraction:
    """The frames a second that are meant, exactly. Raises FormatError unless they are above 0 and at most 1000."""
    if not 0 < fps <= MAX_FPS:
        raise FormatError(f"frames a second must be above 0 and at most {MAX_FPS}, not {fps}")
    if isinstance(fps, Fraction):
        return fps
    return next((rate for rate in NTSC if abs(fps - rate) < ROUNDED_BY), Fraction(str(float(fps))))


def exact_fps(fps: float) -> float:
    """The number nearest to the frame rate that is meant: the last frame of an hour is then off by less than 1e-9 s."""
    return float(frame_rate(fps))
