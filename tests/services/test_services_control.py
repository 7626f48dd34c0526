"""The control endpoint: what it changes, and how it refuses."""

import json

import pytest

from services.venue_server.misfortune import MILLION
from tests.services.counter_scene import OTHER, address
from tests.services.venue_doors import NOW_NS, a_hall, buy, in_loop, open_doors

MS = 1_000_000


async def control(doors, path, keys, status=200):
    answer = await doors.post(f"/control/{path}", keys)
    assert (status, "application/json") == answer[:2], answer
    return json.loads(answer[2])


@in_loop
async def test_misfortune_is_set_told_and_lifted():
    async with open_doors() as doors:
        said = await control(doors, "misfortune", {"too_many": MILLION, "seed": 9})
        assert (MILLION, 9) == (said["settings"]["too_many"], said["settings"]["seed"])
        assert 429 == (await doors.post("/info", {"type": "meta"}))[0]
        async with doors.http.get(f"{doors.url}/control/misfortune") as answer:
            assert {"too_many": 1} == (await answer.json())["counts"]
        await control(doors, "misfortune", {})
        assert 200 == (await doors.post("/info", {"type": "meta"}))[0]


@in_loop
async def test_halt_lasts_from_the_moment_it_is_set_by_the_venues_own_clock():
    async with open_doors() as doors:
        await control(doors, "misfortune", {"halt_ms": 5_000, "skew_ms": 60_000})
        now_ms = NOW_NS // MS + 60_000
        assert "Trading is halted." in str(await doors.exchange(buy(nonce=now_ms)))
        doors.clock.pass_seconds(5)
        assert "resting" in str(await doors.exchange(buy(nonce=now_ms + 5_000)))


@in_loop
async def test_deposit_funds_a_new_account():
    async with open_doors(a_hall(accounts=[])) as doors:
        said = await control(doors, "deposit", {"account": OTHER.address, "usdc": "250.5"})
        assert {"account": address(OTHER)} == said
        state = await doors.info(type="clearinghouseState", user=address(OTHER))
        assert "250.5" == state["marginSummary"]["accountValue"]


@in_loop
async def test_price_is_given_to_a_market_nobody_feeds():
    async with open_doors(a_hall([])) as doors:
        await control(doors, "price", {"coin": "BTC", "oracle": "90000", "mark": "90001.0"})
        _, contexts = await doors.info(type="metaAndAssetCtxs")
        assert ("90000.0", "90001.0") == (contexts[0]["oraclePx"], contexts[0]["markPx"])


@pytest.mark.parametrize(
    ("path", "keys", "said"),
    [
        ("misfortune", {"silent": -1}, "misfortune.silent"),
        ("misfortune", {"typo": 1}, "typo"),
        ("stall", {}, "the key 'ms' is missing"),
        ("stall", {"ms": -1}, "milliseconds"),
        ("stall", {"ms": 1e300}, "milliseconds"),
        ("stall", {"ms": [1]}, "milliseconds"),
        ("deposit", {"usdc": "1"}, "'account' is missing"),
        ("deposit", {"account": "bob", "usdc": "1"}, "40 hex digits"),
        ("deposit", {"account": "0x" + "1" * 40, "usdc": "-1"}, "above zero"),
        ("deposit", {"account": "0x" + "1" * 40, "usdc": "9" * 400}, "above zero"),
        ("deposit", {"account": "0x" + "1" * 40, "usdc": {"a": "b"}}, "above zero"),
        ("price", {"coin": "DOGE", "oracle": "1"}, "one of BTC, ETH"),
        ("price", {"coin": "BTC"}, "'oracle' is missing"),
        ("price", {"coin": "BTC", "oracle": "0"}, "above zero"),
        ("price", {"coin": "BTC", "oracle": "1e5"}, "above zero"),
        ("price", {"coin": "BTC", "oracle": "1", "mark": "-1"}, "mark"),
        ("drop", [], "Expected `object`"),
    ],
)
@in_loop
async def test_what_cannot_be_is_refused_in_one_sentence(path, keys, said):
    async with open_doors() as doors:
        error = (await control(doors, path, keys, 400))["error"]
        assert said in error
        assert "\n" not in error
        assert len(error) < 600


@in_loop
async def test_what_is_no_json_and_other_methods_are_refused():
    async with open_doors() as doors:
        for content in (b"\xff", b"{", b"[" * 100_000):
            async with doors.http.post(f"{doors.url}/control/drop", data=content) as answer:
                assert 400 == answer.status
        async with doors.http.get(f"{doors.url}/control/drop") as answer:
            assert 405 == answer.status
        async with doors.http.delete(f"{doors.url}/control/misfortune") as answer:
            assert 405 == answer.status
