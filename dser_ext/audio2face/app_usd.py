"""Emotion keys as USD time samples over a scene of the Omniverse Audio2Face app. Needs usd-core (the extra "usd").

Where the app keeps its keys in a scene is inferred from a scene without keys: as samples of the face node's
`state:setting_emotion`, an array of ten. Whether it counts them in frames of its keyframer or in the stage's time codes
is not known. So the layer written makes both the same: it is the new root of the stage, and its time codes a second are
the keyframer's frames a second. USD scales what the scene beneath it holds.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dser_ext.audio2face.app_keys import KEYFRAMER_FPS
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import Audio2FaceError, FormatError
from dser_ext.formats.files import written_whole

INSTANCE = "/World/audio2face/CoreFullface"
"""Where the app's own scenes have their face node."""

ATTRIBUTE = "state:setting_emotion"
FPS_ATTRIBUTE = "state:setting_keyframer_fps"
FACE_NODE = "omni.audio2face.core.CoreFullface"

OF_THE_LAYER_ALONE = {"subLayers", "subLayerOffsets", "layerRelocates", "timeCodesPerSecond"}
"""What a layer says of itself and not of the stage that it is the root of."""


def write_keyed_scene(
    keyframes: Keyframes, scene: str | os.PathLike[str], path: str | os.PathLike[str], target: str | None = None
) -> str:
    """Write a layer over `scene` in which the face is keyed with these keys; the scene's own files stay as they are.

    scene: a file that USD opens. path: the new layer, text, to be opened instead of the scene.
    target: the face node, or PRIM.ATTRIBUTE where the keys do not go to its usual attribute.
    Returns the path of the attribute. Keys in the scene itself are overruled by ours, all of them.

    Raises Audio2FaceError if usd-core is not installed or the scene has no such attribute of ten floats, FormatError
    if the scene cannot be read, or the layer not be written or would replace a part of the scene.
    """
    with _usd_without_notes():
        from pxr import Sdf, Usd

        root = _opened(scene)
        layer = Sdf.Layer.CreateAnonymous(".usda")
        layer.subLayerPaths.append(root.realPath)
        stage = Usd.Stage.Open(layer, Usd.Stage.LoadNone)
        attribute = _found(stage, scene, target or INSTANCE)
        if Path(os.path.realpath(path)) in {Path(used.realPath) for used in stage.GetUsedLayers() if used.realPath}:
            raise FormatError(f"{path}: is a part of the scene {scene} and would be replaced; choose another name")
        fps = _keyframer_fps(attribute, scene)
        _take_over(root, layer, fps)
        place = _key(attribute, keyframes, fps)
        layer.subLayerPaths[0] = _reference(Path(root.realPath), Path(os.path.realpath(path)).parent)
        with written_whole(path) as file:
            file.write(layer.ExportToString())
    return place


def key_open_scene(stage: Any, keyframes: Keyframes, target: str | None = None) -> str:
    """Key the face of a stage that is open in this process, the app's own, with these keys and no others.

    stage: a Usd.Stage; it is written where it is edited. target: as of `write_keyed_scene`; None: its only face node.
    Keys are counted in frames of the keyframer. Returns the path of the attribute. Not tried in the app.

    Raises Audio2FaceError if the scene has no face, or several and none is named, or no such attribute.
    """
    faces = _faces(stage)
    if target is None and len(faces) != 1:
        raise Audio2FaceError(f"the open scene has {len(faces)} faces; {_remedy(stage)}")
    attribute = _found(stage, "the open scene", target or faces[0])
    attribute.Clear()
    return _key(attribute, keyframes, _keyframer_fps(attribute, "the open scene"))


def _key(attribute: Any, keyframes: Keyframes, fps: float) -> str:
    for seconds, row in zip(keyframes.times.tolist(), keyframes.values.tolist(), strict=True):
        attribute.Set(row, round(seconds * fps, 6))
    return str(attribute.GetPath())


@contextmanager
def _usd_without_notes() -> Iterator[None]:
    """Keep USD's own notes off stderr: that a texture is missing is no matter here."""
    try:
        from pxr import UsdUtils
    except ImportError as error:
        raise Audio2FaceError(
            'a scene of Audio2Face needs the package usd-core; install it with pip install "dser-audio2face[usd]"'
        ) from error
    held_back = UsdUtils.CoalescingDiagnosticDelegate()
    yield
    del held_back


def _opened(scene: str | os.PathLike[str]) -> Any:
    from pxr import Sdf, Tf

    try:
        with Path(scene).open("rb"):
            root = Sdf.Layer.FindOrOpen(os.path.abspath(scene))  # noqa: PTH100 (resolving links would change the name)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(f"{scene}: cannot be read ({reason}); check its name and permissions") from error
    except Tf.ErrorException as error:
        raise _damaged(scene) from error
    if root is None:
        raise _damaged(scene)
    return root


def _damaged(scene: str | os.PathLike[str]) -> FormatError:
    return FormatError(f"{scene}: is no USD scene, or a damaged one; name the .usd or .usda that Audio2Face has open")


def _found(stage: Any, scene: str | os.PathLike[str], target: str) -> Any:
    """The attribute to key, after a look at whether it is one that can hold the keys."""
    from pxr import Sdf

    place = Sdf.Path(target) if Sdf.Path.IsValidPathString(target) else Sdf.Path.emptyPath
    if not place.IsAbsolutePath() or not (place.IsPrimPath() or place.IsPrimPropertyPath()):
        raise Audio2FaceError(f"{target!r} is no path of a prim in a scene; write it like {INSTANCE}")
    place = place if place.IsPrimPropertyPath() else place.AppendProperty(ATTRIBUTE)
    if not stage.GetPrimAtPath(place.GetPrimPath()):
        raise Audio2FaceError(f"{scene}: has no prim {place.GetPrimPath()}; {_remedy(stage)}")
    attribute = stage.GetAttributeAtPath(place)
    if not attribute:
        raise Audio2FaceError(
            f"{scene}: {place.GetPrimPath()} has no attribute {place.name}, so this is no scene that keys can be "
            "written into; name another attribute with --instance PRIM.ATTRIBUTE"
        )
    value = attribute.Get()
    if attribute.GetTypeName() != Sdf.ValueTypeNames.FloatArray or (
        value is not None and len(value) != len(A2F_EMOTIONS)
    ):
        size = "" if value is None or not hasattr(value, "__len__") else f" of {len(value)}"
        raise Audio2FaceError(
            f"{scene}: {place} is {attribute.GetTypeName()}{size} and not float[] of {len(A2F_EMOTIONS)}, so it does "
            "not hold Audio2Face's emotions; name another attribute with --instance PRIM.ATTRIBUTE"
        )
    return attribute


def _faces(stage: Any) -> list[str]:
    """Paths of all face nodes."""
    return [
        str(prim.GetPath())
        for prim in stage.Traverse()
        if (kind := prim.GetAttribute("node:type")) and kind.Get() == FACE_NODE
    ]


def _remedy(stage: Any) -> str:
    faces = _faces(stage)
    if not faces:
        return "save the scene from Audio2Face with a character set up, or name its face node with --instance"
    return f"choose with --instance among {', '.join(faces)}"


def _keyframer_fps(attribute: Any, scene: str | os.PathLike[str]) -> float:
    found = attribute.GetPrim().GetAttribute(FPS_ATTRIBUTE)
    fps = found.Get() if found else None
    if fps is None:
        return KEYFRAMER_FPS
    if not isinstance(fps, int | float) or not math.isfinite(fps) or not 1 <= fps <= 1000:
        raise Audio2FaceError(
            f"{scene}: {found.GetPath()} is {fps} and no number of frames a second; set it in Audio2Face and save again"
        )
    return float(fps)


def _take_over(root: Any, layer: Any, fps: float) -> None:
    """Have the layer say of the stage what the scene said, at `fps` time codes a second."""
    for name in root.pseudoRoot.ListInfoKeys():
        if name not in OF_THE_LAYER_ALONE:
            layer.pseudoRoot.SetInfo(name, root.pseudoRoot.GetInfo(name))
    layer.timeCodesPerSecond = fps
    scale = fps / root.timeCodesPerSecond
    if root.HasStartTimeCode():
        layer.startTimeCode = root.startTimeCode * scale
    if root.HasEndTimeCode():
        layer.endTimeCode = root.endTimeCode * scale


def _reference(file: Path, folder: Path) -> str:
    """How the layer names the scene: from its own folder, so that both may be moved together."""
    try:
        relative = Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        return file.as_posix()
    return relative if relative.startswith("../") else f"./{relative}"
