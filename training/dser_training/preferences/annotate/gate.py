"""Who may come in, and what a browser may do with what it gets."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dser_ext.audio2face.connection import is_loopback
from dser_ext.server.door import Door

TOKEN_COOKIE, NAME_COOKIE = "dser-token", "dser-name"
COOKIE_SECONDS = 30 * 24 * 3600
OPEN_PATHS = ("/", "/figures", "/api/session", "/api/sign-in")
"""What comes without a token: pages that hold nothing, and the way to sign in."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Gate:
    """Around the application: lets in whom the door lets in, and nothing that another page sends in their name."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if self._door.local and not is_loopback(host if _has_port(host) else f"{host}:80"):
            return refused(f"{host or 'no host'} is not this machine; open the address that dser-train printed", 403)
        if scope["method"] not in ("GET", "HEAD"):
            if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                return refused("only JSON is taken here", 415)
            if headers.get("origin") != f"{scope['scheme']}://{host}":
                return refused("only the page itself may send this", 403)
        is_open = path in OPEN_PATHS or path.startswith("/static/")
        if not is_open and not has_token(self._door, cookies(headers)):
            return refused("a token is needed here; sign in", 401)
        return None


def refused(sentence: str, status: int, *, gone: bool = False) -> JSONResponse:
    """An error as the page reads it. gone: whether it should ask for its question anew."""
    return JSONResponse({"error": sentence, "gone": gone}, status)


def has_token(door: Door, given: dict[str, str]) -> bool:
    """Whether cookies hold what the token was turned into; True where none is asked for."""
    return door.token is None or _same(given.get(TOKEN_COOKIE, ""), proof(door.token))


def is_token(door: Door, given: str) -> bool:
    """Whether the token that was typed is the door's."""
    return door.token is None or _same(given, door.token)


def proof(token: str) -> str:
    """What a browser keeps in place of the token, and that nothing else accepts."""
    return hmac.new(token.encode(), b"dser-train annotate", "sha256").hexdigest()


def sign_in(response: Response, door: Door, name: str) -> None:
    """Have the browser keep who is there, out of the reach of scripts and of other sites."""
    kept = {NAME_COOKIE: quote(name, safe="")}
    if door.token is not None:
        kept[TOKEN_COOKIE] = proof(door.token)
    secure = door.certificate is not None
    for cookie, value in kept.items():
        response.set_cookie(cookie, value, COOKIE_SECONDS, httponly=True, samesite="strict", secure=secure)


def sign_out(response: Response) -> None:
    """Have the browser forget."""
    for cookie in (NAME_COOKIE, TOKEN_COOKIE):
        response.delete_cookie(cookie, httponly=True, samesite="strict")


def cookies(headers: Headers) -> dict[str, str]:
    """The cookies of a request."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def name_in(given: dict[str, str]) -> str | None:
    """The annotator's name in cookies."""
    return unquote(given[NAME_COOKIE]) if NAME_COOKIE in given else None


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
