"""What `hat doctor` asks the venue: is it there, is its clock ours, may this key trade for this account, with what.

Theory of operation. Questions go one after the other over the cold path; nothing is signed or sent that changes anything.
Each check answers alone: one that fails, or that the venue does not answer, leaves the others standing.

Source: HYPERLIQUID 2.4 (userRole, extraAgents, userAbstraction, userRateLimit), 4.5 (nonce window), 7.2, 9.3, 9.4.
"""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, TypeVar

import msgspec

from bot.config import HatConfig, risk_limits
from bot.findings import Finding, failed, guarded, ok, skipped, warning
from domain.errors import DataInvalid
from domain.units import NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, RATE_UNIT, Money, format_money
from exchange.hyperliquid.codec_numbers import money
from exchange.hyperliquid.opening import ONE_PURSE
from exchange.hyperliquid.questions import Questions
from exchange.hyperliquid.wire_account import AgentEntry, ClearinghouseState, OpenOrder, RateLimit, Role, SpotState

SAMPLES = 5
SKEW_NS_WARN = NS_PER_SECOND
SLOW_MS = 1_000
AGENT_DAYS_WARN = 7
REQUESTS_WARN = 1_000
HUNDRED = 100
SHOWN_MAX = 6
CLOCK_QUESTIONS = ("exchangeStatus", "clearinghouseState")
NOBODY = "0x" + 40 * "0"
SIDES = {"B": "buy", "A": "sell"}

T = TypeVar("T")


class Sample(msgspec.Struct, frozen=True):
    """One question for the time. Units: nanoseconds; ahead_ns > 0 when our clock is ahead of the venue's."""

    took_ns: int
    ahead_ns: int


class Venue:
    """One venue that is asked, and the account that is asked about. signer is empty when there is no usable key."""

    def __init__(
        self, config: HatConfig, questions: Questions, clock: Callable[[], int], account: str, signer: str
    ) -> None:
        """Know whom to ask about what."""
        self.config, self.questions, self.clock = config, questions, clock
        self.account, self.signer = account, signer
        self.master = account

    def ask(self, answer_type: type[T], kind: str, **keys: Any) -> T:
        """Return an answer as its structure. Raises: DataInvalid when there is none that can be used."""
        answer = self.questions.ask({"type": kind, **keys})
        try:
            return msgspec.convert(answer, answer_type)
        except msgspec.ValidationError as error:
            raise DataInvalid(self.questions.place, f"no usable answer to {kind}: {error}") from None

    def amount(self, kind: str, text: str) -> Money:
        """Return an amount of an answer. Raises: DataInvalid."""
        try:
            return money(text)
        except ValueError as error:
            raise DataInvalid(self.questions.place, f"no usable answer to {kind}: {error}") from None


def network_findings(venue: Venue) -> list[Finding]:
    """Say whether the venue answers, how fast, and how far its clock is from ours.

    Raises: DataInvalid when it does not answer at all.
    """
    samples = _samples(venue)
    millis = [f"{one.took_ns / NS_PER_MS:.0f}" for one in sorted(samples, key=lambda one: one.took_ns)]
    middle = median(one.took_ns for one in samples) / NS_PER_MS
    place = venue.questions.place.removesuffix("/info")
    told = f"{venue.config.network.name}, {place} answers in {middle:.0f} ms (of {', '.join(millis)})"
    fix = "Run the bot on a better line, or nearer to the venue: its answers reach you too late to quote by."
    found = warning("network", told, fix) if middle > SLOW_MS else ok("network", told)
    return [found, skew_finding(venue.config, samples)]


def _samples(venue: Venue) -> list[Sample]:
    """Ask for the time a few times; a venue without exchangeStatus is asked for an account's state."""
    samples: list[Sample] = []
    kind = CLOCK_QUESTIONS[0]
    while len(samples) < SAMPLES:
        before_ns = venue.clock()
        try:
            answer = venue.questions.ask({"type": kind, "user": venue.account or NOBODY})
        except DataInvalid:
            if kind == CLOCK_QUESTIONS[1]:
                raise
            kind = CLOCK_QUESTIONS[1]
            continue
        after_ns = venue.clock()
        told = answer.get("time") if isinstance(answer, dict) else None
        if not isinstance(told, int):
            if kind == CLOCK_QUESTIONS[1]:
                raise DataInvalid(venue.questions.place, f"answers {kind}, but without a time")
            kind = CLOCK_QUESTIONS[1]
            continue
        middle_ns = (before_ns + after_ns) // 2
        samples.append(Sample(max(after_ns - before_ns, 0), middle_ns - told * NS_PER_MS))
    return samples


def skew_finding(config: HatConfig, samples: list[Sample]) -> Finding:
    """Judge our clock by the quickest answer: it can be wrong by half of its round trip, and is given that."""
    best = min(samples, key=lambda one: one.took_ns)
    doubt_ns = best.took_ns // 2 + NS_PER_MS
    surely_ns = max(abs(best.ahead_ns) - doubt_ns, 0)
    side = "ahead of" if best.ahead_ns > 0 else "behind"
    told = (
        f"our clock is {abs(best.ahead_ns) / NS_PER_SECOND:.3f} s {side} the venue's "
        f"(±{doubt_ns / NS_PER_SECOND:.3f} s)"
    )
    stale_ns = int(config.risk.market_data_age_ms_max * NS_PER_MS)
    expires_ns = int(config.network.expires_after_ms * NS_PER_MS)
    fix = "Set the clock by NTP, e.g. `timedatectl set-ntp true`."
    if best.ahead_ns > 0 and surely_ns >= stale_ns:
        return failed("clock", f"{told}: all market data would count as older than {stale_ns / 1e9:g} s", fix)
    if expires_ns and best.ahead_ns < 0 and surely_ns >= expires_ns:
        return failed("clock", f"{told}: every order would have expired on its way", fix)
    if surely_ns >= SKEW_NS_WARN:
        return warning("clock", told, fix)
    return ok("clock", told)


def account_findings(venue: Venue) -> list[Finding]:
    """Ask everything about the account and its agent, one check after the other."""
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("account", lambda: _account(venue)),
        ("agent", lambda: _agent(venue)),
        ("account mode", lambda: _mode(venue)),
        ("balance", lambda: _balance(venue)),
        ("open orders", lambda: _orders(venue)),
        ("rate budget", lambda: _budget(venue)),
    )
    return [finding for name, check in checks for finding in guarded(name, check)]


def _account(venue: Venue) -> Iterator[Finding]:
    role = venue.ask(Role, "userRole", user=venue.account)
    data = role.data or {}
    if role.role == "user":
        yield ok("account", f"{venue.account}, a master account")
    elif role.role == "subAccount":
        venue.master = str(data.get("master", "")).lower()
        yield ok("account", f"{venue.account}, a sub-account of {venue.master}")
    elif role.role == "agent":
        master = str(data.get("user", "")).lower()
        found = f"{venue.account} is an agent's address: it holds nothing"
        yield failed("account", found, f"Set network.account to the account it trades for: {master}.")
    elif role.role == "missing":
        fix = "Deposit USDC to it first, or correct network.account and network.name."
        yield failed("account", f"the venue has never seen {venue.account}", fix)
    else:
        found = f"{venue.account} is of role {role.role!r}"
        yield failed("account", found, "Set network.account to a master account or a sub-account.")


def _agent(venue: Venue) -> Iterator[Finding]:
    """Say whether the key may trade for the account, and for how long."""
    signer, master = venue.signer, venue.master
    if not signer:
        yield skipped("agent", "there is no usable key")
        return
    if signer == master:
        what = "the account's own master key" if master == venue.account else "the master key of this sub-account"
        found = f"{signer} is {what}: it can withdraw everything"
        fix = "Approve an agent (API wallet) on the venue's API page and use its key."
        yield (warning if venue.config.network.allow_master_key else failed)("agent", found, fix)
        return
    role = venue.ask(Role, "userRole", user=signer)
    acts_for = str((role.data or {}).get("user", "")).lower() if role.role == "agent" else ""
    if acts_for != master:
        whom = f"acts for {acts_for}" if acts_for else f"is nobody's agent (role {role.role!r})"
        fix = f"Approve {signer} as an agent (API wallet) of {master} on the venue's API page, or use the right key."
        yield failed("agent", f"{signer} {whom}, not for {master}", fix)
        return
    yield _expiry(venue)


def _expiry(venue: Venue) -> Finding:
    agents = venue.ask(list[AgentEntry], "extraAgents", user=venue.master)
    named = next((one for one in agents if one.address.lower() == venue.signer), None)
    told = f"{venue.signer} trades for {venue.master}"
    valid_until_ms = named.valid_until if named is not None else _unnamed_until(venue)
    name = f", named {named.name!r}" if named is not None else ", the unnamed agent"
    if valid_until_ms is None:
        if named is not None:
            return ok("agent", f"{told}{name}, without end")
        return ok("agent", f"{told}{name}; the venue does not say until when")
    left_ns = valid_until_ms * NS_PER_MS - venue.clock()
    days = left_ns / NS_PER_DAY
    fix = "Approve a new agent on the venue's API page and use its key."
    if left_ns <= 0:
        return failed("agent", f"{told}{name}, expired {-days:.1f} days ago", fix)
    said = f"{told}{name}, {days:.1f} days left"
    return warning("agent", said, fix) if days < AGENT_DAYS_WARN else ok("agent", said)


def _unnamed_until(venue: Venue) -> int | None:
    """Return until when the unnamed agent may trade, which only the older page of all data tells; None when untold."""
    try:
        page = venue.ask(dict[str, Any], "webData2", user=venue.master)
    except DataInvalid:
        return None
    until = page.get("agentValidUntil")
    is_ours = str(page.get("agentAddress", "")).lower() == venue.signer
    return until if is_ours and isinstance(until, int) else None


def _mode(venue: Venue) -> Iterator[Finding]:
    try:
        mode = venue.ask(str, "userAbstraction", user=venue.account)
    except DataInvalid:
        yield ok("account mode", "the venue does not know the question: taken for default")
        return
    if mode not in ONE_PURSE:
        yield ok("account mode", f"{mode}: perpetuals have a purse of their own")
        return
    usdc = _spot_usdc(venue)
    found = f"{mode}: one purse for spot and perpetuals, {format_money(usdc)} USDC on the spot side"
    fix = "Switch the account to separate purses on the venue's page: perpetual balances alone say little here."
    yield warning("account mode", found, fix)


def _spot_usdc(venue: Venue) -> Money:
    state = venue.ask(SpotState, "spotClearinghouseState", user=venue.account)
    usdc = next((one.total for one in state.balances if one.coin == "USDC"), "0")
    return venue.amount("spotClearinghouseState", usdc)


def _balance(venue: Venue) -> Iterator[Finding]:
    """Say what the account is worth, what of it is free, and how near its liquidation is."""
    state = venue.ask(ClearinghouseState, "clearinghouseState", user=venue.account)
    value = venue.amount("clearinghouseState", state.margin_summary.account_value)
    cross = venue.amount("clearinghouseState", state.cross_margin_summary.account_value)
    free = venue.amount("clearinghouseState", state.withdrawable)
    held = venue.amount("clearinghouseState", state.cross_maintenance_margin_used or "0")
    if value <= 0:
        spot = _spot_usdc(venue)
        fix = (
            f"Move USDC to the perpetuals side: {format_money(spot)} lie on the spot side."
            if spot > 0
            else "Deposit USDC."
        )
        yield failed("balance", f"account value {format_money(value)} USDC: no order would pass", fix)
    else:
        share = held * RATE_UNIT // cross if cross > 0 else 0
        told = (
            f"account value {format_money(value)} USDC, {format_money(free)} withdrawable, "
            f"maintenance margin {share * HUNDRED / RATE_UNIT:.1f} % of the cross value"
        )
        stop = risk_limits(venue.config).margin_ratio_stop
        fix = "Deposit USDC or close positions: the kill switch would engage at once."
        yield failed("balance", told, fix) if share >= stop else ok("balance", told)
    yield _positions(venue, state)


def _positions(venue: Venue, state: ClearinghouseState) -> Finding:
    traded = set(venue.config.market.instruments)
    held = [one.position for one in state.asset_positions]
    if not held:
        return ok("positions", "none")
    told = ", ".join(f"{one.coin} {one.size}" for one in held[:SHOWN_MAX])
    others = [one.coin for one in held if one.coin not in traded]
    fix = "The bot takes them over as they are; close them on the venue's page if that is not meant."
    if others:
        fix = f"Close {', '.join(others)} or add it to market.instruments: the bot does not manage what it does not trade."
    return warning("positions", f"{len(held)} open: {told}", fix)


def _orders(venue: Venue) -> Iterator[Finding]:
    found = venue.ask(list[OpenOrder], "openOrders", user=venue.account)
    if not found:
        yield ok("open orders", "none")
        return
    told = ", ".join(
        f"{SIDES.get(one.side, one.side)} {one.size} {one.coin} at {one.limit_price}" for one in found[:SHOWN_MAX]
    )
    fix = "Cancel them on the venue's page unless they are meant: they fill beside the bot's own."
    yield warning("open orders", f"{len(found)} open: {told}", fix)


def _budget(venue: Venue) -> Iterator[Finding]:
    """Say how many requests the address may still send."""
    limit = venue.ask(RateLimit, "userRateLimit", user=venue.account)
    surplus = limit.surplus or 0
    left = limit.requests_cap + surplus - limit.requests_used
    told = f"{max(left, 0):,} requests left ({limit.requests_used:,} used of {limit.requests_cap + surplus:,})"
    fix = "Trade volume earns one request per USDC; reserveRequestWeight buys them; fewer quotes need fewer."
    if left <= 0:
        yield failed("rate budget", f"{told}: one action per 10 s", fix)
    elif left < REQUESTS_WARN:
        yield warning("rate budget", told, fix)
    else:
        yield ok("rate budget", told)
