"""The panel's steps in Kit's own undo, where an application has it, so that one Ctrl+Z goes back over all of them.

Written after Kit's public documentation of omni.kit.commands and omni.kit.undo; not tried in a full Kit application.
"""

from __future__ import annotations

from typing import Any

from dser_ext.panel.editor import Editor, nothing


class UndoSteps:
    """An editor's steps, each a command of Kit."""

    @classmethod
    def joined(cls, editor: Editor) -> UndoSteps | None:
        """Join an editor to Kit's undo; None where there is none, and the editor keeps its own."""
        try:
            import omni.kit.commands
            import omni.kit.undo
        except ImportError:
            return None
        return cls(editor, omni.kit.commands, omni.kit.undo)

    def __init__(self, editor: Editor, commands: Any, undo: Any) -> None:
        self._editor, self._commands = editor, commands

        class AutoEmoteEdit(commands.Command):  # type: ignore[misc]
            """A step that the panel has just done; Kit calls `do` again to redo it."""

            def __init__(self) -> None:
                super().__init__()
                self._done = False

            def do(self) -> None:
                if self._done:
                    editor.step_forward()
                self._done = True

            def undo(self) -> None:
                editor.step_back()

        self._command = AutoEmoteEdit
        commands.register(AutoEmoteEdit)
        editor.recorded = lambda _: commands.execute(AutoEmoteEdit.__name__)
        editor.undo_by, editor.redo_by = undo.undo, undo.redo

    def leave(self) -> None:
        """Give the editor its own undo back."""
        self._commands.unregister(self._command)
        editor = self._editor
        editor.recorded, editor.undo_by, editor.redo_by = nothing, editor.step_back, editor.step_forward
