"""What is inverted, with which network, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dser_ext.audio2face.connection import Connection
from dser_training.config import ConfigError, document, made_of
from dser_training.inversion.regions import checked

AUTO = "auto"


@dataclass(frozen=True)
class InvertConfig:
    """Settings of `dser-train invert`."""

    audio: str  # of one line, or a folder of lines
    animation: str  # of that line, or a folder in which each line's is called like its audio
    output: str  # .json, or a folder for one a line
    network: str = ""  # folder of an Audio2Face regression network v2.3 (yours; none is shipped)
    a2f: str = ""  # or HOST:PORT of a running Audio2Face, which is asked for blendshape weights
    tls: bool = False  # that it is reached by TLS; a hosted one's key is told as to `dser push`
    root_certificate: str = ""  # PEM file of the authority that signed its certificate; the system's if not given
    client_certificate: str = ""  # PEM file, if it asks who calls
    client_key: str = ""  # PEM file
    function_id: str = ""  # which function of a hosted endpoint
    function_version_id: str = ""
    fps: float = 30.0  # of animations that do not say it
    blendshapes: str = ""  # what blendshape weights are of, on the network's mesh; its bs_skin.npz if not given
    shot: str = ""  # of implicit_emo_db.npz, that stands for the implicit emotions; the first if not given
    frame: int = 0  # of that shot
    offset: float | str = AUTO  # seconds that the animation is late against the sound, or auto
    regions: dict[str, float] = field(default_factory=dict)  # weights, by the names in regions.WEIGHTS
    smoothness: float = 0.0  # how much a change from a frame to the next costs, relative to the fit
    sparsity: float = 1e-4  # how much emotion costs: picks little of it where the animation leaves that open
    keys: str = ""  # also write a key a frame to this file (or folder), in a format of dser convert, by its suffix
    keys_format: str = "usda"  # in a folder
    models: list[str] = field(default_factory=list)  # to measure against what was found, as `evaluate --truth` does

    @property
    def connection(self) -> Connection:
        """To the running Audio2Face. Raises Audio2FaceError for an address that is none and the like."""
        certificates = (each or None for each in (self.root_certificate, self.client_certificate, self.client_key))
        function = (each or None for each in (self.function_id, self.function_version_id))
        return Connection(self.a2f, self.tls, *certificates, *function)


def load(path: str | Path, overrides: list[str]) -> InvertConfig:
    """Read a YAML file and apply KEY=VALUE overrides. Raises ConfigError naming what is wrong."""
    config = made_of(path, document(path, overrides), InvertConfig)
    check(config)
    return config


def check(config: InvertConfig) -> None:
    """Raise ConfigError for settings that nothing can be done with."""
    if bool(config.network) == bool(config.a2f):
        raise ConfigError("name either the folder of a network (network=DIR) or a running Audio2Face (a2f=HOST:PORT)")
    if isinstance(config.offset, str) and config.offset != AUTO:
        raise ConfigError(f"offset is {config.offset!r}; write seconds, or auto")
    for name in ("smoothness", "sparsity"):
        if not 0 <= getattr(config, name) <= 1e6:
            raise ConfigError(f"{name} is {getattr(config, name)}; write a number from 0 up")
    checked(config.regions)
