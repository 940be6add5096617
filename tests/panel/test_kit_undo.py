"""The panel's steps as commands of a host that undoes them in its own order."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from flat_line import document

from dser_ext.panel.editor import Editor
from dser_ext.panel.history import History
from dser_ext.panel.kit_undo import UndoSteps


class Host:
    """Commands and undo as Kit's documentation describes them."""

    def __init__(self) -> None:
        self.Command, self.known = type("Command", (), {}), {}
        self.done, self.undone = [], []

    def register(self, kind: type) -> None:
        self.known[kind.__name__] = kind

    def unregister(self, kind: type) -> None:
        del self.known[kind.__name__]

    def execute(self, name: str) -> None:
        self.done.append(self.known[name]())
        self.done[-1].do()

    def undo(self) -> None:
        self.undone.append(self.done.pop())
        self.undone[-1].undo()

    def redo(self) -> None:
        self.done.append(self.undone.pop())
        self.done[-1].do()


def test_the_host_undoes_the_panels_steps_and_the_panel_asks_the_host():
    editor, host = Editor(), Host()
    editor._history = History(document())
    steps = UndoSteps(editor, host, SimpleNamespace(undo=host.undo, redo=host.redo))
    start = editor.document
    for seconds in (1.0, 2.0):
        editor.add_key(seconds)
    for gain in (0.9, 0.8):
        editor.set_style("gain", gain=gain)
    assert len(host.done) == 3, "a gesture is one step"
    host.undo()
    assert editor.document.style.gain == 1.0
    editor.undo()
    np.testing.assert_allclose(editor.document.edited.keys.times, [0, 1, 4])
    editor.redo()
    host.redo()
    assert editor.document.style.gain == 0.8
    for _ in range(3):
        host.undo()
    assert editor.document is start
    steps.leave()
    editor.add_key(3.0)
    assert not host.done
    editor.undo()
    assert editor.document is start
