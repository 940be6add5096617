"""dser-train: one command a stage, each with a YAML configuration and KEY=VALUE overrides."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from dser_ext.errors import DserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; exit code 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    for library in ("onnx_ir", "onnxscript"):  # which tell each step of writing a model
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        print(_run(options))
    except (DserError, FloatingPointError, OSError) as error:
        print(f"dser-train: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f'dser-train: {error.name} is missing; pip install "dser-audio2face[training]"', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dser-train: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dser-train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what)
        added.add_argument("--config", required=True, help="YAML file of the run")
        added.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
        return added

    command("utterance", "stage 1: train the utterance model")
    command("sequence", "stage 2: train the sequence model, which tells when the emotion changes")
    compare = command("compare", "train variants of stage 1 on frozen backbones with several seeds, and tabulate them")
    sequences = command("sequences", "train and tabulate utterance models in sliding windows against sequence models")
    feedback = command("feedback", "train and tabulate stage 3 with simulated annotators, whose preferences are known")
    for tabulating in (compare, sequences, feedback):
        tabulating.add_argument("--output", metavar="DIR", help="folder for the tables, as Markdown and JSON")
    command("candidates", "stage 3: sequences that lines might have, and the pairs of them to ask people about")
    annotate = command("annotate", "stage 3: a page on which people choose the better of two sequences")
    instead = annotate.add_mutually_exclusive_group()
    instead.add_argument("--export", metavar="FILE", help="write the answers, for preference, and end")
    instead.add_argument("--import", metavar="FILE", dest="take_up", help="take up the answers in a file, and end")
    instead.add_argument("--figures", action="store_true", help="tell how far the work is, and end")
    command("preference", "stage 3: train a model's head on what people preferred, and write it as a model bundle")
    invert = command("invert", "emotions back from facial animation, through an Audio2Face network")
    invert.add_argument("--made", metavar="DIR", help="try it: make a network, and each line's animation, there")
    command("export", "write a run as a model bundle").add_argument("--bundle", required=True, help="folder to write")
    calibrate = command("calibrate", "add products in 8 bits to a model bundle, for processors without VNNI")
    calibrate.add_argument("--bundle", required=True, help="folder of the model")
    evaluate = command("evaluate", "measure a model bundle on CREMA-D, RAVDESS, read speech and what is no speech")
    evaluate.add_argument(
        "--bundle", required=True, action="append", help="folder of the model; with --truth of several"
    )
    evaluate.add_argument("--truth", nargs="+", metavar="FILE", help="measure on tracks that invert wrote, instead")
    evaluate.add_argument("--output", metavar="DIR", help="folder for the report and its pictures")
    evaluate.add_argument("--sets", nargs="+", metavar="SET", help="develop, test, ravdess, read; all if not given")
    evaluate.add_argument("--robustness", action="store_true", help="also in noise, by telephone, as MP3, with pauses")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _run(options: argparse.Namespace) -> object:
    """Run the command asked for; torch and transformers are only imported by now."""
    if options.command == "compare":
        from dser_training.evaluation import compare, comparison

        return compare.compare(comparison.load(options.config, options.overrides), options.output)
    if options.command == "sequences":
        from dser_training.evaluation import sequences

        return sequences.compare(options.config, options.overrides, options.output)
    if options.command == "feedback":
        from dser_training.evaluation import feedback

        return feedback.study(options.config, options.overrides, options.output)
    if options.command == "candidates":
        from dser_training.preferences import candidates

        return candidates.make(candidates.load(options.config, options.overrides))
    if options.command == "annotate":
        from dser_training.preferences.annotate import serve, settings

        config = settings.load(options.config, options.overrides)
        return serve.annotate(config, export=options.export, take_up=options.take_up, show=options.figures)
    if options.command == "invert":
        from dser_training.inversion import config as inversion
        from dser_training.inversion.invert import invert

        settings = inversion.load(options.config, options.overrides)
        if options.made:
            from dser_training.inversion.loop import loop

            return loop(settings, options.made)
        return invert(settings)
    if options.command == "evaluate" and options.truth:
        from dser_training.inversion import score

        how = score.load(options.config, options.overrides)
        return score.score(options.truth, options.bundle, how, options.output, as_json=options.json)
    from dser_training.config import CONFIGS, ConfigError, load

    config = load(options.config, options.overrides)
    if options.command in CONFIGS:
        if not isinstance(config, CONFIGS[options.command]):
            raise ConfigError(f"{options.config}: of another stage; its `stage` must be {options.command}")
        stage = importlib.import_module(f"dser_training.stages.{options.command}")
        return stage.train(config)
    if options.command == "export":
        from dser_training.export import export

        return export(config, options.bundle)
    if options.command == "calibrate":
        from dser_training.calibrate import calibrate

        return calibrate(config, options.bundle)
    from dser_training.evaluation.evaluate import evaluate
    from dser_training.evaluation.sets import SETS

    if len(options.bundle) > 1:
        raise ConfigError("one model is measured at a time; name one --bundle")
    sets = options.sets or tuple(SETS)
    return evaluate(
        config, options.bundle[0], options.output, sets=sets, robustness=options.robustness, as_json=options.json
    )


if __name__ == "__main__":
    sys.exit(main())
