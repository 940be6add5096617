"""Faces: animations of a batch's lines, made by an Audio2Face-3D service from the keys that the lines have got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dser_ext.audio import AudioFile, read
from dser_ext.audio2face.connection import Connection
from dser_ext.audio2face.settings import Settings
from dser_ext.batch.store import delivered, fetched
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import AudioError
from dser_ext.formats import save_animation


@dataclass(frozen=True)
class Face:
    """Who animates, and how. timeout_seconds: longest silence to bear from it."""

    connection: Connection
    settings: Settings
    timeout_seconds: float = 30.0


ANIMATIONS = {
    "a2f-json": ("a2f-json", ".a2f.json"),
    "a2f-csv": ("a2f-csv", ".a2f.csv"),
    "a2f-usda": ("usda", ".a2f.usda"),
    "livelink-csv": ("livelink-csv", ".livelink.csv"),
}
"""Formats by what a batch calls them, and suffixes: unlike those of tracks, since a line may have both."""


def animate_line(
    source: str, sha256: str, keyframes: Keyframes, face: Face, results: Mapping[str, str], alive: Callable[[], None]
) -> None:
    """Animate a line and write it in several formats. sha256: of the sound that the keys were made from.

    Raises Audio2FaceError as `animate` does, AudioError if the sound has changed, and FormatError if a result cannot
    be written.
    """
    from dser_ext.audio2face.animate import animate  # gRPC, only where it is called

    with fetched(source) as place:
        if AudioFile(place, source).sha256 != sha256:
            raise AudioError(f"{source}: changed since it was heard; run again")
        samples = read(place)
    animation = animate(
        samples,
        keyframes,
        face.connection,
        settings=face.settings,
        timeout_seconds=face.timeout_seconds,
        report=lambda _: alive(),
    )
    for name, path in results.items():
        with delivered(path) as place:
            save_animation(animation, place, ANIMATIONS[name][0], track_path=source)
