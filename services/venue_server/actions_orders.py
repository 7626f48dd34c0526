"""Actions about orders: place, cancel, modify, TWAP.

Laws: one status for each order of a batch, in its order, or one alone when the batch is refused before anybody looks
at the book; errors about one order end in ` asset=N` (HYPERLIQUID 3.2, 3.3, 3.5, 3.6).
"""

from msgspec import UNSET

from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelAction,
    CancelByNameAction,
    ModifyAction,
    OrderTerms,
    PlaceAction,
    Priority,
    Status,
)
from exchange.simulated import refusals
from exchange.simulated.records import Grouping, OrderResult, Surcharge, Terms
from exchange.simulated.venue import Venue
from services.venue_server import texts
from services.venue_server.answer import Answer
from services.venue_server.conditions import Conditions
from services.venue_server.counter_settings import OpenQuestions
from services.venue_server.gate import Entry
from services.venue_server.order_terms import status_of, surcharge_of, terms_of
from services.venue_server.replies import DEFAULT, data_reply, done, refused, statuses_reply
from services.venue_server.wire_other_actions import TwapCancel, TwapOrder


class OrderActions:
    """Carries out what is asked about orders."""

    def __init__(self, venue: Venue, questions: OpenQuestions, conditions: Conditions) -> None:
        """Know the venue and the number of each coin."""
        self._venue = venue
        self._questions = questions
        self._conditions = conditions
        self.symbols = {market.instrument.asset_id: symbol for symbol, market in venue.markets.items()}

    def place(self, entry: Entry, action: PlaceAction, now_ns: int) -> Answer:
        """Place the orders of an action."""
        text = self._action_objection(entry, action, now_ns)
        if text:
            return self._one_for_all(text, entry.batch)
        per_order = self._objections(entry, action, now_ns)
        wanted: list[Terms] = []
        surcharge = surcharge_of(action)
        for index, order in enumerate(action.orders):
            terms = self._terms(order, surcharge)
            if isinstance(terms, Terms):
                if not per_order[index]:
                    wanted.append(terms)
            elif terms != refusals.INVALID_TICK or action.grouping != Grouping.NONE:
                return self._one_for_all(terms, entry.batch)
            else:
                per_order[index] = per_order[index] or terms
        grouping = Grouping(action.grouping) if isinstance(action.grouping, str) else Grouping.NONE
        results = self._venue.place(entry.account, wanted, grouping, now_ns) if wanted else []
        if len(results) == 1 and results[0].is_batch:
            refusal = results[0].refusal
            return self._one_for_all(refusal.text if refusal is not None else refusals.EMPTY_BATCH, entry.batch)
        left = iter(results)
        statuses = [
            self._error(text, order.asset) if text else self._status(next(left), order.asset)
            for order, text in zip(action.orders, per_order, strict=True)
        ]
        return done(statuses_reply("order", statuses), entry.batch)

    def _action_objection(self, entry: Entry, action: PlaceAction, now_ns: int) -> str:
        """Return what speaks against the whole action, whatever its orders say."""
        if self._conditions.is_halted(now_ns):
            return texts.HALTED
        if not action.orders:
            return refusals.EMPTY_BATCH
        if any(order.asset not in self.symbols for order in action.orders):
            return refusals.UNKNOWN_ASSET
        builder = action.builder
        if builder is not UNSET:
            most = entry.master.builders.get(builder.address.lower(), -1)
            if not 0 <= builder.fee_tenths_bp <= most:
                return texts.NO_BUILDER
        return ""

    def _objections(self, entry: Entry, action: PlaceAction, now_ns: int) -> list[str]:
        """Return for each order what speaks against it before the venue sees it; empty for nothing."""
        if isinstance(action.grouping, Priority) and action.grouping.bid:
            # Paid from staked HYPE, which nobody has here.
            return [texts.NO_STAKE] * entry.batch
        if not self._conditions.is_post_only(now_ns):
            return [""] * entry.batch
        return ["" if _is_post_only(order) else texts.ONLY_POST_ONLY for order in action.orders]

    def cancel(self, entry: Entry, action: CancelAction | CancelByNameAction, now_ns: int) -> Answer:
        """Cancel orders by number or name."""
        statuses: list[Status | str] = []
        for cancel in action.cancels:
            target = cancel.client_order_id.lower() if hasattr(cancel, "client_order_id") else cancel.order_id
            symbol = self.symbols.get(cancel.asset, "")
            refusal = self._venue.cancel(entry.account, symbol, target, now_ns)
            statuses.append("success" if refusal is None else self._error(refusal.text, cancel.asset))
        if not statuses:
            return self._one_for_all(refusals.EMPTY_BATCH, 0, kind="cancel")
        return done(statuses_reply("cancel", statuses), entry.batch)

    def modify(self, entry: Entry, action: ModifyAction, now_ns: int) -> Answer:
        """Replace one order; the answer says only whether."""
        result = self._modified(entry, action.target, action.order, now_ns, always_place=action.always_place is True)
        if isinstance(result, str):
            return refused(result)
        if result.refusal is None:
            return done(DEFAULT)
        prefix = texts.MODIFY_FAILED if result.is_gone else ""
        suffix = f" asset={action.order.asset}" if result.is_gone and self._questions.appends_asset else ""
        return refused(prefix + result.refusal.text + suffix)

    def batch_modify(self, entry: Entry, action: BatchModifyAction, now_ns: int) -> Answer:
        """Replace orders."""
        if not action.modifies:
            return self._one_for_all(refusals.EMPTY_BATCH, 0)
        statuses = []
        for one in action.modifies:
            always_place = one.always_place is True or action.always_place is True
            result = self._modified(entry, one.target, one.order, now_ns, always_place=always_place)
            asset = one.order.asset
            statuses.append(self._error(result, asset) if isinstance(result, str) else self._status(result, asset))
        return done(statuses_reply("order", statuses), entry.batch)

    def _modified(
        self, entry: Entry, target: int | str, order: OrderTerms, now_ns: int, *, always_place: bool
    ) -> OrderResult | str:
        """Let the venue replace an order, or return why it is not even asked."""
        if self._conditions.is_halted(now_ns):
            return texts.HALTED
        if order.asset not in self.symbols:
            return refusals.UNKNOWN_ASSET
        if self._conditions.is_post_only(now_ns) and always_place and not _is_post_only(order):
            return texts.ONLY_POST_ONLY
        terms = self._terms(order)
        if isinstance(terms, str):
            return terms
        if isinstance(target, str):
            target = target.lower()
        return self._venue.modify(entry.account, target, terms, now_ns, always_place=always_place)

    def twap(self, action: TwapOrder) -> Answer:
        """Refuse a TWAP order: this venue runs none, and says so as about an impossible one."""
        text = texts.TWAP_DURATION.format(minutes=action.twap.minutes)
        return done(data_reply("twapOrder", {"status": {"error": text}}))

    def cancel_twap(self, action: TwapCancel) -> Answer:  # noqa: ARG002
        """Refuse to cancel a TWAP order: there is none."""
        return done(data_reply("twapCancel", {"status": {"error": texts.TWAP_GONE}}))

    def _terms(self, order: OrderTerms, surcharge: Surcharge | None = None) -> Terms | str:
        return terms_of(order, self._venue.markets[self.symbols[order.asset]].instrument, surcharge)

    def _status(self, result: OrderResult, asset: int) -> Status | str:
        """Return what became of one order."""
        if result.refusal is not None:
            return self._error(result.refusal.text, asset)
        instrument = self._venue.markets[self.symbols[asset]].instrument
        return status_of(result, instrument, partial_rests=self._questions.reports_partial_as_resting)

    def _error(self, text: str, asset: int) -> Status:
        return Status(error=f"{text} asset={asset}" if self._questions.appends_asset else text)

    @staticmethod
    def _one_for_all(text: str, batch: int, kind: str = "order") -> Answer:
        return done(statuses_reply(kind, [Status(error=text)]), batch)


def _is_post_only(order: OrderTerms) -> bool:
    return order.kind.limit is not UNSET and order.kind.limit.time_in_force == "Alo"
