"""The application: pages, and the few requests that they make."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dser_ext.errors import Audio2FaceError, AudioError, DserError
from dser_ext.server.door import Door
from dser_training.preferences.annotate import figures, gate, sound
from dser_training.preferences.annotate.exchange import LONGEST_SECONDS
from dser_training.preferences.annotate.faces import Faces, mesh
from dser_training.preferences.annotate.store import Question, RefusedError, Store
from dser_training.preferences.annotate.tables import StoreError

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
MAX_BODY = 4096  # bytes; an answer has a hundred
BODY_SECONDS = 10.0  # that a body may take to come in
STATUS = {StoreError: 503, AudioError: 422, Audio2FaceError: 502}
"""Of errors that are no fault of who asks."""

Work = Callable[[Request, dict[str, Any]], Response]


class TooLargeError(Exception):
    """A body that no page of ours sends."""


def application(store: Store, faces: Faces, door: Door) -> Starlette:
    """What answers to browsers."""
    pages = _Pages(store, faces, door)
    question = "/api/questions/{question:int}"
    routes = [
        Route("/", lambda _: FileResponse(STATIC / "index.html")),
        Route("/figures", lambda _: FileResponse(STATIC / "figures.html")),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/api/session", _endpoint(pages.session)),
        Route("/api/sign-in", _endpoint(pages.sign_in), methods=["POST"]),
        Route("/api/sign-out", _endpoint(pages.sign_out), methods=["POST"]),
        Route("/api/figures", _endpoint(pages.figures)),
        Route("/api/head", _endpoint(pages.head)),
        Route("/api/question", _endpoint(pages.question), methods=["POST"]),
        Route(f"{question}/sound", _endpoint(pages.sound)),
        Route(f"{question}/outline", _endpoint(pages.outline)),
        Route(f"{question}/{{side}}", _endpoint(pages.face)),
        Route(f"{question}/answer", _endpoint(pages.answer), methods=["POST"]),
        Route(f"{question}/undo", _endpoint(pages.undo), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(gate.Gate, door=door)])


class _Pages:
    def __init__(self, store: Store, faces: Faces, door: Door) -> None:
        self._store, self._faces, self._door = store, faces, door

    def session(self, request: Request, _: dict[str, Any]) -> Response:
        given = gate.cookies(request.headers)
        inside = gate.has_token(self._door, given)
        name = gate.name_in(given) if inside else None
        known = name if name is not None and self._store.known(name) is not None else None
        asked = self._door.token is not None and not inside
        return JSONResponse({"name": known, "token": asked, "store": self._store.key if inside else None})

    def sign_in(self, request: Request, body: dict[str, Any]) -> Response:
        name, token = body.get("name"), body.get("token", "")
        if not isinstance(name, str) or not isinstance(token, str):
            raise RefusedError("write your name")
        held = gate.has_token(self._door, gate.cookies(request.headers))
        if not held and not gate.is_token(self._door, token):
            return gate.refused("this token is not the server's; ask whoever started it", 401)
        self._store.annotator(name)
        response = JSONResponse({})
        gate.sign_in(response, self._door, " ".join(name.split()))
        return response

    def sign_out(self, _: Request, __: dict[str, Any]) -> Response:
        response = JSONResponse({})
        gate.sign_out(response)
        return response

    def figures(self, _: Request, __: dict[str, Any]) -> Response:
        store = self._store
        return JSONResponse(figures.figures(store.sheet, store.shared, store.answered()).to_json())

    def head(self, _: Request, __: dict[str, Any]) -> Response:
        return Response(mesh(), media_type="application/octet-stream")

    def question(self, request: Request, _: dict[str, Any]) -> Response:
        question, progress = self._store.question(self._annotator(request))
        shown = None if question is None else {"id": question.id}  # a file's name may give its emotion away
        return JSONResponse({"question": shown, "progress": asdict(progress)})

    def sound(self, request: Request, _: dict[str, Any]) -> Response:
        return Response(sound.wav(self._store.sheet.lines[self._asked(request).line]), media_type="audio/wav")

    def outline(self, request: Request, _: dict[str, Any]) -> Response:
        return JSONResponse(sound.outline(self._store.sheet.lines[self._asked(request).line]))

    def face(self, request: Request, _: dict[str, Any]) -> Response:
        asked, side = self._asked(request), request.path_params["side"]
        if side not in ("left", "right"):
            return gate.refused("there is nothing here", 404)
        candidate = asked.left if side == "left" else asked.right
        document = self._faces.document(self._store.sheet.lines[asked.line], candidate)
        return Response(document, media_type="application/json")

    def answer(self, request: Request, body: dict[str, Any]) -> Response:
        seconds = body.get("seconds")
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and math.isfinite(seconds)
        if not number or not 0 <= seconds <= LONGEST_SECONDS:
            raise RefusedError("say how many seconds the answer took")
        answer = body.get("answer")
        self._store.answer(self._annotator(request), _number(request), str(answer), float(seconds))
        return JSONResponse({})

    def undo(self, request: Request, _: dict[str, Any]) -> Response:
        self._store.undo(self._annotator(request), _number(request))
        return JSONResponse({})

    def _annotator(self, request: Request) -> int:
        name = gate.name_in(gate.cookies(request.headers))
        known = self._store.known(name) if name is not None else None
        if known is None:
            raise _SignedOutError
        return known

    def _asked(self, request: Request) -> Question:
        return self._store.asked(self._annotator(request), _number(request))


class _SignedOutError(Exception):
    """Nobody is signed in."""


def _number(request: Request) -> int:
    number: int = request.path_params["question"]
    if number > 2**31 - 1:  # the largest that every database takes
        raise RefusedError("there is no such question; here is yours", gone=True)
    return number


def _endpoint(work: Work) -> Callable[[Request], Any]:
    """What answers to a request with the result of some work that may take its time, or with one sentence."""

    async def answer(request: Request) -> Response:
        try:
            body = await _body(request) if request.method == "POST" else {}
            return await run_in_threadpool(work, request, body)
        except TooLargeError:
            return gate.refused("this is more than any answer has", 413)
        except (ValueError, TimeoutError, RecursionError):
            return gate.refused("this is no JSON object", 400)
        except ClientDisconnect:
            return Response(status_code=400)  # that nobody reads
        except _SignedOutError:
            return gate.refused("sign in first", 401)
        except RefusedError as error:
            return gate.refused(str(error), 409 if error.gone else 400, gone=error.gone)
        except DserError as error:
            log.warning("%s", error)
            return gate.refused(str(error), STATUS.get(type(error), 500))

    return answer


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object in a body. Raises TooLargeError, ValueError, TimeoutError."""
    data = b""
    async with asyncio.timeout(BODY_SECONDS):
        async for piece in request.stream():
            data += piece
            if len(data) > MAX_BODY:
                raise TooLargeError
    document = json.loads(data or b"{}")
    if not isinstance(document, dict):
        raise ValueError
    return document
