"""Draws docs/pictures/faces.jpg, the ten emotions on the preview's head: python docs/pictures/faces.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from dser_ext.drawing.face.head import head
from dser_ext.drawing.face.render import Renderer
from dser_ext.drawing.face.shapes import SHAPES, TABLE
from dser_ext.emotion.colours import INK
from dser_ext.emotion.names import A2F_EMOTIONS

SIZE, COLUMNS = 260, 4
WALL = np.full((SIZE, SIZE, 4), (228, 233, 240, 255), np.uint8)
SHOWN: dict[str, dict[str, float]] = {
    "neutral": {},
    **{name: {name: 1.0} for name in A2F_EMOTIONS},
    "half joy, half amazement": {"joy": 0.5, "amazement": 0.5},
}


def main() -> None:
    """Draw them in rows."""
    font = ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 13)
    renderer = Renderer(head(), (SIZE, SIZE), 190, (SIZE / 2, 126), yaw=-0.22)
    sheet = Image.new("RGB", (SIZE * COLUMNS, SIZE * -(-len(SHOWN) // COLUMNS)))
    for number, (words, emotions) in enumerate(SHOWN.items()):
        row = sum((share * TABLE[A2F_EMOTIONS.index(name)] for name, share in emotions.items()), np.zeros(len(SHAPES)))
        face = Image.fromarray(renderer.picture(dict(zip(SHAPES, row.tolist(), strict=True)), WALL)).convert("RGB")
        ImageDraw.Draw(face).text((9, 7), words, fill=INK, font=font)
        sheet.paste(face, (number % COLUMNS * SIZE, number // COLUMNS * SIZE))
    sheet.save(Path(__file__).with_name("faces.jpg"), quality=88, optimize=True)


if __name__ == "__main__":
    main()
