"""The local control endpoint: misfortune set and lifted while clients trade, accounts funded, prices given.

Laws: it answers JSON, refuses with one sentence and HTTP 400, and is served on the venue's own loopback port; it is a
tool for tests and rehearsals, never part of the venue's wire. Every path begins with /control.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from domain.errors import HouseError
from domain.units import NS_PER_MS, parse_money
from services.venue_server.answer import Answer
from services.venue_server.hall import Hall
from services.venue_server.misfortune import settings_from

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


def control_pages(hall: Hall, clock: Callable[[], int]) -> dict[str, Page]:
    """Return the pages by path."""

    async def misfortune(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return _said({"settings": hall.misfortune.settings, "counts": hall.misfortune.counts})

        def change(keys: dict[str, Any]) -> dict[str, Any]:
            hall.misfortune.change(settings_from(keys), clock())
            return {"settings": hall.misfortune.settings}

        return await _changed(request, change)

    async def drop(request: web.Request) -> web.StreamResponse:
        def change(_: dict[str, Any]) -> dict[str, Any]:
            hall.misfortune.drop_all()
            return {}

        return await _changed(request, change)

    async def stall(request: web.Request) -> web.StreamResponse:
        def change(keys: dict[str, Any]) -> dict[str, Any]:
            until_ns = clock() + int(keys["ms"]) * NS_PER_MS
            hall.misfortune.stall_all(until_ns)
            return {"until_ms": until_ns // NS_PER_MS}

        return await _changed(request, change)

    async def deposit(request: web.Request) -> web.StreamResponse:
        def change(keys: dict[str, Any]) -> dict[str, Any]:
            hall.advance(clock())
            hall.fund(str(keys["account"]).lower(), parse_money(str(keys["usdc"])))
            return {"account": str(keys["account"]).lower()}

        return await _changed(request, change)

    return {
        "/control/misfortune": misfortune,
        "/control/drop": drop,
        "/control/stall": stall,
        "/control/deposit": deposit,
    }


async def _changed(request: web.Request, change: Callable[[dict[str, Any]], dict[str, Any]]) -> web.StreamResponse:
    """Carry out one change asked for as a JSON object."""
    if request.method not in {"POST", "PUT"}:
        return _said({"error": "expected POST"}, HTTPStatus.METHOD_NOT_ALLOWED)
    try:
        body = await request.read()
        keys = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        return _said(change(keys))
    except KeyError as error:
        return _said({"error": f"the key {error} is missing"}, HTTPStatus.BAD_REQUEST)
    except (msgspec.DecodeError, HouseError, ValueError, TypeError) as error:
        return _said({"error": str(error)}, HTTPStatus.BAD_REQUEST)


def _said(shape: object, status: int = HTTPStatus.OK) -> web.StreamResponse:
    answer = Answer(status=status, body=msgspec.json.encode(shape))
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
