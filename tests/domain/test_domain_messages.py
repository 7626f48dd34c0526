"""Facts, wishes, notices and views: frozen, closed, and the same after a trip through bytes."""

import inspect
from enum import IntEnum
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import commands, events, notices, order, transaction, views
from domain.identifiers import client_order_id
from domain.lifecycle import State
from domain.order import FillCause, Liquidity, Quote, Side
from domain.transaction import CorrectionCause, FactKind
from domain.units import Lots, Price, Rate

FAMILIES = [(events, events.Fact, events.Event), (commands, commands.Wish, commands.Command),
            (notices, notices.Report, notices.Notice)]  # fmt: skip
UNIONS = [events.Event, commands.Command, notices.Notice]
MESSAGES = [kind for union in UNIONS for kind in get_args(union)]
STRUCTS = [
    member
    for room in (order, transaction, views)
    for member in vars(room).values()
    if inspect.isclass(member) and issubclass(member, msgspec.Struct) and member.__module__ == room.__name__
]


@pytest.mark.parametrize(("room", "root", "union"), FAMILIES)
def test_the_union_holds_every_message_of_its_module(room, root, union):
    declared = {member for member in vars(room).values() if inspect.isclass(member) and issubclass(member, root)} - {
        root
    }
    assert declared == set(get_args(union))


def test_the_families_of_events_make_up_all_events():
    families = (events.MarketEvent, events.OrderEvent, events.AccountEvent, events.OperatorEvent, events.HouseEvent)
    members = [kind for family in families for kind in get_args(family)]
    assert len(members) == len(set(members))
    assert set(get_args(events.Event)) == set(members)
    assert set(get_args(commands.Command)) - set(get_args(commands.VenueCommand)) == {commands.WakeAt}


def test_no_two_messages_share_a_name():
    names = [kind.__name__ for kind in MESSAGES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", MESSAGES + STRUCTS)
def test_a_message_is_frozen(kind):
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_is_tagged_by_its_name(kind):
    assert kind.__struct_config__.tag == kind.__name__


@pytest.mark.parametrize("union", UNIONS)
def test_every_message_reads_back_as_it_was_written(union):
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(union)

    @given(st.data())
    def reads_back(data):
        kind = data.draw(st.sampled_from(get_args(union)))
        message = kind(**{field.name: data.draw(values(field.type)) for field in msgspec.structs.fields(kind)})
        again = decoder.decode(encoder.encode(message))
        assert again == message
        assert type(again) is kind
        assert encoder.encode(again) == encoder.encode(message)

    reads_back()


def values(annotation: object) -> st.SearchStrategy[object]:
    """Values of one field's type: our NewTypes are integers and text of a bounded kind."""
    annotation = getattr(annotation, "__supertype__", annotation)
    if annotation is int:
        return st.integers(-(2**63), 2**63 - 1)
    if annotation is str:
        return st.text(max_size=8)
    if annotation is bool:
        return st.booleans()
    if inspect.isclass(annotation) and issubclass(annotation, IntEnum):
        return st.sampled_from(list(annotation))
    if inspect.isclass(annotation) and issubclass(annotation, msgspec.Struct):
        return st.builds(annotation, **{field.name: values(field.type) for field in msgspec.structs.fields(annotation)})
    inner = get_args(annotation)
    assert inner, f"no values for {annotation}"
    if len(inner) == 2 and inner[1] is Ellipsis:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    return st.tuples(*[values(one) for one in inner])


def test_a_decoder_refuses_a_message_it_does_not_know():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"type":"OrderGuessed","ts_event_ns":1,"ts_recv_ns":1}', type=events.Event)


def test_sides_are_the_signs_of_the_positions_they_make():
    assert (Side.BUY, Side.SELL) == (1, -1)
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
    assert [side.label for side in Side] == ["buy", "sell"]
    assert [kind.label for kind in Liquidity] == ["maker", "taker"]
    assert [kind.label for kind in FactKind] == [
        *("transfer", "fill", "funding", "liquidation", "deleveraging", "correction")
    ]
    assert [cause.label for cause in FillCause] == ["order", "liquidation", "deleveraging"]
    assert [cause.label for cause in CorrectionCause] == ["none", "late_fill", "unexplained", "explained"]


def test_equal_quotes_are_equal_and_hash_alike():
    assert {Quote(Price(5), Lots(2)), Quote(Price(5), Lots(2))} == {Quote(Price(5), Lots(2))}


@pytest.mark.parametrize(("bid", "ask", "mid_x2"), [(100, 103, 203), (0, 103, 0), (100, 0, 0), (0, 0, 0)])
def test_the_mid_is_known_only_between_two_sides(bid, ask, mid_x2):
    view = views.MarketView("BTC", Price(bid), Lots(1), Price(ask), Lots(1), Price(0), Price(0), Rate(0), 1)
    assert view.mid_x2 == mid_x2


def test_leaves_are_what_is_not_filled_yet():
    view = views.WorkingOrderView(
        client_order_id(7, 1), Side.BUY, Price(100), Lots(10), Lots(4), State.PARTIALLY_FILLED
    )
    assert view.leaves_lots == 6
