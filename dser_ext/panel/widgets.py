"""Small parts of the panel, each a line where it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import omni.ui as ui

ROW, GAP = 24, 4  # pixels
LABEL, TIP = 118, 260


def explain(widget: Any, words: str) -> Any:
    """Say this where the mouse rests on the widget."""

    def build() -> None:
        ui.Label(words, word_wrap=True, width=TIP)

    widget.set_tooltip_fn(build)
    return widget


class Fields:
    """Whether something is typed into, while keys mean letters; and whether the panel itself fills fields in."""

    def __init__(self) -> None:
        self.typing = self.filling = False
        self._subscriptions: list[Any] = []

    @contextmanager
    def filled(self) -> Iterator[None]:
        """While what is shown is brought up to date, nothing is taken for the animator's."""
        self.filling = True
        try:
            yield
        finally:
            self.filling = False

    def text(self, tip: str, done: Callable[[str], None], **layout: Any) -> Any:
        """A field for text; `done` is told what was typed when it is left or Enter is pressed."""
        field = explain(ui.StringField(height=ROW, **layout), tip)

        def begin(_: Any) -> None:
            self.typing = True

        def end(model: Any) -> None:
            self.typing = False
            field.focus_keyboard(False)  # else the next Enter would go on with it
            if not self.filling:
                done(model.get_value_as_string())

        self._subscriptions += [field.model.subscribe_begin_edit_fn(begin), field.model.subscribe_end_edit_fn(end)]
        return field

    def fill(self, field: Any, words: str) -> None:
        """Show this text, unless somebody is typing: what is half typed is not taken away."""
        if not self.typing and field.model.get_value_as_string() != words:
            field.model.set_value(words)

    def choice(self, tip: str, names: Sequence[str], chosen: Callable[[int], None], **layout: Any) -> Any:
        """One of several; `chosen` is told which."""
        box = explain(ui.ComboBox(0, *names, height=ROW, **layout), tip)

        def changed(model: Any, _: Any) -> None:
            if not self.filling:
                chosen(model.get_item_value_model().get_value_as_int())

        self._subscriptions.append(box.model.subscribe_item_changed_fn(changed))
        return box

    def slider(
        self, label: str, tip: str, span: tuple[float, float], moved: Callable[[float], None], done: Callable[[], None]
    ) -> Any:
        """A row with a slider; `moved` is told every value, `done` when it is let go."""
        with ui.HStack(height=ROW, spacing=GAP):
            explain(ui.Label(label, width=LABEL), tip)
            slider = explain(ui.FloatSlider(min=span[0], max=span[1], name=label), tip)

        def changed(model: Any) -> None:
            if not self.filling:
                moved(round(model.get_value_as_float(), 3))

        def end(_: Any) -> None:
            if not self.filling:
                done()

        model = slider.model
        self._subscriptions += [model.subscribe_value_changed_fn(changed), model.subscribe_end_edit_fn(end)]
        return slider


def button(label: str, tip: str, clicked: Callable[[], None], **layout: Any) -> Any:
    """A button."""
    return explain(ui.Button(label, clicked_fn=clicked, **{"height": ROW, **layout}), tip)


def pick(box: Any, index: int) -> None:
    """Show this choice."""
    model = box.model.get_item_value_model()
    if model.get_value_as_int() != index:
        model.set_value(index)


def show(slider: Any, value: float) -> None:
    """Show this number."""
    if abs(slider.model.get_value_as_float() - value) > 1e-6:
        slider.model.set_value(value)
