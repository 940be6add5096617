"""Keys of the keyboard by name, whichever numbers the toolkit has for them.

Kit tells carb.input's numbers; omni.ui outside of Kit (ovui), and with it our tests, tells GLFW's. Not tried in a full
Kit application.
"""

from __future__ import annotations

from typing import Any

SHIFT, CONTROL = 1, 2  # of the modifiers, the same in both

_LETTERS = "AFKLSUYZ"
_OTHERS = ("SPACE", "ENTER", "ESCAPE", "LEFT", "RIGHT", "UP", "DOWN", "DEL", "HOME", "END")
_GLFW = {
    **{ord(letter): letter for letter in _LETTERS},
    **dict(zip((32, 257, 256, 263, 262, 265, 264, 261, 268, 269), _OTHERS, strict=True)),
}


def key_names(ui: Any) -> dict[int, str]:
    """The names of the keys that the panel knows, by the numbers of this omni.ui."""
    if hasattr(ui, "standalone"):
        return _GLFW
    import carb.input

    return {int(getattr(carb.input.KeyboardInput, name)): name for name in (*_LETTERS, *_OTHERS)}
