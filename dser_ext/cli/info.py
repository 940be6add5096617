"""dser info: say what a model is, how good it was measured to be, and what it runs on here."""

from __future__ import annotations

import argparse
import json

from dser_ext import __version__


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--model", metavar="NAME|DIR", help="a shipped model or a model folder")
    parser.add_argument("--json", action="store_true", help="print it as JSON, for other programs")


def run(options: argparse.Namespace) -> int:
    """Print the model's card and the devices there are; its checksums are verified on the way."""
    import onnxruntime

    from dser_ext.recognition.bundle import DEFAULT_MODEL, ModelBundle

    bundle = ModelBundle.open(options.model if options.model is not None else DEFAULT_MODEL)
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
    }
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return 0
    for name, value in facts.items():
        print(f"{name:12} {_readable(value)}")
    return 0


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return ("\n" + " " * 13).join(f"{name}: {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
