"""One colour an emotion, the same in every picture.

Chosen so that every two of the six stay at least 18 apart in CIELAB (2 is just noticeable) for normal sight and for
the three kinds of colour blindness; a test simulates them. Neutral is the paper's own grey: it should recede.
"""

from __future__ import annotations

from dser_ext.emotion.names import TO_A2F

EMOTION_COLOURS = {
    "anger": "#C8352B",
    "disgust": "#4FB286",
    "fear": "#A97FD6",
    "happiness": "#F5BE41",
    "neutral": "#DDE0E5",
    "sadness": "#1F5A99",
}

A2F_COLOURS = {channel: EMOTION_COLOURS[emotion] for emotion, channel in TO_A2F.items()} | {
    "amazement": "#EE8434",
    "cheekiness": "#E27BB1",
    "grief": "#16325C",
    "outofbreath": "#7FB7D9",
    "pain": "#7A1F3D",
}

INK = "#1F2430"  # titles, keys
SOFT_INK = "#6B7280"  # what explains them
RULE = "#E5E7EB"  # grid lines
TINT = "#9AA3B2"  # shapes that stand for no emotion
