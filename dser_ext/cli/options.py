"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.style import PRESETS, Style, style
from dser_ext.errors import DserError, FormatError

if TYPE_CHECKING:
    from dser_ext.audio2face.connection import Connection
    from dser_ext.audio2face.settings import Settings
    from dser_ext.client.address import Address
    from dser_ext.recognition.recognizer import Recognizer
    from dser_ext.recognition.voice import VoiceLines, VoiceProfile


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """--model, which may name several where a command has them at hand, and --device."""
    if several:
        parser.add_argument("--model", nargs="+", metavar="NAME|DIR", help="shipped models or model folders")
    else:
        parser.add_argument("--model", metavar="NAME|DIR", help="a shipped model or a model folder")
    parser.add_argument(
        "--device",
        default="auto",
        choices=["auto", "cpu", "cuda", "tensorrt"],
        help="what to compute on (default auto: the best that works; dser info tells which, and why)",
    )


def add_recognition(parser: argparse.ArgumentParser, *, several: bool) -> None:
    """--model, --device, --voice, and --same-voice where a command takes several lines."""
    voice = parser.add_mutually_exclusive_group()
    voice.add_argument(
        "--voice",
        metavar="PROFILE|FOLDER",
        help="the speaker's voice: a file made by dser voice, or a folder of lines by the same speaker",
    )
    if several:
        voice.add_argument(
            "--same-voice",
            action="store_true",
            help="all lines are by one speaker: each is measured against the others",
        )
    add_model(parser)


def add_performance(parser: argparse.ArgumentParser) -> None:
    """--style, --fps and --tolerance."""
    parser.add_argument(
        "--style",
        default="natural",
        metavar="NAME|FILE",
        help=f"{', '.join(PRESETS)}, or a JSON file with settings (default natural)",
    )
    parser.add_argument(
        "--fps",
        type=frames_a_second,
        default=30.0,
        metavar="RATE",
        help="animation frames a second, on which keys lie: 24, 25, 23.976 (which is 24000/1001), … (default 30)",
    )
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=0.02,
        metavar="SHARE",
        help="how far the keys may be off the curves, which go from 0 to 1; more gives fewer keys (default 0.02)",
    )


def add_connection(parser: argparse.ArgumentParser) -> None:
    """How an Audio2Face is reached: --tls and the certificates, --function-id and its version."""
    group = parser.add_argument_group(
        "connection",
        "A hosted service's key is read from the environment variable DSER_A2F_API_KEY, and sent over TLS alone.",
    )
    group.add_argument("--tls", action="store_true", help="the service speaks TLS (its secure_mode is tls or mtls)")
    group.add_argument(
        "--root-certificate",
        metavar="FILE",
        help="PEM file of the authority that signed the service's certificate (default: those that gRPC trusts)",
    )
    group.add_argument("--client-certificate", metavar="FILE", help="PEM file with yours, for a service with mtls")
    group.add_argument("--client-key", metavar="FILE", help="PEM file with the key of yours, without a password")
    group.add_argument("--function-id", metavar="ID", help="the function to call at a hosted endpoint")
    group.add_argument("--function-version-id", metavar="ID", help="its version (default: any that is deployed)")


def add_service(parser: argparse.ArgumentParser) -> None:
    """How a service is reached that does the work: --service, and TLS."""
    group = parser.add_argument_group(
        "service",
        "Its token is read from the environment variable DSER_TOKEN, and goes to other machines over TLS alone.",
    )
    group.add_argument("--service", metavar="HOST:PORT", help="let this service (dser serve) recognise; or unix:PATH")
    group.add_argument("--service-tls", action="store_true", help="the service speaks TLS")
    group.add_argument(
        "--service-certificate",
        metavar="FILE",
        help="PEM file of the authority that signed its certificate (default: those that gRPC trusts)",
    )


def service(options: argparse.Namespace) -> Address:
    """The address in --service. What does not go together is a usage error."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC is imported; its notes on stderr are not the user's
    from dser_ext.client.address import Address

    if getattr(options, "device", "auto") != "auto":
        options.usage_error("--device is the service's own choice; leave it out with --service")
    if options.service_certificate is not None and not options.service_tls:
        options.usage_error("--service-certificate is of use with --service-tls alone")
    return Address(options.service, options.service_tls, options.service_certificate)


def connection(options: argparse.Namespace) -> Connection:
    """The connection to --a2f. Certificates that do not go together are a usage error."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC is imported; its notes on stderr are not the user's
    from dser_ext.audio2face.connection import Connection

    certificates = options.root_certificate, options.client_certificate, options.client_key
    if any(certificates) and not options.tls:
        options.usage_error("certificates are of use with --tls alone")
    if (options.client_certificate is None) != (options.client_key is None):
        options.usage_error("--client-certificate and --client-key go together")
    return Connection(options.a2f, options.tls, *certificates, options.function_id, options.function_version_id)


def a2f_settings(options: argparse.Namespace) -> Settings:
    """The settings of Audio2Face in --config, else those with which it follows the keys exactly."""
    from dser_ext.audio2face.settings import Settings

    if options.config is None:
        return Settings()
    from dser_ext.config import read_config

    document = read_config(options.config)
    try:
        return Settings.from_config(document)
    except FormatError as error:
        raise FormatError(f"{options.config}: {error}") from error


def chosen_style(options: argparse.Namespace) -> Style:
    """The style that --style names."""
    return style(options.style)


def recognizer(options: argparse.Namespace) -> Recognizer:
    """The recogniser that --model and --device name; only now is the heavy side loaded."""
    from dser_ext.recognition.bundle import DEFAULT_MODEL
    from dser_ext.recognition.recognizer import loaded

    return loaded(options.model if options.model is not None else DEFAULT_MODEL, options.device)


def chosen_voice(options: argparse.Namespace, loaded: Recognizer) -> VoiceProfile | VoiceLines | None:
    """The voice that --voice names."""
    from dser_ext.recognition.recognizer import load_voice

    return load_voice(loaded, options.voice) if options.voice is not None else None


def output_file(options: argparse.Namespace, sources: Sequence[str]) -> str | None:
    """-o where it names a file: for a single source, unless it is a folder or ends in a slash."""
    output: str | None = options.output
    if output is None or len(sources) > 1 or output.endswith(("/", os.sep)) or os.path.isdir(output):  # noqa: PTH112
        return None
    return output


def outputs(options: argparse.Namespace, sources: Sequence[str], suffix: str) -> list[Path]:
    """Where the result of each source goes: the file -o, else into the folder -o, else beside the source."""
    file = output_file(options, sources)
    if file is not None:
        return [Path(file)]
    folder = options.output
    if folder is not None and os.path.lexists(folder) and not os.path.isdir(folder):  # noqa: PTH112
        options.usage_error(f"-o {folder} is a file, and the results need a folder")
    return [
        Path(folder if folder is not None else Path(source).parent, Path(source).stem + suffix) for source in sources
    ]


def check_outputs(options: argparse.Namespace, paths: Sequence[Path], inputs: Sequence[str | None]) -> None:
    """Two results in one file, or a result in place of something that is read, are a usage error before any work."""
    message = "is an input and would be replaced; choose another name with -o"
    taken = {os.path.realpath(given): message for given in inputs if given is not None}
    for path in paths:
        place = os.path.realpath(path)
        if place in taken:
            options.usage_error(f"{path} {taken[place]}")
        taken[place] = "would be the result of two lines; rename one, or run them apart"


def make_folder(folder: Path) -> None:
    """Make the folder of results, if need be. Raises FormatError if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"{folder}: cannot be made ({error.strerror}); choose another folder for -o") from error


def seconds(text: str) -> float:
    """A time to wait, for argparse."""
    return _number(text, 0.1, 3600)


def look_ahead(text: str) -> float:
    """How far a live line is heard ahead, for argparse."""
    return _number(text, 0, 2)


def frames_a_second(text: str) -> float:
    """A frame rate, for argparse: a number, or a fraction such as 24000/1001."""
    over, _, under = text.partition("/")  # 24000/1001 is how video programs write 23.976
    return exact_fps(_number(text if not under else str(_number(over, 1, 1e9) / _number(under, 1, 1e9)), 1, 240))


def _tolerance(text: str) -> float:
    return _number(text, 0.0001, 0.5)


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is no number from {low:g} to {high:g}")
    return value


def read_bytes(path: str | None) -> bytes | None:
    """What a file holds; None of none. Raises DserError if it cannot be read."""
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DserError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error
