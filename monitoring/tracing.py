"""One trace per order: notices become spans, and the trace id is the client order id.

The tree of one order:

    order_lifecycle                 from the wish to its end
      market_data                   the step's work before risk: taking the event in, asking the strategy
      risk_calculation              measured; again for every replacement
      api_validation                measured; likewise
      routing                       from the pre-check to the end of the step: the command is on its way
      exchange                      one per request (place, cancel, replace): from asking to the venue's answer
      state_transitions             an event per move; below it one span per state that lasted

Rule 1: spans stand on engine time; inside one step, measured offsets are added to it, so durations are true and two
runs over the same events give the same tree. Rule 2: an order first met in mid-life (a restart, lost telemetry) gets a
root marked `resumed`. Rule 3: open traces are bounded. Source of the names: seed 004, "Trace Spans".
"""

from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from domain.events import Event
from domain.identifiers import NO_ORDER, ClientOrderId, trace_id
from domain.lifecycle import TERMINAL, State, Trigger
from domain.notices import FillBooked, Notice, OrderCreated, OrderTransitioned, PrecheckDecided, RiskDecided
from domain.reasons import Reason
from monitoring.measure import Stage, StageTimes
from monitoring.records import Describer
from monitoring.spans import SpanSink

OPEN_TRACES_MAX = 4_096

REQUESTS = {Trigger.SUBMIT: "place", Trigger.REQUEST_CANCEL: "cancel", Trigger.REQUEST_REPLACE: "replace"}
ANSWERS = {
    Trigger.ACCEPT: ("place",),
    Trigger.REJECT: ("place",),
    Trigger.FILL_PARTIAL: ("place",),
    Trigger.FILL_COMPLETE: ("place",),
    Trigger.EXPIRE: ("place",),
    Trigger.FIND_OPEN: ("place",),
    Trigger.CONFIRM_CANCEL: ("cancel",),
    Trigger.REFUSE_CANCEL: ("cancel",),
    Trigger.CONFIRM_REPLACE: ("replace",),
    Trigger.REFUSE_REPLACE: ("replace",),
    Trigger.LOSE: ("place", "cancel", "replace"),
}
FAILURES = frozenset({Trigger.REJECT, Trigger.REFUSE_CANCEL, Trigger.REFUSE_REPLACE, Trigger.LOSE})
Attributes = dict[str, AttributeValue]


class OpenTrace:
    """The spans of one order that have not ended."""

    __slots__ = ("below_root", "below_transitions", "exchange", "last_ns", "root", "transitions", "validated_ns")

    def __init__(self, root: Span, transitions: Span, start_ns: int) -> None:
        """Hold the two long spans of an order."""
        self.root = root
        self.transitions = transitions
        self.below_root: Context = set_span_in_context(root, Context())
        self.below_transitions: Context = set_span_in_context(transitions, Context())
        self.exchange: dict[str, Span] = {}
        self.validated_ns = start_ns
        self.last_ns = start_ns


class Clockwork:
    """Places the measured parts of one step on engine time."""

    __slots__ = ("_base_ns", "_ready", "end_ns", "feed_latency_ns", "first_ns", "start_ns")

    def __init__(self, event: Event, started_ns: int, ended_ns: int, stages: StageTimes) -> None:
        """Read one step's measured times; they share a clock, which need not be the engine's."""
        self._base_ns = event.ts_recv_ns - started_ns
        self.start_ns = event.ts_recv_ns
        self.end_ns = self._base_ns + ended_ns
        self.feed_latency_ns = event.ts_recv_ns - event.ts_event_ns
        self.first_ns = self._base_ns + stages[0][1] if stages else self.start_ns
        self._ready: dict[str, list[tuple[int, int]]] = {}
        for name, begun_ns, done_ns in reversed(stages):
            self._ready.setdefault(name, []).append((self._base_ns + begun_ns, self._base_ns + done_ns))

    def next(self, stage: Stage) -> tuple[int, int]:
        """Return start and end of the next measured run of a stage; both the step's start when it was not measured."""
        times = self._ready.get(stage)
        return times.pop() if times else (self.start_ns, self.start_ns)


class OrderTracer:
    """Builds every order's trace from notices; owned by the observer's thread."""

    def __init__(self, sink: SpanSink, describer: Describer, open_max: int = OPEN_TRACES_MAX) -> None:
        """Write spans to a sink."""
        self._sink = sink
        self._describer = describer
        self._open_max = open_max
        self._open: dict[ClientOrderId, OpenTrace] = {}

    def take(
        self, event: Event, notices: Iterable[Notice], started_ns: int, ended_ns: int, stages: StageTimes = ()
    ) -> None:
        """Build the spans of one step."""
        clock = Clockwork(event, started_ns, ended_ns, stages)
        ending: dict[ClientOrderId, State] = {}
        for notice in notices:
            match notice:
                case OrderCreated():
                    self._created(notice, event, clock)
                case RiskDecided():
                    self._decided(notice, Stage.RISK_CALCULATION, clock)
                case PrecheckDecided():
                    self._decided(notice, Stage.API_VALIDATION, clock)
                case OrderTransitioned(client_order_id=order_id):
                    self._moved(notice, clock)
                    if notice.to_state in TERMINAL:
                        ending[order_id] = notice.to_state
                case FillBooked(client_order_id=order_id) if order_id != NO_ORDER:
                    if order_id not in self._open:
                        ending.setdefault(order_id, State.FILLED)
                    self._filled(notice)
                case _:
                    pass
        for order_id, state in ending.items():
            self._end(order_id, state.label, "")

    @property
    def open_count(self) -> int:
        """Orders whose trace has not ended."""
        return len(self._open)

    def close(self) -> None:
        """End every open trace, marked incomplete: the process ends before the orders do."""
        for order_id in tuple(self._open):
            self._end(order_id, "open", "incomplete")

    def _start(self, name: str, parent: Context, start_ns: int, attributes: Attributes) -> Span:
        return self._sink.tracer.start_span(name, parent, attributes=attributes, start_time=start_ns)

    def _finish(self, span: Span, end_ns: int) -> None:
        span.end(end_ns)
        self._sink.ended += 1

    def _child(self, name: str, parent: Context, times: tuple[int, int], attributes: Attributes) -> Span:
        span = self._start(name, parent, times[0], attributes)
        self._finish(span, times[1])
        return span

    def _begin(self, order_id: ClientOrderId, start_ns: int, attributes: Attributes) -> OpenTrace:
        if len(self._open) >= self._open_max:
            self._end(next(iter(self._open)), "open", "incomplete")
        self._sink.ids.trace_id = trace_id(order_id)
        root = self._start("order_lifecycle", Context(), start_ns, {"client_order_id": order_id, **attributes})
        transitions = self._start("state_transitions", set_span_in_context(root, Context()), start_ns, {})
        trace = self._open[order_id] = OpenTrace(root, transitions, start_ns)
        return trace

    def _find(self, order_id: ClientOrderId, symbol: str, ts_ns: int) -> OpenTrace:
        trace = self._open.get(order_id)
        return self._begin(order_id, ts_ns, {"symbol": symbol, "resumed": True}) if trace is None else trace

    def _created(self, notice: OrderCreated, event: Event, clock: Clockwork) -> None:
        trace = self._begin(
            notice.client_order_id,
            notice.ts_ns,
            {
                "symbol": notice.symbol,
                "side": notice.side.label,
                "price": self._describer.price(notice.symbol, notice.price),
                "quantity": self._describer.quantity(notice.symbol, notice.lots),
                "post_only": notice.post_only,
                "reduce_only": notice.reduce_only,
            },
        )
        facts: Attributes = {"event": type(event).__name__, "feed_latency_ns": clock.feed_latency_ns}
        self._child("market_data", trace.below_root, (clock.start_ns, clock.first_ns), facts)
        trace.last_ns = max(trace.last_ns, clock.first_ns)

    def _decided(self, notice: RiskDecided | PrecheckDecided, stage: Stage, clock: Clockwork) -> None:
        times = clock.next(stage)
        trace = self._find(notice.client_order_id, notice.symbol, notice.ts_ns)
        facts: Attributes = {"reason": notice.reason.label, "limit": notice.limit, "observed": notice.observed}
        if isinstance(notice, RiskDecided):
            facts["quantity_asked"] = self._describer.quantity(notice.symbol, notice.lots_asked)
            facts["quantity_approved"] = self._describer.quantity(notice.symbol, notice.lots_approved)
        else:
            trace.validated_ns = times[1]
        self._child(stage.value, trace.below_root, times, facts)
        trace.last_ns = max(trace.last_ns, times[1])

    def _moved(self, notice: OrderTransitioned, clock: Clockwork) -> None:
        trace = self._find(notice.client_order_id, notice.symbol, notice.ts_ns - notice.time_in_state_ns)
        trace.last_ns = max(trace.last_ns, notice.ts_ns)
        facts: Attributes = {
            "from_state": notice.from_state.label,
            "to_state": notice.to_state.label,
            "trigger": notice.trigger.label,
            "reason": notice.reason.label,
            "filled_quantity": self._describer.quantity(notice.symbol, notice.filled_lots),
        }
        trace.transitions.add_event(f"{notice.from_state.label} -> {notice.to_state.label}", facts, notice.ts_ns)
        if notice.time_in_state_ns > 0 and notice.to_state is not notice.from_state:
            lasted = (notice.ts_ns - notice.time_in_state_ns, notice.ts_ns)
            self._child(notice.from_state.label, trace.below_transitions, lasted, facts)
        self._answered(trace, notice)
        request = REQUESTS.get(notice.trigger)
        if request is not None:
            self._requested(trace, request, clock)

    def _requested(self, trace: OpenTrace, request: str, clock: Clockwork) -> None:
        if request != "cancel":
            start_ns = max(trace.validated_ns, clock.start_ns)
            times = (start_ns, max(start_ns, clock.end_ns))
            self._child("routing", trace.below_root, times, {"request": request})
            trace.last_ns = max(trace.last_ns, times[1])
        earlier = trace.exchange.pop(request, None)
        if earlier is not None:
            self._finish(earlier, clock.start_ns)
        trace.exchange[request] = self._start("exchange", trace.below_root, clock.start_ns, {"request": request})

    def _answered(self, trace: OpenTrace, notice: OrderTransitioned) -> None:
        for request in ANSWERS.get(notice.trigger, ()):
            span = trace.exchange.pop(request, None)
            if span is None:
                continue
            span.set_attribute("answer", notice.trigger.label)
            span.set_attribute("venue_order_id", notice.venue_order_id)
            if notice.trigger in FAILURES:
                span.set_status(Status(StatusCode.ERROR, _sentence(notice)))
            self._finish(span, notice.ts_ns)
        if notice.to_state is State.REJECTED:
            trace.root.set_status(Status(StatusCode.ERROR, _sentence(notice)))

    def _filled(self, notice: FillBooked) -> None:
        trace = self._find(notice.client_order_id, notice.symbol, notice.ts_ns)
        trace.last_ns = max(trace.last_ns, notice.ts_ns)
        facts: Attributes = {
            "trade_id": notice.trade_id,
            "price": self._describer.price(notice.symbol, notice.price),
            "quantity": self._describer.quantity(notice.symbol, notice.lots),
            "liquidity": notice.liquidity.label,
        }
        trace.root.add_event("fill", facts, notice.ts_ns)

    def _end(self, order_id: ClientOrderId, outcome: str, remark: str) -> None:
        trace = self._open.pop(order_id, None)
        if trace is None:
            return
        for span in trace.exchange.values():
            self._finish(span, trace.last_ns)
        self._finish(trace.transitions, trace.last_ns)
        trace.root.set_attribute("outcome", outcome)
        if remark:
            trace.root.set_attribute("remark", remark)
        self._finish(trace.root, trace.last_ns)


def _sentence(notice: OrderTransitioned) -> str:
    return notice.detail or ("" if notice.reason is Reason.NONE else notice.reason.sentence)
