"""Checks before every request: who may ask, from where, and how much may be sent."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]

Message = MutableMapping[str, Any]

Receive = Callable[[], Awaitable[Message]]

Send = Callable[[Message], Awaitable[None]]

App = Callable[[Scope, Receive, Send], Awaitable[None]]

SMALL = 4 << 20  # bytes of a request that brings no file

UPLOADS = ("/api/uploads", "/api/looks", "/gradio_api/upload")  # ends of paths, and which may be larger

WAIT = 1.0  # seconds before a wrong password is refused: guessing takes its time

# The page may load nothing from elsewhere, whatever a library puts into it.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self' data: blob:;"
    " worker-src 'self' blob:; frame-ancestors 'self'; form-action 'self'; base-uri 'self'; object-src 'none'"
)

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own and no other can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware around page and API.

    `password` is asked for by Basic or Bearer where there is one; without it only this machine's own names
    are answered, so that no other site's name can be pointed at it. `most` bytes an upload may have.
    """

    def __init__(self, app: App, password: str, most: int) -> None:
        self.app, self.password, self.most = app, password, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        refused = self._refused(scope, headers)
        if refused is None and self.password and not _knows(headers.get("authorization", ""), self.password):
            if "authorization" in headers:
                await asyncio.sleep(WAIT)
            refused = (
                401,
                "the studio asks for its password: log in by any name with it, or send it as a Bearer token",
            )
        if refused is not None:
            await _answer(scope, send, *refused)
            return
        await self.app(scope, self._counted(scope, receive), _with_headers(send))

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self.password and not is_loopback(_hostname(host)):
            return 421, f"{host[:100]}: not a name of this studio; open it by the address that it printed"
        top = scope.get("method") == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not (
            top and headers.get("sec-fetch-dest") == "document"
        ):
            return 403, "a request of another site's page: refused"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "a request of another site's page: refused"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > self._room(scope):
            return 413, _too_much(self._room(scope))
        return None

    def _room(self, scope: Scope) -> int:
        return self.most if scope.get("path", "").rstrip("/").endswith(UPLOADS) else SMALL

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """Bodies without a length are counted; nothing is read beyond the limit."""
        taken, room = 0, self._room(scope)

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > room:
                raise HTTPException(413, _too_much(room))
            return message

        return counted


def _too_much(room: int) -> str:
    return f"more than the {room / 1e6:.0f} MB that may be sent; see scumble studio --max-upload"


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an IPv6 address
        return ""


def _knows(authorization: str, password: str) -> bool:
    kind, _, words = authorization.partition(" ")
    value = words.strip().encode("latin-1")  # as it was sent: UTF-8, mostly
    if kind.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).partition(b":")[2]
        except ValueError:
            return False
    elif kind.lower() != "bearer":
        return False
    return secrets.compare_digest(value, password.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(h for h in HEADERS if h[0] not in given)]
        await send(message)

    return sending


async def _answer(scope: Scope, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json"), *HEADERS]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Scumble studio", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": sentence}).encode()})
