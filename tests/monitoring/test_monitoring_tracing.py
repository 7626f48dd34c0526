"""Traces: one per order, named after it, with the runbook's spans on the right times."""

from collections import Counter

from domain.events import TimerFired
from domain.identifiers import NO_ORDER, trace_id
from domain.lifecycle import State, Trigger
from domain.notices import FactNoted
from domain.reasons import Reason
from domain.units import NS_PER_MS
from monitoring.observe import Observation
from monitoring.records import Describer
from monitoring.spans import SpanRecord, SpanSink
from monitoring.tracing import OrderTracer
from tests.monitoring.observations import (
    INSTRUMENTS,
    T0,
    accepted,
    cancel_asked,
    canceled,
    created,
    fill,
    life,
    moved,
    order,
    precheck,
    rejected,
    risk,
    sent,
    step,
    top,
)

MS = NS_PER_MS


def traced(*observations: Observation, open_max: int = 100) -> tuple[SpanSink, OrderTracer]:
    sink = SpanSink({}, seed=1)
    tracer = OrderTracer(sink, Describer(INSTRUMENTS), open_max)
    for one in observations:
        tracer.take(one.event, one.notices, one.started_ns, one.ended_ns, one.stages)
    return sink, tracer


def spans(sink: SpanSink, sequence: int) -> dict[str, SpanRecord]:
    """The spans of one order by name; names that repeat keep the last by start time."""
    return {span.name: span for span in sink.ring.trace(trace_id(order(sequence)))}


def offsets(span: SpanRecord) -> tuple[int, int]:
    return span.start_ns - T0, span.end_ns - T0


def test_order_has_one_trace_named_after_it_with_every_span() -> None:
    sink, tracer = traced(*life(1))
    assert (trace_id(order(1)),) == sink.ring.recent()
    assert {
        "order_lifecycle",
        "market_data",
        "risk_calculation",
        "api_validation",
        "routing",
        "exchange",
        "state_transitions",
        "submitted",
        "open",
    } == set(spans(sink, 1))
    assert (0, sink.ended) == (tracer.open_count, len(sink.ring))


def test_spans_stand_on_engine_time_with_measured_durations_inside_the_step() -> None:
    found = spans(traced(*life(1))[0], 1)
    assert {
        "order_lifecycle": (0, 100 * MS),
        "market_data": (0, 30_000),
        "risk_calculation": (30_000, 50_000),
        "api_validation": (55_000, 65_000),
        "routing": (65_000, 100_000),
        "exchange": (0, 20 * MS),
        "state_transitions": (0, 100 * MS),
        "submitted": (0, 20 * MS),
        "open": (20 * MS, 100 * MS),
    } == {name: offsets(span) for name, span in found.items()}


def test_spans_form_one_tree() -> None:
    found = spans(traced(*life(1))[0], 1)
    root = found["order_lifecycle"]
    assert root.parent_id == ""
    below_transitions = {"submitted", "open"}
    for name, span in found.items():
        if name in below_transitions:
            assert found["state_transitions"].span_id == span.parent_id
        elif span is not root:
            assert root.span_id == span.parent_id
    assert len({span.span_id for span in found.values()}) == len(found)


def test_every_move_is_an_event_with_states_and_reason() -> None:
    transitions = spans(traced(*life(1))[0], 1)["state_transitions"]
    assert [
        "idle -> signal",
        "signal -> risk_approved",
        "risk_approved -> validated",
        "validated -> submitted",
        "submitted -> open",
        "open -> filled",
    ] == [event.name for event in transitions.events]
    assert {
        "from_state": "open",
        "to_state": "filled",
        "trigger": "fill_complete",
        "reason": "none",
        "filled_quantity": "0.01",
    } == dict(transitions.events[-1].attributes)
    assert transitions.events[-1].ts_ns == T0 + 100 * MS


def test_root_tells_the_order_its_fills_and_its_outcome() -> None:
    root = spans(traced(*life(1))[0], 1)["order_lifecycle"]
    assert {
        "client_order_id": order(1),
        "symbol": "BTC",
        "side": "buy",
        "price": "64250.5",
        "quantity": "0.01",
        "post_only": True,
        "reduce_only": False,
        "outcome": "filled",
    } == dict(root.attributes)
    assert ["fill"] == [event.name for event in root.events]
    assert not root.is_error


def test_market_data_span_tells_the_feeds_latency() -> None:
    span = spans(traced(*life(1))[0], 1)["market_data"]
    assert {"event": "TopOfBookChanged", "feed_latency_ns": MS} == dict(span.attributes)


def test_two_orders_of_one_step_get_their_own_measured_times() -> None:
    one, two = sent(order(1)), sent(order(2))
    later = tuple((name, start + 100_000, end + 100_000) for name, start, end in two.stages)
    sink, _ = traced(
        Observation(one.event, one.notices + two.notices, 1_000_000, 1_300_000, one.stages + later),
        *life(1)[1:],
        *life(2)[1:],
    )
    assert (30_000, 50_000) == offsets(spans(sink, 1)["risk_calculation"])
    assert (130_000, 150_000) == offsets(spans(sink, 2)["risk_calculation"])
    assert (155_000, 165_000) == offsets(spans(sink, 2)["api_validation"])


def test_rejection_marks_the_exchange_span_and_the_root_in_the_venues_words() -> None:
    found = spans(traced(sent(order(1)), rejected(order(1), T0 + 9 * MS, 9 * MS))[0], 1)
    assert found["exchange"].is_error
    assert found["exchange"].description.startswith("Post only order would have immediately matched")
    assert found["order_lifecycle"].is_error
    assert found["order_lifecycle"].attributes["outcome"] == "rejected"


def test_denied_order_ends_where_it_began_without_an_exchange_span() -> None:
    notices = (
        created(order(1)),
        moved(order(1), State.IDLE, Trigger.WANT, State.SIGNAL),
        risk(order(1), Reason.LEVERAGE),
        moved(order(1), State.SIGNAL, Trigger.DENY, State.DENIED, reason=Reason.LEVERAGE),
    )
    found = spans(traced(step(top(), *notices))[0], 1)
    assert {"order_lifecycle", "market_data", "risk_calculation", "state_transitions"} == set(found)
    assert (0, 0) == offsets(found["order_lifecycle"])
    assert found["risk_calculation"].attributes["reason"] == "leverage"
    assert found["order_lifecycle"].attributes["outcome"] == "denied"


def test_cancel_is_a_second_exchange_span() -> None:
    sink, _ = traced(
        sent(order(1)),
        accepted(order(1), T0 + 20 * MS, 20 * MS),
        cancel_asked(order(1), T0 + 50 * MS, 30 * MS),
        canceled(order(1), T0 + 60 * MS, 10 * MS),
    )
    asked = [span for span in sink.ring.trace(trace_id(order(1))) if span.name == "exchange"]
    assert [("place", (0, 20 * MS)), ("cancel", (50 * MS, 60 * MS))] == [
        (span.attributes["request"], offsets(span)) for span in asked
    ]
    assert "pending_cancel" in spans(sink, 1)


def test_replacement_has_risk_validation_routing_and_exchange_again() -> None:
    ts_ns = T0 + 50 * MS
    asked = Observation(
        top(ts_ns),
        (
            risk(order(1), Reason.NONE, ts_ns),
            precheck(order(1), Reason.NONE, ts_ns),
            moved(order(1), State.OPEN, Trigger.REQUEST_REPLACE, State.PENDING_REPLACE, ts_ns, lasted_ns=30 * MS),
        ),
        0,
        90_000,
        (("risk_calculation", 10_000, 30_000), ("api_validation", 40_000, 60_000)),
    )
    refused = step(
        top(T0 + 70 * MS),
        moved(
            order(1),
            State.PENDING_REPLACE,
            Trigger.REFUSE_REPLACE,
            State.UNKNOWN,
            T0 + 70 * MS,
            lasted_ns=20 * MS,
            reason=Reason.VENUE_POST_ONLY,
        ),
    )
    sink, tracer = traced(sent(order(1)), accepted(order(1), T0 + 20 * MS, 20 * MS), asked, refused)
    names = Counter(span.name for span in sink.ring.trace(trace_id(order(1))))
    assert {"risk_calculation": 2, "api_validation": 2, "routing": 2, "exchange": 2} == {
        name: names[name] for name in ("risk_calculation", "api_validation", "routing", "exchange")
    }
    found = spans(sink, 1)
    assert (50 * MS + 60_000, 50 * MS + 90_000) == offsets(found["routing"])
    assert "replace" == found["exchange"].attributes["request"]
    assert Reason.VENUE_POST_ONLY.sentence == found["exchange"].description
    assert 1 == tracer.open_count


def test_order_met_in_mid_life_gets_a_resumed_root_in_its_own_trace() -> None:
    sink, _ = traced(canceled(order(9), T0 + 60 * MS, 10 * MS))
    root = spans(sink, 9)["order_lifecycle"]
    assert root.attributes["resumed"]
    assert (50 * MS, 60 * MS) == offsets(root)


def test_fill_after_the_end_adds_to_the_same_trace() -> None:
    late = step(top(T0 + 200 * MS), fill(order(1), T0 + 200 * MS))
    sink, tracer = traced(*life(1), late)
    roots = [span for span in sink.ring.trace(trace_id(order(1))) if span.name == "order_lifecycle"]
    assert [False, True] == ["resumed" in root.attributes for root in roots]
    assert ["fill"] == [event.name for event in roots[1].events]
    assert 0 == tracer.open_count


def test_fill_that_no_order_asked_for_makes_no_trace() -> None:
    sink, tracer = traced(step(top(), fill(NO_ORDER), FactNoted(NO_ORDER, Reason.FILL_WITHOUT_ORDER, ts_ns=T0)))
    assert (0, 0) == (len(sink.ring), tracer.open_count)


def test_request_repeated_ends_the_earlier_exchange_span() -> None:
    sink, _ = traced(
        cancel_asked(order(1), T0, 0),
        cancel_asked(order(1), T0 + 5 * MS, 0),
        canceled(order(1), T0 + 9 * MS, 4 * MS),
    )
    asked = [span for span in sink.ring.trace(trace_id(order(1))) if span.name == "exchange"]
    assert [(0, 5 * MS), (5 * MS, 9 * MS)] == [offsets(span) for span in asked]


def test_order_that_ends_unanswered_leaves_no_open_span() -> None:
    """A cancel that overtakes the placement's answer: the end of the order ends both requests."""
    sink, tracer = traced(
        sent(order(1)),
        step(
            top(T0 + MS),
            moved(order(1), State.SUBMITTED, Trigger.REQUEST_CANCEL, State.PENDING_CANCEL, T0 + MS, lasted_ns=MS),
        ),
        canceled(order(1), T0 + 3 * MS, 2 * MS),
    )
    assert (0, sink.ended) == (tracer.open_count, len(sink.ring))
    assert 2 == sum(span.name == "exchange" for span in sink.ring.trace(trace_id(order(1))))


def test_open_traces_are_bounded_and_the_oldest_is_marked_incomplete() -> None:
    sink, tracer = traced(*(sent(order(number)) for number in range(1, 6)), open_max=3)
    assert 3 == tracer.open_count
    assert "incomplete" == spans(sink, 1)["order_lifecycle"].attributes["remark"]
    assert "order_lifecycle" not in spans(sink, 5)


def test_close_ends_what_is_open() -> None:
    sink, tracer = traced(sent(order(1)))
    tracer.close()
    root = spans(sink, 1)["order_lifecycle"]
    assert ("open", "incomplete") == (root.attributes["outcome"], root.attributes["remark"])
    assert 0 == tracer.open_count


def test_step_without_measured_stages_has_spans_without_duration() -> None:
    notices = (created(order(1)), risk(order(1)), precheck(order(1)))
    event = TimerFired("pulse", ts_event_ns=T0, ts_recv_ns=T0)
    found = spans(traced(step(event, *notices))[0], 1)
    assert [(0, 0), (0, 0)] == [offsets(found[name]) for name in ("risk_calculation", "api_validation")]


def test_same_events_give_the_same_spans() -> None:
    def told() -> list[SpanRecord]:
        sink, _ = traced(*life(1), *life(2), sent(order(3)), rejected(order(3), T0 + 9 * MS, 9 * MS))
        return [span for sequence in (1, 2, 3) for span in sink.ring.trace(trace_id(order(sequence)))]

    first = told()
    assert len(first) > 20
    assert first == told()
