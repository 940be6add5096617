"""The animator's controls: how the emotions look, and where the keys go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import omni.ui as ui

from dser_ext.emotion.names import A2F_EMOTIONS, TO_A2F
from dser_ext.emotion.style import PRESETS
from dser_ext.formats import ANIMATION_FORMATS, TRACK_FORMATS
from dser_ext.panel import text
from dser_ext.panel.model import Panel
from dser_ext.panel.widgets import GAP, LABEL, ROW, Fields, button, explain, pick, show

TOLERANCES = (0.005, 0.1)  # that the slider reaches
SLIDERS = {
    "gain": (text.GAIN, text.GAIN_TIP, (0.0, 3.0)),
    "contrast": (text.CONTRAST, text.CONTRAST_TIP, (0.3, 3.0)),
    "smoothing_seconds": (text.SMOOTHING, text.SMOOTHING_TIP, (0.0, 2.0)),
    "preferred_strength": (text.PREFERRED_STRENGTH, text.PREFERRED_STRENGTH_TIP, (0.0, 1.0)),
}
MOST_GAIN = 3.0


class Look:
    """Style, strength, trims and keys. Builds itself where it is made."""

    def __init__(self, panel: Panel, fields: Fields) -> None:
        self._panel = panel
        with ui.CollapsableFrame(text.LOOK, height=0), ui.VStack(spacing=GAP, height=0):
            with ui.HStack(height=ROW, spacing=GAP):
                explain(ui.Label(text.STYLE, width=LABEL), text.STYLE_TIP)
                self._presets = list(PRESETS)
                self._style = fields.choice(text.STYLE_TIP, self._presets, self._choose)
            self._sliders = {name: self._slider(fields, name) for name in ("gain", "contrast", "smoothing_seconds")}
            with ui.HStack(height=ROW, spacing=GAP):
                explain(ui.Label(text.MOST, width=LABEL), text.MOST_TIP)
                counts = [str(number) for number in range(1, len(TO_A2F) + 1)]
                self._most = fields.choice(text.MOST_TIP, counts, lambda index: panel.set_style(max_emotions=index + 1))
            with ui.HStack(height=ROW, spacing=GAP):
                explain(ui.Label(text.PREFERRED, width=LABEL), text.PREFERRED_TIP)
                moods = [text.NO_PREFERENCE, *A2F_EMOTIONS]
                self._mood = fields.choice(
                    text.PREFERRED_TIP, moods, lambda index: panel.set_preferred(moods[index] if index else "")
                )
            self._sliders["preferred_strength"] = self._slider(fields, "preferred_strength")
            self._tolerance = fields.slider(
                text.TOLERANCE,
                text.TOLERANCE_TIP,
                TOLERANCES,
                lambda value: panel.set_tolerance(value, "tolerance"),
                panel.drop,
            )
            with ui.CollapsableFrame(text.TRIM, collapsed=True, height=0), ui.VStack(spacing=GAP, height=0):
                self._trims = {
                    name: fields.slider(name, text.TRIM_TIP, (0.0, MOST_GAIN), self._trim(name), panel.drop)
                    for name in A2F_EMOTIONS
                }

    def show(self) -> None:
        """Bring it up to date."""
        document = self._panel.document
        style = document.style
        if style.name in self._presets:
            pick(self._style, self._presets.index(style.name))
        for name, slider in self._sliders.items():
            show(slider, float(getattr(style, name)))
        pick(self._most, style.max_emotions - 1)
        mood = next(iter(style.preferred), "")
        pick(self._mood, A2F_EMOTIONS.index(mood) + 1 if mood else 0)
        show(self._tolerance, document.tolerance)
        for name, slider in self._trims.items():
            show(slider, style.gains.get(name, 1.0))

    def _choose(self, index: int) -> None:
        self._panel.set_preset(self._presets[index])

    def _slider(self, fields: Fields, name: str) -> Any:
        label, tip, span = SLIDERS[name]
        return fields.slider(
            label, tip, span, lambda value: self._panel.set_style(name, **{name: value}), self._panel.drop
        )

    def _trim(self, emotion: str) -> Callable[[float], None]:
        return lambda value: self._panel.set_trim(emotion, value, f"trim {emotion}")


class Send:
    """To Audio2Face, to files, to the clipboard. copy: puts text into the clipboard. Builds itself where it is made."""

    def __init__(self, panel: Panel, fields: Fields, copy: Callable[[str], None]) -> None:
        self._panel, self._fields = panel, fields

        def copy_keys() -> None:
            if keys := panel.keys_as_yaml():
                copy(keys)

        with ui.CollapsableFrame(text.SEND, height=0), ui.VStack(spacing=GAP, height=0):
            with ui.HStack(height=ROW, spacing=GAP):
                explain(ui.Label(text.A2F, width=LABEL), text.A2F_TIP)
                self._target = fields.text(text.A2F_TIP, self._aim)
            with ui.HStack(height=ROW, spacing=GAP):
                animations = list(ANIMATION_FORMATS)
                fields.choice(
                    text.ANIMATION_TIP, animations, lambda index: self._write_as(animations[index]), width=LABEL - GAP
                )
                button(text.PUSH, text.PUSH_TIP, self._push)
                self._live = explain(ui.CheckBox(width=18), text.LIVE_TIP)
                self._watch = self._live.model.subscribe_value_changed_fn(self._set_live)
                explain(ui.Label(text.LIVE, width=28), text.LIVE_TIP)
            self._scene = button(text.SCENE, text.SCENE_TIP, panel.key, visible=False)
            with ui.HStack(height=ROW, spacing=GAP):
                forms = list(TRACK_FORMATS)
                tip = text.EXPORT_TIP.format(formats=", ".join(forms))
                self._form = fields.choice(tip, forms, lambda _: None, width=LABEL - GAP)
                button(text.EXPORT, tip, lambda: panel.export(forms[self._chosen()]))
                button(text.COPY, text.COPY_TIP, copy_keys)
                button(text.SAVE, text.SAVE_TIP, panel.save)

    def show(self) -> None:
        """Bring it up to date."""
        self._fields.fill(self._target, self._panel.target)
        self._scene.visible = self._panel.key_scene is not None

    def _chosen(self) -> int:
        return int(self._form.model.get_item_value_model().get_value_as_int())

    def _aim(self, target: str) -> None:
        self._panel.target = target.strip()

    def _write_as(self, form: str) -> None:
        self._panel.animation_format = form

    def _push(self) -> None:
        self._aim(self._target.model.get_value_as_string())
        self._panel.push()

    def _set_live(self, model: Any) -> None:
        self._panel.live = model.get_value_as_bool()
