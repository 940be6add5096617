"""Pictures of the real panel for the guide and for the Extension Manager: python tests/kit/pictures.py

Runs the panel's tests in Kit (see README.md beside this) and keeps some of their screenshots; draws the icon.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import lab
import numpy as np
from PIL import Image, ImageDraw

sys.path.append(str(lab.HERE.parent / "audio2face"))

from a2f_server import A2FServer

from dser_ext.panel import theme

GUIDE, DATA = lab.ROOT / "docs" / "pictures" / "panel", lab.ROOT / "data"
KEPT = ("empty", "face", "heard", "dragged", "weak", "question", "folder")
WIDTH, PREVIEW = 640, "dragged"
ICON, OVERSAMPLED = 256, 4  # pixels


def main() -> None:
    """Make them anew."""
    if reason := lab.missing():
        sys.exit(f"no pictures: {reason}")
    server = A2FServer()
    with tempfile.TemporaryDirectory() as folder:
        home = lab.build(Path(os.environ.get("KIT_LAB", f"{folder}/lab")))
        code, log = lab.run_panel_tests(home, Path(folder), Path(folder, "pictures"), server.target)
        server.stop()
        if code:
            sys.exit(log)
        GUIDE.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            picture = Image.open(Path(folder, "pictures", f"{name}.png")).convert("RGB").crop((0, 0, WIDTH, 860))
            picture.save(GUIDE / f"{name}.png", optimize=True)  # fewer colours would make some of the legend's alike
    DATA.mkdir(exist_ok=True)
    Image.open(GUIDE / f"{PREVIEW}.png").save(DATA / "preview.png", optimize=True)
    icon().save(DATA / "icon.png", optimize=True)


def icon() -> Image.Image:
    """Three emotions that take turns, with a key where they cross."""
    size = ICON * OVERSAMPLED
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, size - 1, size - 1), size // 6, (*theme.PAPER, 255))
    time = np.linspace(0.08, 0.92, 200)
    for name, middle in (("joy", 0.2), ("anger", 0.5), ("sadness", 0.8)):
        level = np.exp(-(((time - middle) / 0.16) ** 2))
        points = [(size * x, size * (0.84 - 0.64 * y)) for x, y in zip(time, level, strict=True)]
        draw.line(points, theme.EMOTIONS[name], size // 24, joint="curve")
    for x, y in ((0.2, 0.2), (0.35, 0.576), (0.5, 0.2), (0.65, 0.576), (0.8, 0.2)):
        radius = size // 22
        centre = (size * x, size * y)
        box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        draw.ellipse(box, theme.TEXT)
    return image.resize((ICON, ICON), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
