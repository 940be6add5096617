"""Colours and sizes of the panel: dark, as Kit's own windows are."""

from __future__ import annotations

from dser_ext.emotion.colours import A2F_COLOURS, EMOTION_COLOURS

Rgb = tuple[int, int, int]

GROUND: Rgb = (0x2A, 0x2C, 0x30)  # of the panel
PAPER: Rgb = (0x1C, 0x1E, 0x22)  # of the curves
FIELD: Rgb = (0x1F, 0x21, 0x24)
RAISED: Rgb = (0x3C, 0x40, 0x46)
HOVERED: Rgb = (0x4A, 0x4F, 0x57)
TEXT: Rgb = (0xE3, 0xE6, 0xEA)
SOFT_TEXT: Rgb = (0xA9, 0xB0, 0xBA)
ACCENT: Rgb = (0x2F, 0x6F, 0xB4)
ON_ACCENT: Rgb = (0xFF, 0xFF, 0xFF)
GOOD: Rgb = (0x6C, 0xC0, 0x8B)
WARN: Rgb = (0xF2, 0xB9, 0x4B)
BAD: Rgb = (0xF2, 0x8B, 0x82)
RULE: Rgb = (0x33, 0x36, 0x3C)
WAVE: Rgb = (0x43, 0x49, 0x52)
LOCKED: Rgb = (0x5B, 0x54, 0x2E)
SPAN: Rgb = (0x2B, 0x45, 0x62)

LEAST_CONTRAST = 3.0  # of a curve against its ground (WCAG 2.2, 1.4.11)


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Rgb) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _on_paper(colour: str) -> Rgb:
    """An emotion's colour, lightened until it stands out."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    found = (red, green, blue)
    while contrast(found, PAPER) < LEAST_CONTRAST:
        found = (
            found[0] + (255 - found[0]) // 12 + 1,
            found[1] + (255 - found[1]) // 12 + 1,
            found[2] + (255 - found[2]) // 12 + 1,
        )
    return found


EMOTIONS: dict[str, Rgb] = {name: _on_paper(colour) for name, colour in {**A2F_COLOURS, **EMOTION_COLOURS}.items()}
"""Of the six and of the ten; those of the same name have the same."""


def argb(colour: Rgb, opacity: float = 1.0) -> int:
    """As omni.ui's style sheets want it: 0xAABBGGRR."""
    red, green, blue = colour
    return round(255 * opacity) << 24 | blue << 16 | green << 8 | red


CLEAR = 0x00000000
SMALL, NORMAL, LARGE = 13, 14, 17  # pixels of text
STYLE = {
    "Window": {"background_color": argb(GROUND)},
    "ScrollingFrame": {"background_color": argb(GROUND), "secondary_color": argb(RAISED)},
    "Label": {"color": argb(TEXT), "font_size": NORMAL},
    "Label::soft": {"color": argb(SOFT_TEXT), "font_size": SMALL},
    "Label::good": {"color": argb(GOOD), "font_size": SMALL},
    "Label::warn": {"color": argb(WARN), "font_size": SMALL},
    "Label::bad": {"color": argb(BAD), "font_size": NORMAL},
    "Button": {"background_color": argb(RAISED), "border_radius": 3, "padding": 3, "margin": 0},
    "Button:hovered": {"background_color": argb(HOVERED)},
    "Button:disabled": {"background_color": argb(GROUND)},
    "Button.Label": {"color": argb(TEXT), "font_size": NORMAL},
    "Button.Label:disabled": {"color": argb(SOFT_TEXT)},
    "Button::main": {"background_color": argb(ACCENT), "border_radius": 4},
    "Button.Label::main": {"color": argb(ON_ACCENT), "font_size": LARGE},
    "Button::on": {"background_color": argb(ACCENT)},
    "Button.Label::on": {"color": argb(ON_ACCENT)},
    "Field": {
        "background_color": argb(FIELD),
        "color": argb(TEXT),
        "border_radius": 3,
        "padding": 3,
        "font_size": NORMAL,
    },
    "ComboBox": {
        "background_color": argb(FIELD),
        "color": argb(TEXT),
        "secondary_color": argb(RAISED),
        "font_size": NORMAL,
    },
    "Slider": {
        "background_color": argb(FIELD),
        "secondary_color": argb(ACCENT),
        "color": argb(TEXT),
        "draw_mode": 1,  # filled
        "border_radius": 3,
        "font_size": NORMAL,
    },
    "CheckBox": {"background_color": argb(FIELD), "color": argb(TEXT), "border_radius": 2},
    "CollapsableFrame": {
        "background_color": argb(GROUND),
        "secondary_color": argb(RAISED),
        "font_size": NORMAL,
        "padding": 2,
    },
    "ProgressBar": {
        "background_color": argb(FIELD),
        "color": argb(ACCENT),
        "secondary_color": argb(TEXT),
        "font_size": SMALL,
    },
    "Rectangle::problem": {"background_color": argb((0x4A, 0x27, 0x27)), "border_radius": 3},
    "Rectangle::question": {"background_color": argb((0x4A, 0x3F, 0x22)), "border_radius": 3},
    "Tooltip": {"background_color": argb(RAISED), "color": argb(TEXT), "font_size": SMALL, "margin": 4},
}
"""Of the whole panel."""
