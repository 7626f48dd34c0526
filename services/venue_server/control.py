"""The local control endpoint: misfortune set and lifted while clients trade, accounts funded, prices given.

Laws: it answers JSON, refuses with one sentence and HTTP 400, and hears this machine alone, wherever the venue listens;
it is a tool for tests and rehearsals, never part of the venue's wire. Every path begins with /control.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from domain.errors import ConfigInvalid
from domain.units import NS_PER_MS, Money, parse_money, parse_scaled
from monitoring.loopback import is_loopback
from services.venue_server.accounts_file import address_of
from services.venue_server.answer import JSON
from services.venue_server.hall import Hall
from services.venue_server.misfortune import settings_from

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]
Keys = Mapping[str, Any]

STALL_MS_MAX = 86_400_000


def control_pages(hall: Hall, clock: Callable[[], int]) -> dict[str, Page]:
    """Return the pages by path; clock is the wall's."""

    def told() -> dict[str, Any]:
        return {"settings": hall.misfortune.settings, "counts": hall.misfortune.counts}

    def misfortune(keys: Keys) -> dict[str, Any]:
        hall.suffer(settings_from(keys), clock())
        return told()

    def drop(_: Keys) -> dict[str, Any]:
        hall.misfortune.drop_all()
        return {}

    def stall(keys: Keys) -> dict[str, Any]:
        length_ms = keys["ms"]
        if not isinstance(length_ms, int) or not 0 <= length_ms <= STALL_MS_MAX:
            raise ConfigInvalid("ms", _short(length_ms), f"0..{STALL_MS_MAX} milliseconds")
        until_ns = clock() + length_ms * NS_PER_MS
        hall.misfortune.stall_all(until_ns)
        return {"until_ms": until_ns // NS_PER_MS}

    def deposit(keys: Keys) -> dict[str, Any]:
        address, amount = address_of("account", str(keys["account"])), _money(keys["usdc"])
        hall.advance(clock())
        hall.fund(address, amount)
        return {"account": address}

    def price(keys: Keys) -> dict[str, Any]:
        coin = str(keys["coin"])
        listed = hall.venue.markets.get(coin)
        if listed is None:
            raise ConfigInvalid("coin", _short(coin), f"one of {', '.join(hall.venue.markets)}")
        decimals = listed.instrument.price_decimals
        oracle = _price("oracle", keys["oracle"], decimals)
        mark = _price("mark", keys["mark"], decimals) if "mark" in keys else 0
        hall.advance(clock())
        hall.set_price(coin, oracle, mark)
        return {"coin": coin}

    return {
        "/control/misfortune": _page(misfortune, told),
        "/control/drop": _page(drop),
        "/control/stall": _page(stall),
        "/control/deposit": _page(deposit),
        "/control/price": _page(price),
    }


def _page(change: Callable[[Keys], dict[str, Any]], told: Callable[[], dict[str, Any]] | None = None) -> Page:
    """Return the page that carries out a change posted as a JSON object, and tells on GET how things are."""

    async def page(request: web.Request) -> web.StreamResponse:
        if not is_loopback(request.remote or ""):
            return _said({"error": "control is for this machine alone"}, HTTPStatus.FORBIDDEN)
        if request.method == "GET" and told is not None:
            return _said(told())
        if request.method != "POST":
            return _said({"error": "expected POST"}, HTTPStatus.METHOD_NOT_ALLOWED)
        body = await request.read()
        try:
            return _said(change(msgspec.json.decode(body or b"{}", type=dict[str, Any])))
        except KeyError as missing:
            return _said({"error": f"the key {missing} is missing"}, HTTPStatus.BAD_REQUEST)
        except RecursionError:
            return _said({"error": "the JSON is nested too deeply"}, HTTPStatus.BAD_REQUEST)
        except (msgspec.DecodeError, UnicodeDecodeError, ConfigInvalid) as refused:
            return _said({"error": str(refused)}, HTTPStatus.BAD_REQUEST)

    return page


def _money(value: object) -> Money:
    try:
        amount = parse_money(str(value))
    except ValueError:
        amount = Money(0)
    if amount <= 0:
        raise ConfigInvalid("usdc", _short(value), 'USDC above zero as text, such as "1000"')
    return amount


def _price(key: str, value: object, decimals: int) -> int:
    try:
        price = parse_scaled(str(value), decimals)
    except ValueError:
        price = 0
    if price <= 0:
        raise ConfigInvalid(key, _short(value), f"a price above zero as text, with at most {decimals} decimals")
    return price


def _short(value: object) -> str:
    return str(value)[:60]


def _said(shape: object, status: int = HTTPStatus.OK) -> web.StreamResponse:
    return web.Response(status=status, body=msgspec.json.encode(shape), content_type=JSON)
