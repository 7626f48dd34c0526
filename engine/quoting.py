"""From a market that moved to commands: strategy, maker router, risk manager, pre-check, in this order.

The life of a wish: the strategy wants quotes; `router.maker.plan` compares them with our working orders; each new or
changed order is signed by the risk gate and looked at by the pre-check; only then a command exists. A denied wish is
not repeated unchanged before `denial_pause_ns` has passed.
"""

from domain.commands import CancelOrder, PlaceOrder, ReplaceOrder
from domain.identifiers import ClientOrderId
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import OrderCreated, PrecheckDecided, QuotesDecided, RiskDecided
from domain.order import Approved, Denial, OrderIntent, Quote, Side, TimeInForce, WantedQuotes
from domain.reasons import Reason
from domain.units import Lots, Money, Price, money_times_rate
from engine.market import Market
from engine.state import EngineState, Refusals
from engine.strategy import StrategyView
from router.maker import backed_off, plan
from router.working_orders import Order


def look(state: EngineState, market: Market) -> None:
    """Quote on a market whose best prices changed, if the strategy says that it is due."""
    symbol = market.instrument.symbol
    if state.strategy.is_due(symbol, state.now_ns, market.mid_x2, state.book.position_lots(symbol)):
        quote(state, market)


def quote(state: EngineState, market: Market) -> None:
    """Ask the strategy what to show on one market and route what changed. Does nothing unless we may trade."""
    if state.mode is not Mode.TRADING and state.mode is not Mode.REDUCING:
        return
    instrument = market.instrument
    symbol = instrument.symbol
    if market.is_stale(state.now_ns, state.settings.limits.market_data_age_ns_max):
        return
    wanted = state.strategy.quotes(
        StrategyView(
            instrument,
            market.view(),
            market.bids,
            market.asks,
            Lots(state.book.position_lots(symbol)),
            Money(state.equity_marked),
            state.now_ns,
        )
    )
    if wanted is not None:
        show(state, market, wanted if state.mode is Mode.TRADING else _reducing(state, wanted))


def _reducing(state: EngineState, wanted: WantedQuotes) -> WantedQuotes:
    """Return what of a wish closes our position and no more: one side, best quotes first; nothing when flat."""
    position = state.book.position_lots(wanted.symbol)
    room, kept = abs(position), []
    for one in wanted.asks if position > 0 else wanted.bids:
        lots = min(one.lots, room)
        if lots:
            kept.append(Quote(one.price, Lots(lots)))
            room -= lots
    return WantedQuotes(wanted.symbol, () if position > 0 else tuple(kept), tuple(kept) if position > 0 else ())


def show(state: EngineState, market: Market, wanted: WantedQuotes) -> None:
    """Bring the working orders to the wanted quotes with the fewest actions."""
    symbol = market.instrument.symbol
    live = state.orders.live(symbol)
    working = [order.view() for order in live.values()]
    todo = plan(_eased(state, market, wanted), working, market.instrument, state.settings.maker, market.view())
    if not (todo.cancels or todo.replaces or todo.places):
        return
    places = [(side, wish) for side, wish in todo.places if not _is_paused(state, symbol, side, wish)]
    if not (todo.cancels or todo.replaces or places):
        return
    state.notices.append(
        QuotesDecided(
            symbol,
            tuple((one.price, one.lots) for one in wanted.bids),
            tuple((one.price, one.lots) for one in wanted.asks),
            market.mid_x2,
            ts_ns=state.now_ns,
        )
    )
    for order_id in todo.cancels:
        cancel(state, live[order_id], Reason.NOT_WANTED)
    for order_id, wish in todo.replaces:
        replace(state, market, live[order_id], wish)
    for side, wish in places:
        _place_wish(state, market, side, wish)


def _eased(state: EngineState, market: Market, wanted: WantedQuotes) -> WantedQuotes:
    """Return the wish, on each side as many ticks further out as recent post-only refusals ask for."""
    symbol, now_ns = market.instrument.symbol, state.now_ns
    buys, sells = state.refusals[symbol, Side.BUY], state.refusals[symbol, Side.SELL]
    if now_ns >= buys.until_ns and now_ns >= sells.until_ns:
        return wanted

    def ease(side: Side, quotes: tuple[Quote, ...], refusals: Refusals) -> tuple[Quote, ...]:
        ticks = refusals.ticks_out if now_ns < refusals.until_ns else 0
        return tuple(Quote(backed_off(side, one.price, market.instrument, ticks), one.lots) for one in quotes)

    return WantedQuotes(symbol, ease(Side.BUY, wanted.bids, buys), ease(Side.SELL, wanted.asks, sells))


def _is_paused(state: EngineState, symbol: str, side: Side, wish: Quote) -> bool:
    refusals = state.refusals[symbol, side]
    return bool(refusals.wishes) and refusals.forbids(wish.price, wish.lots, state.now_ns)


def _place_wish(state: EngineState, market: Market, side: Side, wish: Quote) -> None:
    intent = OrderIntent(
        symbol=market.instrument.symbol,
        side=side,
        price=wish.price,
        lots=wish.lots,
        # Our book may be what is wrong: then the venue itself must not let the order do more than reduce.
        reduce_only=state.mode is Mode.REDUCING,
        decision_mid_x2=market.mid_x2,
    )
    if place(state, market, intent) is None:
        state.pause_wish(intent.symbol, side, wish.price, wish.lots)


def place(state: EngineState, market: Market, intent: OrderIntent) -> Order | None:
    """Carry one intent through risk, lifecycle and pre-check; return the order if it was sent, None if denied."""
    now_ns, orders, notices = state.now_ns, state.orders, state.notices
    order = orders.create(state.next_order_id(), intent, now_ns)
    order_id = order.client_order_id
    notices.append(
        OrderCreated(
            order_id,
            intent.symbol,
            intent.side,
            intent.price,
            intent.lots,
            intent.time_in_force,
            intent.post_only,
            intent.reduce_only,
            intent.decision_mid_x2,
            ts_ns=now_ns,
        )
    )
    notices.append(orders.move(order, Trigger.WANT, now_ns))
    approved = _signed(state, market, intent, order, replacing_lots=0)
    if approved is None:
        return None
    notices.append(orders.move(order, Trigger.VALIDATE, now_ns))
    state.commands.append(
        PlaceOrder(
            order_id,
            intent.symbol,
            intent.side,
            intent.price,
            approved.lots,
            intent.time_in_force,
            intent.post_only,
            intent.reduce_only,
            ts_ns=now_ns,
        )
    )
    state.budget.spend(1)
    order.ts_asked_ns = now_ns
    notices.append(orders.move(order, Trigger.SUBMIT, now_ns))
    return order


def _signed(
    state: EngineState, market: Market, intent: OrderIntent, order: Order, *, replacing_lots: int
) -> Approved | None:
    """Ask the risk manager, then the API pre-check, and tell what they said; a refusal of a new order ends it."""
    now_ns, notices, symbol = state.now_ns, state.notices, intent.symbol
    view, account = market.view(), state.account()
    exposure = state.orders.exposure(symbol, state.book.position_lots(symbol))
    verdict = state.approve(
        intent,
        view,
        exposure,
        account,
        reducing_only=state.mode is not Mode.TRADING,
        is_killed=state.kill_switch.is_engaged and not intent.reduce_only,
        now_ns=now_ns,
        replacing_lots=replacing_lots,
        value_at_risk=state.var_marked,
    )
    order_id = order.client_order_id
    if isinstance(verdict, Denial):
        notices.append(_risk_notice(order_id, intent, verdict.reason, Lots(0), verdict, now_ns))
        _end_denied(state, order, verdict.reason)
        return None
    reason = Reason.NONE if verdict.lots == intent.lots else Reason.REDUCED_TO_FIT
    notices.append(_risk_notice(order_id, intent, reason, verdict.lots, None, now_ns))
    if not order.is_live:
        order.lots = verdict.lots
        notices.append(state.orders.move(order, Trigger.APPROVE, now_ns))
    budget_left = state.budget.left_for_closing if intent.reduce_only else state.budget.left_for_orders
    denial = state.check(verdict, view, exposure, account, budget_left, replacing_lots)
    if denial is None:
        notices.append(PrecheckDecided(order_id, symbol, Reason.NONE, ts_ns=now_ns))
        return verdict
    notices.append(PrecheckDecided(order_id, symbol, denial.reason, denial.limit, denial.observed, ts_ns=now_ns))
    _end_denied(state, order, denial.reason)
    return None


def _risk_notice(
    order_id: ClientOrderId, intent: OrderIntent, reason: Reason, lots: Lots, denial: Denial | None, now_ns: int
) -> RiskDecided:
    limit, observed = (denial.limit, denial.observed) if denial else (0, 0)
    return RiskDecided(order_id, intent.symbol, reason, intent.lots, lots, limit, observed, ts_ns=now_ns)


def _end_denied(state: EngineState, order: Order, reason: Reason) -> None:
    """End a new order that was refused; one that rests keeps its life."""
    if not order.is_live:
        state.notices.append(state.orders.move(order, Trigger.DENY, state.now_ns, reason))


def replace(state: EngineState, market: Market, order: Order, wish: Quote) -> None:
    """Give a resting order new terms; when they are denied, an order that is no longer wanted is canceled."""
    leaves = order.leaves_lots
    intent = OrderIntent(
        symbol=order.symbol,
        side=order.side,
        price=wish.price,
        lots=wish.lots,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        decision_mid_x2=market.mid_x2,
    )
    approved = _signed(state, market, intent, order, replacing_lots=leaves)
    if approved is None:
        cancel(state, order, Reason.REPRICED)
        return
    order.pending_price = wish.price
    order.pending_lots = Lots(order.filled_lots + approved.lots)
    order.asked_lots = Lots(order.filled_lots + wish.lots)
    order.decision_mid_x2 = market.mid_x2
    state.commands.append(
        ReplaceOrder(
            order.client_order_id,
            order.symbol,
            order.side,
            wish.price,
            order.pending_lots,
            order.post_only,
            order.reduce_only,
            ts_ns=state.now_ns,
        )
    )
    state.budget.spend(1)
    order.ts_asked_ns = state.now_ns
    state.notices.append(state.orders.move(order, Trigger.REQUEST_REPLACE, state.now_ns, Reason.REPRICED))


def cancel(state: EngineState, order: Order, reason: Reason) -> None:
    """Ask the venue to cancel an order, unless an answer to that is still awaited."""
    if not order.is_live or order.state is State.PENDING_CANCEL:
        return
    if order.state is State.UNKNOWN and order.cancel_reason is not Reason.NONE:
        return
    order.cancel_reason = reason
    state.commands.append(CancelOrder(order.client_order_id, order.symbol, ts_ns=state.now_ns))
    state.budget.spend(1)
    order.ts_asked_ns = state.now_ns
    state.notices.append(state.orders.move(order, Trigger.REQUEST_CANCEL, state.now_ns, reason))


def cancel_all(state: EngineState, reason: Reason, symbol: str = "") -> None:
    """Ask the venue to cancel every live order, of one instrument or of all."""
    for order in tuple(state.orders.every_live()):
        if not symbol or order.symbol == symbol:
            cancel(state, order, reason)


def cancel_risk(state: EngineState, reason: Reason) -> None:
    """Ask the venue to cancel every live order but those that it lets only reduce a position."""
    for order in tuple(state.orders.every_live()):
        if not order.reduce_only:
            cancel(state, order, reason)


def flatten(state: EngineState) -> None:
    """Close every position with reduce-only orders at a bounded price; one attempt per call, none while one works."""
    for symbol, market in state.markets.items():
        position = state.book.position_lots(symbol)
        if position == 0 or market.mid_x2 == 0 or state.orders.live(symbol):
            continue
        side = Side.SELL if position > 0 else Side.BUY
        best = market.bid_price if side is Side.SELL else market.ask_price
        room = money_times_rate(best, state.settings.flatten_slippage)
        grid = market.instrument
        price = grid.floor(Price(best - room)) if position > 0 else grid.ceil(Price(best + room))
        place(
            state,
            market,
            OrderIntent(
                symbol=symbol,
                side=side,
                price=price,
                lots=Lots(abs(position)),
                time_in_force=TimeInForce.IOC,
                post_only=False,
                reduce_only=True,
                decision_mid_x2=market.mid_x2,
            ),
        )
