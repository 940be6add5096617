"""dser info: say what a model is, how good it was measured to be, and what it runs on; or ask a service."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from dser_ext import __version__
from dser_ext.cli import options as shared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--model", metavar="NAME|DIR", help="a shipped model or a model folder")
    parser.add_argument(
        "--a2f",
        metavar="HOST:PORT",
        help="ask this Audio2Face-3D service instead whether it is SERVING; if it is not, the exit code is 1",
    )
    shared.add_connection(parser)
    shared.add_service(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON, for other programs")


def run(options: argparse.Namespace) -> int:
    """Print the model's card and the devices there are; its checksums are verified on the way."""
    if options.a2f is not None:
        return _health(options)
    if options.service is not None:
        return _service(options)
    import onnxruntime

    from dser_ext.recognition.bundle import DEFAULT_MODEL, ModelBundle
    from dser_ext.recognition.devices import arithmetic, chosen

    bundle = ModelBundle.open(options.model if options.model is not None else DEFAULT_MODEL)
    choice = chosen(bundle)
    facts = {
        "dser": __version__,
        "model": bundle.name,
        "version": bundle.info.version,
        "folder": str(bundle.folder),
        "sha256": bundle.sha256,
        "checksums": "verified",
        "backbone": bundle.card.get("backbone"),
        "corpora": bundle.card.get("corpora"),
        "licence": bundle.card.get("licence"),
        "emotions": bundle.card["emotions"],
        "accuracy": {name: round(figures["accuracy"], 3) for name, figures in bundle.card.get("metrics", {}).items()},
        "onnxruntime": onnxruntime.__version__,
        "providers": onnxruntime.get_available_providers(),
        "device": choice.device,
        "why": choice.why,
        "processor": arithmetic(bundle),
    }
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return 0
    for name, value in facts.items():
        print(f"{name:12} {_readable(value)}")
    return 0


def _service(options: argparse.Namespace) -> int:
    from dser_ext.client import Client, GetModel, ListModels

    with Client(shared.service(options)) as client:
        names = [model.name for model in client.call(ListModels())]
        models = [client.call(GetModel(name)) for name in names]
    facts = [{**asdict(model.info), "device": model.device, "licence": model.card.get("licence")} for model in models]
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return 0
    for each in facts:
        print("\n".join(f"{name:12} {_readable(value)}" for name, value in each.items()))
    return 0


def _health(options: argparse.Namespace) -> int:
    from dser_ext.audio2face.health import SERVING, health

    state = health(shared.connection(options))
    print(json.dumps({"a2f": options.a2f, "health": state}) if options.json else f"{options.a2f}  {state}")
    return int(state != SERVING)


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return ("\n" + " " * 13).join(f"{name}: {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
