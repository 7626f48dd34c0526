"""What counts as a change of the venue's listing, and that trading stops on it."""

import asyncio

import msgspec
import pytest

from domain.errors import DataInvalid
from domain.events import BookChanged, FeedLost
from exchange.hyperliquid.listing import changes, listing
from tests.exchange.exchange_scene import SETTINGS, next_of, opened, taken, venue_of
from tests.exchange.loopback_venue import until

META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 25},
    ],
    "marginTables": [
        [56, {"description": "t", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 40},
                                                 {"lowerBound": "150000000.0", "maxLeverage": 20}]}]
    ],
}  # fmt: skip


def changed(**fields: object) -> dict[str, str]:
    """Return what is told when BTC is listed with other fields."""
    now = msgspec.json.decode(msgspec.json.encode(META))
    now["universe"][0] |= fields
    return changes(listing(META), listing(now), ["BTC", "ETH"])


def test_listing_tells_nothing_when_nothing_changed() -> None:
    assert changed() == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"szDecimals": 4}, "size_decimals was 5 and is 4, price_decimals was 1 and is 2"),
        ({"maxLeverage": 20}, "leverage_max was 40 and is 20"),
        ({"marginTableId": 40}, "margin_tiers was [40x from 0 20x from 15000000000000000] and is []"),
        ({"isDelisted": True}, "does not list BTC any more"),
        ({"name": "XBT"}, "does not list BTC any more"),
    ],
)
def test_listing_tells_what_changed(fields: dict[str, object], words: str) -> None:
    found = changed(**fields)
    assert list(found) == ["BTC"]
    assert words in found["BTC"]


def test_listing_tells_an_instrument_that_moved_in_the_list() -> None:
    now = {**META, "universe": [{"name": "NEW", "szDecimals": 0, "maxLeverage": 3}, *META["universe"]]}
    assert "asset_id was 0 and is 1" in changes(listing(META), listing(now), ["BTC"])["BTC"]


def test_listing_that_cannot_be_read_is_refused_whole() -> None:
    with pytest.raises(DataInvalid, match="margin table 99"):
        changed(marginTableId=99)


def test_exchange_stops_the_feed_of_an_instrument_that_is_listed_otherwise(tmp_path) -> None:
    async def test() -> None:
        venue = venue_of()
        settings = msgspec.structs.replace(SETTINGS, listing_interval_ns=1)
        async with opened(venue, tmp_path, settings) as (exchange, _):
            await until(lambda: sum(one["type"] == "meta" for one in venue.asked) > 1)
            assert taken(exchange) == []
            venue.answers["meta"] = {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 20}]}
            lost = await next_of(exchange, FeedLost)
            assert lost.symbol == "BTC"
            assert "leverage_max was 40 and is 20" in lost.detail
            sides = [[{"px": "60000.0", "sz": "1.0", "n": 1}], [{"px": "60001.0", "sz": "1.0", "n": 1}]]
            await venue.push("l2Book", {"coin": "BTC", "time": 1_757_000_000_000, "levels": sides})
            frames = exchange.session.counters.frames
            await until(lambda: exchange.session.counters.frames > frames)
            assert not any(isinstance(event, BookChanged) for event in taken(exchange))
            assert exchange.trader.counters.listing_changes == 1

    asyncio.run(test())


def test_exchange_lives_on_when_the_disk_takes_no_nonces(tmp_path) -> None:
    async def test() -> None:
        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, _):
            (tmp_path / "nonces.partial").mkdir()
            await until(lambda: exchange.problem.startswith("nonces cannot be reserved"))
            assert exchange.session.phase.value == "up"

    asyncio.run(test())
