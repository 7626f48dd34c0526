"""Whatever comes in, an answer goes out: 422 for what nobody can read, a status for the rest, and never an exception."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.units import MONEY_UNIT
from services.venue_server.counter_settings import CounterSettings, Policy
from tests.services.counter_scene import MASTER, NOW_MS, OTHER, STRANGER, CounterScene, address, order, place

UNDECODABLE = (422, "Failed to deserialize the JSON body into the target type")
SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}


BAD_ACTIONS = [
    {"type": "nothingOfTheKind"},
    {"kind": "order"},
    {},
    [],
    "order",
    7,
    None,
    {"type": None},
    {"type": ["order"]},
    {"type": "order"},
    {"type": "order", "orders": {}, "grouping": "na"},
    place(order(), grouping="nonsense"),
    place(order(tif="Fok")),
    place(order(price=99000)),
    place(order(price="1e5")),
    place(order(price="NaN")),
    place(order(price="")),
    place(order(price=" 1")),
    place(order(price="1" * 65)),
    place(order(a=0.5)),
    place(order(a=True)),
    place(order(a=2**70)),
    place(order(c="0x12")),
    place(order(c="0x" + "g" * 32)),
    place(order(t={})),
    place(order(t={"limit": {"tif": "Gtc"}, "trigger": {"isMarket": True, "triggerPx": "1", "tpsl": "tp"}})),
    place(order(t={"trigger": {"isMarket": True, "triggerPx": "1", "tpsl": "up"}})),
    place(order(), builder={"b": "0x12", "f": 1}),
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": "name"}]},
    {"type": "modify", "oid": "name", "order": order()},
    {"type": "subAccountTransfer", "subAccountUser": "0x12", "isDeposit": True, "usd": 1},
    {"type": "vaultTransfer", "vaultAddress": "me", "isDeposit": True, "usd": 1},
    {"type": "usdSend"},
    {"type": "claimRewards", "share": 0.5},
    {"type": "evmUserModify", "usingBigBlocks": 1},
    {"type": "multiSig", "signatures": []},
    {"type": "spotDeploy", "genesis": {"maxSupply": 2**70}},
]


@pytest.mark.parametrize("action", BAD_ACTIONS)
def test_what_nobody_can_read_is_422(action):
    posted = {"action": action, "nonce": NOW_MS, "signature": SIGNATURE}
    assert CounterScene().post(posted) == UNDECODABLE


BAD_BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b'{"action":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"action":{"type":"noop"},"nonce":1}',
    b'{"action":{"type":"noop"},"nonce":1e999,"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"noop"},"nonce":NaN,"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"noop"},"nonce":1.5,"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"noop"},"nonce":-1,"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"noop"},"nonce":' + b"9" * 6_000 + b',"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"noop"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27},"expiresAfter":-1}',
    b'{"action":{"type":"noop"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27},"vaultAddress":"me"}',
    b'{"action":{"type":"claimRewards","x":'
    + b'{"a":' * 3_000
    + b"1"
    + b"}" * 3_000
    + b'},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"claimRewards","x":"\\ud800"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}',
    b'{"action":{"type":"claimRewards","x":1e999},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}',
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_broken_bodies_are_422(body):
    answer = CounterScene().raw(body)
    assert (answer.status, answer.body.decode(), answer.weight) == (*UNDECODABLE, 1)


NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from(["1e999", "NaN", "-0", "1" * 60, "0.00000001", "-5", "", "10", "9" * 24])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
TRUSTING = CounterSettings(policy=Policy.OFF, trusted_account=address(MASTER), sub_account_volume_min=0)
USER_SIGNED = {"hyperliquidChain": "Testnet", "signatureChainId": "0x66eee"}
TO = OTHER.address
WELL_FORMED = [
    place(order()),
    place(order(tif="Ioc", is_buy=False), order(c="0x" + "1" * 32), grouping="normalTpsl"),
    {"type": "cancel", "cancels": [{"a": 0, "o": 1}]},
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": "0x" + "1" * 32}]},
    {"type": "modify", "oid": 1, "order": order()},
    {"type": "batchModify", "modifies": [{"oid": 1, "order": order()}]},
    {"type": "scheduleCancel", "time": NOW_MS + 10_000},
    {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5},
    {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 1_000_000},
    {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "5"},
    {"type": "reserveRequestWeight", "weight": 100},
    {"type": "subAccountTransfer", "subAccountUser": TO, "isDeposit": True, "usd": 5},
    {"type": "twapOrder", "twap": {"a": 0, "b": True, "s": "1", "r": False, "m": 30, "t": False}},
    {**USER_SIGNED, "type": "usdSend", "destination": TO, "amount": "1", "time": NOW_MS},
    {**USER_SIGNED, "type": "usdClassTransfer", "amount": "1", "toPerp": True, "nonce": NOW_MS},
    {**USER_SIGNED, "type": "withdraw3", "destination": TO, "amount": "2", "time": NOW_MS},
    {
        **USER_SIGNED,
        "type": "approveAgent",
        "agentAddress": STRANGER.address,
        "agentName": "x valid_until 1",
        "nonce": NOW_MS,
    },
    {**USER_SIGNED, "type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": TO, "nonce": NOW_MS},
    {
        **USER_SIGNED,
        "type": "convertToMultiSigUser",
        "signers": '{"authorizedUsers":[],"threshold":1}',
        "nonce": NOW_MS,
    },
]


def paths(value, path=()):
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from paths(each, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_stands_in_an_action_there_is_an_answer_and_no_money_is_made(data):
    action = data.draw(st.sampled_from(WELL_FORMED))
    path = data.draw(st.sampled_from(list(paths(action))))
    new = data.draw(JSON)
    scene = CounterScene(TRUSTING, spot=10 * MONEY_UNIT)
    before = scene.money()
    answer = scene.raw(
        json.dumps({"action": changed(action, path, new), "nonce": NOW_MS, "signature": SIGNATURE}).encode()
    )
    assert answer.status in {200, 422}
    if answer.status == 200:
        assert json.loads(answer.body)["status"] in {"ok", "err"}
    if not scene.account.positions:
        assert scene.money() == before


@settings(deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | JSON.map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_there_is_an_answer(body):
    assert CounterScene(TRUSTING).raw(body).status in {200, 422}
