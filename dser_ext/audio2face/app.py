"""The Omniverse Audio2Face app of 2022 and 2023: a line of speech on its player, and our emotion keys in its scene."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dser_ext.audio2face.answer import quoted
from dser_ext.audio2face.app_keys import replace_keys
from dser_ext.audio2face.rest import Rest
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import Audio2FaceError, AudioError, DserWarning


class App:
    """An app with a scene open, reached by its REST service.

    url: "http://HOST:8011". instance: path of the face in the scene whose emotions are keyed, needed only where there
    are several. player: path of a player, needed only where none or several lie beside the instance.
    timeout_seconds: the longest that the app may take to answer one call, above zero.

    Raises Audio2FaceError, here and from every method, if the app is not there, is something else, reports an error
    or hangs, or if the scene has no such instance or leaves open which.
    """

    def __init__(
        self, url: str, instance: str | None = None, player: str | None = None, *, timeout_seconds: float = 30.0
    ) -> None:
        self._rest = Rest(url, timeout_seconds)
        self._rest.check()
        self._player = player
        self.url = self._rest.url
        faces = self._paths("/A2F/GetInstances", "fullface_instances")
        self.instance = self._chosen("face", faces, instance, "--instance")

    def player(self, *, streaming: bool = False) -> str:
        """Path of the player that speaks for the instance, or of the one that is fed by `app_player.play`."""
        kind = "streaming" if streaming else "regular"
        found = self._paths("/A2F/Player/GetInstances", kind)
        what = "streaming player" if streaming else "player"
        beside = [path for path in found if path.rpartition("/")[0] == self.instance.rpartition("/")[0]]
        if self._player is None and len(beside) == 1:
            return beside[0]
        return self._chosen(what, found, self._player, "--player")

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Keep the app from making emotion keys of its own when the track changes, while the block runs.

        Left untouched where the app does not tell how it is set, as then it could not be set back.
        """
        generates = self._rest.setting(self.instance, "a2e_auto_generate") is True
        if generates:
            self._generate_by_itself(False)
        try:
            yield
        finally:
            if generates:
                self._set_back()

    def load_track(self, path: str | os.PathLike[str]) -> str:
        """Put a sound file on the player and return the player's path. The app reads the file itself.

        Raises AudioError if it is not a WAV file, which is all that the app takes.
        """
        check_track(path)
        file, player = Path(os.path.abspath(path)), self.player()  # noqa: PTH100 (resolving links would change the name)
        self._rest.post("/A2F/Player/SetRootPath", a2f_player=player, dir_path=str(file.parent))
        tracks = self._rest.post("/A2F/Player/GetTracks", a2f_player=player)
        if not isinstance(tracks, list):
            raise self._rest.nonsense("/A2F/Player/GetTracks", "no list")
        if file.name not in tracks:
            raise Audio2FaceError(
                f"{path}: the Audio2Face app at {self.url} does not find it in {file.parent}; put it where the machine "
                "of the app sees it under the same path"
            )
        self._rest.post("/A2F/Player/SetTrack", a2f_player=player, file_name=file.name, time_range=[0.0, -1.0])
        return player

    def current_track(self) -> str:
        """Name of the sound file that is on the player, as the app tells it; the folder is known to the app alone."""
        found = self._rest.post("/A2F/Player/GetCurrentTrack", a2f_player=self.player())
        if not isinstance(found, str) or not found:
            raise self._rest.nonsense("/A2F/Player/GetCurrentTrack", "no name of a track")
        return found

    def replace_keys(self, keyframes: Keyframes) -> tuple[int, int]:
        """Key the emotions of the instance with these and no others; returns how many keys there are and were before.

        Raises Audio2FaceError where the app takes no keys by REST, or did not take them as sent; the keys that were
        there before are then put back, or the message says that they could not be.
        """
        return replace_keys(self._rest, self.instance, keyframes)

    def _generate_by_itself(self, enable: bool) -> None:
        self._rest.post("/A2F/A2E/EnableAutoGenerateOnTrackChange", a2f_instance=self.instance, enable=enable)

    def _set_back(self) -> None:
        try:
            self._generate_by_itself(True)
        except Audio2FaceError as error:
            message = f"Auto Generate On Track Change is left off ({error})"
            warnings.warn(f"{self.url}: {message}", DserWarning, stacklevel=3)

    def _paths(self, call: str, kind: str) -> list[str]:
        found = self._rest.get(call)
        paths = found.get(kind, []) if isinstance(found, dict) else None
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise self._rest.nonsense(call, f"no list of {kind}")
        return paths

    def _chosen(self, what: str, found: list[str], wanted: str | None, option: str) -> str:
        if not found:
            raise Audio2FaceError(
                f"{self.url}: the scene that Audio2Face has open holds no {what}; open one that does, for example the "
                "app's own demo"
            )
        if wanted is None and len(found) == 1:
            return found[0]
        if wanted in found:
            return wanted
        problem = f"several {what}s" if wanted is None else f"no {what} {wanted}"
        raise Audio2FaceError(
            f"{self.url}: the scene has {problem}; choose with {option} among {quoted(', '.join(found))}"
        )


def check_track(path: str | os.PathLike[str]) -> None:
    """Raises AudioError unless the file is a WAV file that can be read."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{path}: cannot be read ({reason}); check its name and permissions") from error
    if Path(path).suffix.lower() != ".wav" or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise AudioError(f"{path}: the Audio2Face app plays only WAV files (.wav); save the line as one and push that")
