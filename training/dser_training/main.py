"""dser-train: one command a stage, each with a YAML configuration and KEY=VALUE overrides."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from dser_ext.errors import DserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage; exit code 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="dser-train", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)
    for name, what in (
        ("utterance", "stage 1: train the utterance model"),
        ("export", "write a checkpoint as a model bundle"),
        ("evaluate", "measure a model bundle on CREMA-D and RAVDESS"),
    ):
        stage = stages.add_parser(name, help=what)
        stage.add_argument("--config", required=True, help="YAML file of the run")
        stage.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
        if name != "utterance":
            stage.add_argument("--bundle", required=True, help="folder of the model bundle")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        print(_run(options))
    except (DserError, FloatingPointError, OSError) as error:
        print(f"dser-train: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f'dser-train: {error.name} is missing; pip install "dser-audio2face[training]"', file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> object:
    """Run the stage asked for; torch and transformers are only imported by now."""
    from dser_training.config import load

    config = load(options.config, options.overrides)
    if options.stage == "utterance":
        from dser_training.stages.utterance import train

        return train(config)
    if options.stage == "export":
        from dser_training.export import export

        return export(config, options.bundle)
    from dser_training.evaluation import evaluate

    return evaluate(config, options.bundle)


if __name__ == "__main__":
    sys.exit(main())
