"""maya-anim: ten animation curves for Maya's animImportExport plug-in. Not tried on Maya."""

from __future__ import annotations

import os
from fractions import Fraction

from dser_ext.emotion.frame_rate import frame_rate
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.files import written_whole
from dser_ext.formats.keyed_line import Keyed, key_frames

NODE = "dserEmotions"
"""What the curves' node is called in the file; on import they go to the node that is selected."""

TIME_UNITS = {
    Fraction(15): "game",
    Fraction(24): "film",
    Fraction(25): "pal",
    Fraction(30): "ntsc",
    Fraction(48): "show",
    Fraction(50): "palf",
    Fraction(60): "ntscf",
    Fraction(24000, 1001): "23.976fps",
    Fraction(30000, 1001): "29.97fps",
    Fraction(48000, 1001): "47.952fps",
    Fraction(60000, 1001): "59.94fps",
}
"""Maya's names for frame rates; 120 and other whole ones are called like "120fps"."""

WHOLE_RATES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 40, 75, 80, 90, 100, 120, 125, 150, 200, 240, 250, 300, 375, 400, 500)


def write_anim(line: Keyed, path: str | os.PathLike[str]) -> None:
    """A linear curve an emotion, keyed on frames, or in milliseconds where Maya has no such frame rate.

    Raises FormatError if the file cannot be written.
    """
    unit, times = _times(line)
    values = line.keyframes.values
    with written_whole(path) as file:
        file.write("animVersion 1.1;\nmayaVersion 2022;\n")
        file.write(f"timeUnit {unit};\nlinearUnit cm;\nangularUnit deg;\nstartTime 0;\nendTime {times[-1]:.9g};\n")
        for number, emotion in enumerate(A2F_EMOTIONS):
            file.write(f"anim {emotion}.{emotion} {emotion} {NODE} 0 0 {number};\nanimData {{\n")
            file.write("  input time;\n  output unitless;\n  weighted 0;\n")
            file.write("  preInfinity constant;\n  postInfinity constant;\n  keys {\n")
            for time, value in zip(times, values[:, number].tolist(), strict=True):
                file.write(f"    {time:.9g} {value:.6f} linear linear 1 1 0;\n")
            file.write("  }\n}\n")


def _times(line: Keyed) -> tuple[str, list[float]]:
    rate = frame_rate(line.fps)
    unit = TIME_UNITS.get(rate) or (f"{rate}fps" if rate in WHOLE_RATES else None)
    if unit:
        return unit, key_frames(line).tolist()
    return "millisec", [round(seconds * 1000, 6) for seconds in line.keyframes.times.tolist()]
