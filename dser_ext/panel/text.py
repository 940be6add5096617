"""What the panel says, all of it, in the animator's words."""

from __future__ import annotations

from collections.abc import Iterable

TITLE = "Auto-emote"

LINE = "Line"
LINE_TIP = "The recording of one line of speech. Type or paste its path, drop a file here, or choose a recent one."
RECENT = "Recent lines"
PLAYED, PLAYED_TIP = "Player", "The line that is on the player of Audio2Face."
NOT_FOUND = "{name} is on the player, but in none of the folders of recent lines: open it by its path once."
OPEN = "Open"
OPEN_TIP = "Open this line, or the session kept beside it."

VOICE = "Voice"
VOICES = {
    "none": "anyone",
    "profile": "a voice file",
    "folder": "a folder of this character's lines",
    "session": "the lines opened here",
}
VOICE_TIP = (
    "How this character usually sounds. Anger in a calm voice is another thing than in a loud one: with other lines of "
    "the same character the emotions become much surer."
)
VOICE_PATH_TIP = "The .voice file, or the folder with the character's lines."
HEARD_OF = "{lines} lines heard, {seconds:.0f} s of speech"
VOICE_NONE = "measured against people in general; other lines of the character make it surer"

SERVICE_OFF = "the recogniser is not running"
SERVICE_STARTING = "the recogniser is starting …"
SERVICE_READY = "ready: {model} on {device}"
START, STOP = "Start", "Stop"
SERVICE_TIP = "A program of its own that hears the lines, so that this application never waits. Auto-emote starts it."

AUTO_EMOTE = "Auto-emote"
AUTO_EMOTE_TIP = "Hear the line and key its emotions (Enter). What you have locked or set by hand stays."
CANCEL = "Cancel"
CANCEL_TIP = "Stop (Esc). Nothing changes."
STAGES = {
    "": "starting",
    "service": "starting the recogniser",
    "voice": "hearing the character's other lines",
    "waiting": "waiting for a turn",
    "hearing": "hearing the line",
    "telling": "telling the emotions",
    "keying": "setting keys",
    "animating": "Audio2Face animates",
}
EMPTY = "Choose a line, then Auto-emote."

HEARD, FACE = "heard", "face"
VIEWS = {HEARD: "What is heard", FACE: "What the face gets"}
HEARD_TIP = "The six emotions as they are heard in the line; the band shows how sure that is."
FACE_TIP = "The ten emotions of Audio2Face with their keys. Drag a key; double-click to add one."
LEGEND_TIP = "Click to hide {name} or show it again, double-click to see it alone."

UNDO, REDO = "Undo", "Redo"
UNDO_TIP = "Take back: {what} (Ctrl+Z)"
REDO_TIP = "Do again: {what} (Ctrl+Y)"
NOTHING_TO_UNDO, NOTHING_TO_REDO = "Nothing to take back", "Nothing to do again"
FIT = "Fit"
FIT_TIP = "See the whole line (F). The wheel zooms, the middle button moves."
ADD = "Add key"
ADD_TIP = "A key on the curve at the playhead (K)."
DELETE = "Delete"
DELETE_TIP = "Delete the chosen keys (Del). The stretch that they leave is locked, so that they stay away."
LOCK = "Lock"
LOCK_TIP = "Keep the chosen span, or the one between the chosen keys, as it is, whatever happens (L)."
UNLOCK = "Unlock"
UNLOCK_TIP = "Free what is locked or set by hand in the chosen span, or everywhere (U)."

LOOK = "Look"
STYLE, STYLE_TIP = "Style", "A starting point for all that is below."
GAIN, GAIN_TIP = "Overall strength", "How much of every emotion reaches the face."
CONTRAST, CONTRAST_TIP = "Contrast", "Above 1 the strongest emotion wins; below 1 the mixture shows."
SMOOTHING, SMOOTHING_TIP = "Smoothing (s)", "Over how long a time the emotions are averaged: longer is calmer."
MOST, MOST_TIP = "Max emotions", "At most so many emotions at a time."
PREFERRED, PREFERRED_TIP = "Preferred emotion", "A mood that the whole line leans to."
PREFERRED_STRENGTH, PREFERRED_STRENGTH_TIP = "How much of it", "0: only what is heard. 1: only the preferred mood."
TOLERANCE, TOLERANCE_TIP = "Fewer keys", "How far the keys may miss the curves: larger means fewer keys."
TRIM, TRIM_TIP = "Trim each emotion", "More or less of one emotion, on top of the overall strength."
NO_PREFERENCE = "none"
KEYS = "{count} keys"

SEND = "Send"
A2F, A2F_TIP = "Audio2Face", "HOST:PORT of an Audio2Face-3D service, such as localhost:52000."
ANIMATION_TIP = "The file that the animation is written to: for importers, as a table, as USD, or for Live Link Face."
PUSH, PUSH_TIP = "Push", "Have Audio2Face animate the line with these keys; the animation is written beside the line."
LIVE, LIVE_TIP = "live", "Push again a moment after every change."
SCENE, SCENE_TIP = "Key the scene", "Key the face in the scene that is open here. Keys that it has are replaced."
KEYED = "{path} has the keys"
EXPORT, EXPORT_TIP = "Export", "Write a file beside the line: {formats}."
COPY, COPY_TIP = "Copy keys", "Copy the keys for the configuration of Audio2Face's sample client (YAML)."
SAVE, SAVE_TIP = "Save", "Keep keys, locks and settings beside the line, as NAME.dser.json (Ctrl+S)."

BATCH, SINGLE = "Folder", "Line"
FOLDER, FOLDER_TIP = (
    "Folder",
    "A folder of lines. Each gets its keys, kept beside it; lines that have some are left alone.",
)
RUN, RUN_TIP = "Auto-emote all", "All lines of the folder that have no keys yet."
STATES = {"waiting": "waiting", "running": "hearing …", "done": "done", "kept": "has keys", "failed": "failed"}

DETAILS = "Details"
CLOSE = "Close"
SAVED = "{path} is saved"
EXPORTED = "{path} is written"
PUSHED = "{path}: Audio2Face's animation is written"
COPIED = "the keys are in the clipboard"
UNSAVED = "{name} has changes that are not saved."
LEFT = "{name} was closed with changes that were not saved."
RESTORE = "Restore"
SAVE_THEM, DROP_THEM, STAY = "Save", "Discard", "Cancel"
CRASHED = "Something went wrong in the panel; the line as it was is still there. See the details."
NO_LINE = "Choose a line first: type its path, or drop a file here."
NOTHING_YET = "There are no keys yet: press Auto-emote first."

DID = {
    "recognise": "Auto-emote",
    "voice": "other voice",
    "style": "other style",
    "tune": "tuning",
    "tolerance": "fewer or more keys",
    "drag": "moving keys",
    "nudge": "nudging keys",
    "add": "a new key",
    "delete": "deleting keys",
    "lock": "locking",
    "unlock": "unlocking",
    "restore": "restoring changes",
}


def notes_in_words(notes: Iterable[str]) -> str:
    """What the recogniser has to say of a line, but for what the panel says beside the voice in words of its own."""
    return "; ".join(note for note in notes if not note.startswith("without a voice"))


def voice_words(kind: str, lines: int, seconds: float, advice: str) -> str:
    """How well the character is known."""
    if kind == "none":
        return VOICE_NONE
    known = HEARD_OF.format(lines=lines, seconds=seconds) if lines else ""
    return "; ".join(part for part in (known, advice) if part)
