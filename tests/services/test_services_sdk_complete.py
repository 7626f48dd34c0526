"""Nothing of the official SDK's public interface is left out of the tests against a running venue."""

import ast
import inspect
from pathlib import Path

import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.websocket_manager import subscription_to_identifier

from tests.services.test_services_sdk_account import LISTING
from tests.services.test_services_sdk_streams import MARKET_CHANNELS, USER_CHANNELS

HERE = Path(__file__).parent
SUITE = [*sorted(HERE.glob("test_services_sdk_*.py")), HERE / "venue_process.py"]
ALONE = {"activeAssetData"}
"""Subscriptions with a test of their own."""


def called():
    """Return the names of all methods that the tests call."""
    names = set(LISTING)
    for path in SUITE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                names.add(node.func.attr)
    return names


@pytest.mark.parametrize("client", [Exchange, Info])
def test_every_public_method_is_called(client):
    public = {name for name, _ in inspect.getmembers(client, inspect.isfunction) if not name.startswith("_")}
    assert public - called() == set()


def test_every_subscription_the_sdk_routes_is_heard():
    branches = ast.walk(ast.parse(inspect.getsource(subscription_to_identifier)))
    compared = {
        node.comparators[0].value
        for node in branches
        if isinstance(node, ast.Compare) and isinstance(node.comparators[0], ast.Constant)
    }
    assert compared == set(MARKET_CHANNELS) | set(USER_CHANNELS) | ALONE
