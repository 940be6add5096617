"""Six recognised emotions, ten Audio2Face emotions, and the map between them."""

from __future__ import annotations

EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
"""What the recogniser tells apart, in the order of every array of six (paper, table 1)."""

A2F_EMOTIONS = (
    "amazement",
    "anger",
    "cheekiness",
    "disgust",
    "fear",
    "grief",
    "joy",
    "outofbreath",
    "pain",
    "sadness",
)
"""Audio2Face's explicit emotions as spelled on the wire; alphabetical, which is also the order of its vector."""

TO_A2F = {"anger": "anger", "disgust": "disgust", "fear": "fear", "happiness": "joy", "sadness": "sadness"}
"""Where each recognised emotion goes. Neutral has no channel: in Audio2Face it is the zero vector."""

NEUTRAL = EMOTIONS.index("neutral")
