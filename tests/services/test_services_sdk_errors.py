"""How what goes wrong at `hat venue` reaches users of the official SDK (HYPERLIQUID 1.6), limits on as by default."""

import pytest
import requests
from hyperliquid.utils.error import ClientError, ServerError

from tests.services.venue_process import running_venue

MILLION = 1_000_000
GTC = {"limit": {"tif": "Gtc"}}
ALO = {"limit": {"tif": "Alo"}}


@pytest.fixture(scope="module")
def venue():
    with running_venue("--demo", "--coins", "BTC") as one:
        yield one


@pytest.fixture(scope="module")
def clients(venue):
    return venue.exchange(venue.demo())


@pytest.fixture
def exchange(venue, clients):
    """The demo account; misfortune is lifted at the end of a test."""
    yield clients
    venue.control("misfortune")


def test_an_error_of_the_venue_is_an_answer_not_an_exception(exchange):
    reply = exchange.cancel("BTC", 12_345)
    assert reply["response"]["data"]["statuses"][0]["error"].startswith("Order was never placed")


@pytest.mark.parametrize("body", [{}, {"type": "nonsense"}, {"type": "clearinghouseState"}, {"type": 5}])
def test_an_unknown_question_is_422_with_text(exchange, body):
    with pytest.raises(ClientError) as caught:
        exchange.info.post("/info", body)
    error = caught.value
    assert (error.status_code, error.error_code) == (422, None)
    assert error.error_message.startswith("Failed to deserialize the JSON body into the target type")


@pytest.mark.parametrize("action", [{"type": "nonsense"}, {"type": "order"}, {}, None])
def test_an_unknown_action_is_422_with_text(exchange, action):
    with pytest.raises(ClientError) as caught:
        exchange.post("/exchange", {"action": action, "nonce": 1, "signature": {"r": "0x1", "s": "0x1", "v": 27}})
    assert caught.value.status_code == 422


def test_the_rate_limit_is_429_with_null(venue, exchange):
    venue.control("misfortune", too_many=MILLION)
    with pytest.raises(ClientError) as caught:
        exchange.order("BTC", True, 0.001, 50_000.0, GTC)
    error = caught.value
    assert (error.status_code, error.error_code, error.error_message) == (429, None, "null")


@pytest.mark.parametrize(("key", "status"), [("internal_error", 500), ("bad_gateway", 502)])
def test_an_outage_is_a_server_error(venue, exchange, key, status):
    venue.control("misfortune", **{key: MILLION})
    with pytest.raises(ServerError) as caught:
        exchange.info.all_mids()
    assert caught.value.status_code == status


def test_an_answer_that_never_comes_is_a_broken_connection_and_the_action_happened(venue, exchange):
    before = len(exchange.info.historical_orders(venue.account))
    price = float(f"{float(exchange.info.all_mids()['BTC']) * 0.9:.4g}")
    venue.control("misfortune", silent=MILLION, actions_only=True)
    with pytest.raises(requests.exceptions.ConnectionError):
        exchange.order("BTC", True, 0.001, price, GTC)
    venue.control("misfortune")
    assert len(exchange.info.historical_orders(venue.account)) == before + 1


def test_an_answer_that_comes_too_late_is_a_timeout_and_the_action_happened(venue, exchange):
    price = float(f"{float(exchange.info.all_mids()['BTC']) * 0.9:.4g}")
    hasty = venue.exchange(venue.demo(), timeout=0.5)
    before = len(exchange.info.open_orders(venue.account))
    venue.control("misfortune", late=MILLION, late_ms=2_000, actions_only=True)
    with pytest.raises(requests.exceptions.Timeout):
        hasty.order("BTC", True, 0.001, price, GTC)
    venue.control("misfortune")
    assert len(exchange.info.open_orders(venue.account)) == before + 1


def test_an_upgrade_leaves_post_only_orders_and_a_halt_none(venue, exchange):
    price = float(f"{float(exchange.info.all_mids()['BTC']) * 0.9:.4g}")
    venue.control("misfortune", upgrade_ms=60_000)
    refused = exchange.order("BTC", True, 0.001, price, GTC)["response"]["data"]["statuses"][0]["error"]
    assert refused.startswith("Only post-only orders allowed immediately after a network upgrade")
    assert "resting" in exchange.order("BTC", True, 0.001, price, ALO)["response"]["data"]["statuses"][0]
    venue.control("misfortune", halt_ms=60_000)
    refused = exchange.order("BTC", True, 0.001, price, ALO)
    assert "Trading is halted." in str(refused)


def test_an_address_that_asks_too_much_is_told_so(venue):
    """Last: the weight of this address is used up afterwards. Source: HYPERLIQUID 7.1, 1200 a minute."""
    info = venue.info()

    def ask_and_ask():
        for _ in range(1_200):
            info.user_fees(venue.account)

    with pytest.raises(ClientError) as caught:
        ask_and_ask()
    assert (caught.value.status_code, caught.value.error_message) == (429, "null")
