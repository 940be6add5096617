"""dser batch: recognise a folder, or thousands of lines, and keep account of them; run again, it does what is new."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from dser_ext.cli import options as shared
from dser_ext.cli.messages import say
from dser_ext.emotion.style import Style, style
from dser_ext.errors import DserError, FormatError
from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.usd_layers import usd

if TYPE_CHECKING:
    from dser_ext.batch.faces import Face
    from dser_ext.batch.job import Job
    from dser_ext.batch.run import Engine, Summary

LINE_SECONDS = 30.0  # between two lines on how far it is, where stderr is no terminal
SHOWN_FAILURES = 20
USD = {"usda", "usdc", "a2f-usda"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = "dser batch [options] IN OUT | dser batch --report OUT"
    parser.add_argument(
        "places",
        nargs="+",
        metavar="IN OUT",
        help="IN: a folder, which OUT mirrors; a pattern in quotes; a list with a path a line (.txt); a table with a "
        "column path, and style, preferred, speaker as you like (.csv, .tsv); or the URL of a folder in a store "
        "(s3://…). OUT: the folder or URL that results go to",
    )
    parser.add_argument(
        "--format",
        type=_formats,
        default=("json",),
        metavar="NAME,…",
        help=f"what to write for each line: {', '.join(TRACK_FORMATS)} (default json); with --a2f also a2f-json, "
        "a2f-csv, a2f-usda, livelink-csv",
    )
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="lines to work on at a time (default: one a core)")
    parser.add_argument(
        "--voice-by",
        default="none",
        metavar="folder|column|none",
        help="lines of one folder, or of one speaker in the table's column speaker (or name another), are one voice's: "
        "each is measured against the others (default none)",
    )
    parser.add_argument(
        "--refresh-voices", action="store_true", help="make the voices anew of all lines; else they stay as first made"
    )
    parser.add_argument("--root", metavar="FOLDER", help="that the paths of a list are in (default: the list's folder)")
    shared.add_performance(parser)
    parser.add_argument(
        "--style-for",
        type=_rule,
        action="append",
        default=[],
        metavar="PATTERN=STYLE",
        help="another style for lines whose path in IN fits, such as 'combat/*=expressive'; of several the last counts",
    )
    shared.add_model(parser)
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="who works: processes of this machine, or the Ray cluster in RAY_ADDRESS (default local)",
    )
    parser.add_argument("--report", action="store_true", help="write OUT/report.html, too: where a person should look")
    parser.add_argument("--a2f", metavar="HOST:PORT", help="have this Audio2Face-3D service animate each line")
    parser.add_argument("--config", metavar="FILE", help="settings of Audio2Face, as of dser push")
    parser.add_argument(
        "--timeout", type=shared.seconds, default=30.0, metavar="SECONDS", help="as of dser push (default 30)"
    )
    shared.add_connection(parser)
    parser.add_argument("--json", action="store_true", help="print how it went as JSON")


def run(options: argparse.Namespace) -> int:
    """Do what is new or changed, and say how it went."""
    from dser_ext.batch.lines import find
    from dser_ext.batch.place import opened, read_only
    from dser_ext.batch.run import Run
    from dser_ext.drawing.batch_report import write_report

    if len(options.places) == 1 and options.report:
        out = options.places[0]
        with read_only(out) as ledger:
            say(f"the report is in {write_report(ledger, out)}")
        return 0
    if len(options.places) != 2:
        options.usage_error("name IN and OUT; or with --report OUT alone, for the report of what was done there")
    source, out = options.places
    job = _job(options, source)
    found = find(source, options.root, without=out)
    if not found.lines and not found.left_out:
        say(f"warning: {source}: no lines of speech there")
    with opened(out) as ledger:
        batch = Run(job, found, out, ledger, _engine(options, job.model))
        try:
            batch.check()
        except FormatError as error:
            options.usage_error(str(error))
        with _interrupted_by_sigterm(), redirect_stdout(sys.stderr), _progress() as report:  # Ray prints to stdout
            batch.report = report
            try:
                summary = batch.run(refresh_voices=options.refresh_voices)
            except KeyboardInterrupt:
                finished = batch.summary.done + batch.summary.kept
                say(f"stopped; {finished} of {batch.summary.lines} lines are done, the same command goes on from there")
                return 1
        page = write_report(ledger, out) if options.report else None
    return _conclude(summary, page, as_json=options.json, hint=options.voice_by == "none")


def _job(options: argparse.Namespace, source: str) -> Job:
    from dser_ext.batch.job import Job
    from dser_ext.recognition.bundle import DEFAULT_MODEL

    if not USD.isdisjoint(options.format):
        usd("Sdf")  # once, before any work, and not for each line
    return Job(
        formats=options.format,
        fps=options.fps,
        tolerance=options.tolerance,
        style=shared.chosen_style(options),
        rules=options.style_for,
        voice_by=options.voice_by,
        place=source,
        model=options.model or DEFAULT_MODEL,
        face=_face(options),
    )


def _face(options: argparse.Namespace) -> Face | None:
    animations = [name for name in options.format if name not in TRACK_FORMATS]
    if animations and options.a2f is None:
        options.usage_error(f"{animations[0]} is an animation; name the Audio2Face that makes it with --a2f")
    if options.a2f is None:
        return None
    if not animations:
        options.usage_error("--a2f is for animations; name a format of one, such as --format json,a2f-json")
    from dser_ext.batch.faces import Face

    return Face(shared.connection(options), shared.a2f_settings(options), options.timeout)


def _engine(options: argparse.Namespace, model: str) -> Engine:
    if options.engine == "ray":
        if options.jobs:
            options.usage_error("--jobs is for workers of this machine; a cluster has as many as it has cores")
        from dser_ext.batch.cluster import Cluster

        return Cluster(model, options.device)
    from dser_ext.batch.workers import Workers

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Workers(options.jobs or cores, model, options.device)


def _conclude(summary: Summary, page: str | None, *, as_json: bool, hint: bool) -> int:
    """Say how it went; the exit code."""
    failures = [error for _, error in summary.failures]
    for said in [*summary.left_out, *failures][:SHOWN_FAILURES]:
        say(said)
    if (more := len(summary.left_out) + len(failures) - SHOWN_FAILURES) > 0:
        say(f"and {more} more; all are in the report (--report)")
    if as_json:
        print(json.dumps({**summary.to_json(), "report": page}))
    else:
        rate = f", {summary.done / summary.seconds:.1f} lines a second" if summary.done and summary.seconds else ""
        print(
            f"{summary.done} done, {summary.kept} unchanged, {len(failures)} failed, of {summary.lines} lines, "
            f"in {_duration(summary.seconds)}{rate}"
        )
        if page:
            print(f"report: {page}")
    if hint and summary.done:
        say(
            "with --voice-by folder (or column) lines are measured against the speaker's others, which makes them surer"
        )
    return 1 if failures or summary.left_out else 0


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """A polite end by the system is as good as one by the keyboard."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress() -> Iterator[Callable[[Summary], None]]:
    """What shows how far a run is: a bar on a terminal, else a line every now and then."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("lines", total=None, rate="", failed="")

        def show(summary: Summary) -> None:
            failed = len(summary.failures)
            bar.update(
                task,
                total=summary.lines,
                completed=summary.finished,
                rate=f"{summary.rate:.1f}/s",
                failed=f"{failed} failed" if failed else "",
            )

        yield show


class _Lines:
    """Progress for a log."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, summary: Summary) -> None:
        if time.monotonic() - self._last < LINE_SECONDS:
            return
        self._last = time.monotonic()
        left = (summary.lines - summary.finished) / summary.rate if summary.rate else 0.0
        failed = f", {len(summary.failures)} failed" if summary.failures else ""
        say(f"{summary.finished} of {summary.lines} lines, {summary.rate:.1f} a second, {_duration(left)} left{failed}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    from dser_ext.batch.faces import ANIMATIONS

    known = [*TRACK_FORMATS, *ANIMATIONS]
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no format; choose from {', '.join(known)}")
    if not names:
        raise argparse.ArgumentTypeError(f"names no format; choose from {', '.join(TRACK_FORMATS)}")
    return names


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 512:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 512")
    return int(text)


def _rule(text: str) -> tuple[str, Style]:
    pattern, _, named = text.partition("=")
    if not pattern or not named:
        raise argparse.ArgumentTypeError(f"{text!r} is no PATTERN=STYLE, such as 'combat/*=expressive'")
    try:
        return pattern, style(named)
    except DserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
