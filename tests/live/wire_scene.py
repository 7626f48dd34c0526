"""A `hat run --network local` in one process, a `hat venue` in another, and both sides' word on what happened."""

import json
import re
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import requests
from hyperliquid.utils.error import ClientError

from domain.units import MONEY_DECIMALS, NS_PER_MS, parse_scaled
from engine.journal import Kind, read_records
from exchange.hyperliquid.universe import UNIVERSE
from tests.bot_runs import hat, started_hat
from tests.services.venue_process import accounts_file, address, running_venue, until, wallet

TRADER, AGENT = "trader", "bot"
COINS = ("BTC", "ETH", "SOL")
HOUR_MS = 3_600_000
ORDER_USD, POSITION_USD, EXPOSURE_USD, ORDERS_MAX = 150, 450, 1_200, 8
FILLS_PAGE = 2_000
TOO_MANY, MINUTE_SECONDS = 429, 75

BRISK = """
[bot]
seed = {seed}
account_interval_ms = 15000
answer_timeout_ms = 1500
[risk]
order_notional_usd_max = {order}
position_notional_usd_max = {position}
total_exposure_usd_max = {exposure}
open_orders_max = {orders}
[maker]
reprice_ticks = 2
[strategy]
order_notional_usd = 100
inventory_notional_usd = 300
gamma = 0.05
kappa = 4.0
half_spread_bps_max = 0.8
requote_interval_ms = 1000
requote_move_bps = 1.0
[network]
url = "{url}"
account = "{account}"
request_timeout_ms = 1500
stale_ms = 4000
"""


class Scene:
    """One venue, one account with one agent, and the bots that trade for it."""

    def __init__(self, folder, venue):
        self.folder, self.venue = folder, venue
        self.account = address(wallet(TRADER))
        self.key = "0x" + bytes(wallet(AGENT).key).hex()
        self.state = folder / "state"
        self.info = venue.info()

    def asked(self, question, *arguments):
        """Return the answer of the SDK; the bot and we are one address to the venue, so a full minute is waited out."""

        def once():
            try:
                return (getattr(self.info, question)(*arguments),)
            except ClientError as refused:
                if refused.status_code != TOO_MANY:
                    raise
                return None

        return until(once, f"room in the minute for {question}", MINUTE_SECONDS)[0]

    def config(self, seed=1, **extra):
        """Write a configuration that quotes often within small limits; extra lines by section."""
        text = BRISK.format(
            seed=seed, url=self.venue.url, account=self.account, order=ORDER_USD, position=POSITION_USD,
            exposure=EXPOSURE_USD, orders=ORDERS_MAX,
        )  # fmt: skip
        for section, lines in extra.items():
            text = text.replace(f"[{section}]\n", f"[{section}]\n{lines}\n")
        place = self.folder / "hat.toml"
        place.write_text(text)
        return place

    def environment(self, **changes):
        return {"HAT_AGENT_KEY": self.key, "XDG_STATE_HOME": str(self.folder / "keys"), **changes}

    def arguments(self, config, duration, *more):
        ends = ("--for", duration) if duration else ()
        return ("run", "--config", config, "--network", "local", *ends, "--port", 0, "--state-dir", self.state,
                "--json", *more)  # fmt: skip

    @contextmanager
    def bot(self, duration="", *more, seed=1, **changes):
        """Run a bot beside; it is gone after the block, whatever happened there."""
        process = started_hat(*self.arguments(self.config(seed), duration, *more), **self.environment(**changes))
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                print(*process.communicate(), sep="\n")

    def run(self, duration, *more, **changes):
        """Run a bot to its end."""
        return hat(*self.arguments(self.config(), duration, *more), **self.environment(**changes))

    def trades(self, seconds=30):
        """Wait until orders of the account rest at the venue."""
        until(self.open_orders, "orders at the venue", seconds)

    def open_orders(self):
        """Return how many orders rest; asked beside the wire, where no limit counts it."""
        page = requests.get(f"{self.venue.url}/metrics", timeout=10).text
        return int(float(re.search(r"^hat_venue_open_orders (\S+)", page, re.MULTILINE)[1]))

    def misfortunes(self):
        """Return how often what went wrong so far."""
        return requests.get(f"{self.venue.url}/control/misfortune", timeout=10).json()["counts"]

    def skipped(self, reason):
        """Return the lines of the log about market data that was left out or lost for a reason, oldest first."""
        place = self.state / "hat.log"
        lines = place.read_text().splitlines() if place.exists() else []
        found = [json.loads(line) for line in lines if '"market_data_skipped"' in line]
        return [line for line in found if line["data"]["reason"] == reason]

    def facts(self, *kinds):
        """Return the facts of these kinds that the newest journal holds, in order."""
        newest = max((self.state / "journal").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        found = [one.event() for one in read_records(newest.read_bytes()) if one.kind is Kind.EVENT]
        return [fact for fact in found if isinstance(fact, kinds)]

    def rejections(self, words):
        """Return the orders that were rejected with these words."""
        question = "SELECT client_order_id FROM transitions WHERE to_state = 'rejected' AND detail LIKE ?"
        return rows(self.ledger, question, f"%{words}%")

    def incidents(self):
        """Return (kind, reason, detail) of what the ledger tells besides money, in order."""
        return rows(self.ledger, "SELECT kind, reason, detail FROM incidents ORDER BY ts_ns, notice")

    @property
    def ledger(self):
        return self.state / "ledger.db"

    def offline(self, *arguments):
        """Run another command on the state of the bots."""
        return hat(*arguments, "--state-dir", self.state)


@contextmanager
def scene(folder, *arguments):
    """Open a venue with one account; arguments are more of `hat venue`."""
    accounts = accounts_file(folder, TRADER, usdc="10000", agents={TRADER: AGENT})
    with running_venue("--accounts", accounts, *arguments) as venue:
        yield Scene(folder, venue)


def hour_in_ms(seconds):
    """Return by how much a venue's clock must be ahead for a full hour to come after so many seconds."""
    return (-time.time_ns() // NS_PER_MS - seconds * 1_000) % HOUR_MS


def rows(ledger: Path, question, *values):
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(question, values).fetchall()


def ended(process, seconds):
    """Wait for a bot; return its exit code, its summary (None without) and what it told people."""
    out, told = process.communicate(timeout=seconds)
    print(told)
    lines = out.splitlines()
    return process.returncode, json.loads(lines[-1]) if lines else None, told


# The venue's word, over the wire, in our integers.


def price(coin, text):
    return parse_scaled(text, UNIVERSE[coin].price_decimals)


def lots(coin, text):
    return parse_scaled(text, UNIVERSE[coin].size_decimals)


def money(text):
    return parse_scaled(text, MONEY_DECIMALS)


def wire_fills(scene):
    """Return every fill the venue knows: (coin, trade id, ms) -> its terms."""
    found, since = {}, 0
    while True:
        page = scene.asked("user_fills_by_time", scene.account, since)
        for fill in page:
            coin = fill["coin"]
            key = (coin, fill["tid"], fill["time"])
            side = "buy" if fill["side"] == "B" else "sell"
            found[key] = (side, price(coin, fill["px"]), lots(coin, fill["sz"]), money(fill["fee"]), fill["oid"],
                          fill["cloid"], lots(coin, fill["startPosition"]))  # fmt: skip
        if len(page) < FILLS_PAGE:
            return found
        since = max(fill["time"] for fill in page)


def ledger_fills(scene):
    """Return every fill of the ledger in the same shape."""
    question = (
        "SELECT symbol, trade_id, ts_event_ns, side, price, lots, fee, venue_order_id, client_order_id, start_position "
        "FROM fills"
    )
    return {(coin, trade, ns // NS_PER_MS): tuple(terms) for coin, trade, ns, *terms in rows(scene.ledger, question)}


def wire_fundings(scene):
    """Return every funding payment the venue knows: (hour ms, coin) -> Money."""
    paid = scene.asked("user_funding_history", scene.account, 0)
    return {(one["time"], one["delta"]["coin"]): money(one["delta"]["usdc"]) for one in paid}


def ledger_fundings(scene):
    """Return every funding payment of the ledger."""
    question = (
        "SELECT t.ts_event_ns, t.symbol, p.amount FROM transactions t JOIN postings p "
        "ON p.run_id = t.run_id AND p.sequence = t.sequence WHERE t.kind = 'funding' AND p.account = 'cash'"
    )
    return {(ns // NS_PER_MS, coin): amount for ns, coin, amount in rows(scene.ledger, question)}


def wire_account(scene):
    """Return cash, positions and account value as the venue tells them now, and the mark of each position."""
    state = scene.asked("user_state", scene.account)
    positions, marks = {}, {}
    for one in state["assetPositions"]:
        held = one["position"]
        coin = held["coin"]
        positions[coin] = lots(coin, held["szi"])
        marks[coin] = money(held["positionValue"]) // abs(positions[coin]) // UNIVERSE[coin].money_per_unit
    summary = state["marginSummary"]
    return money(summary["totalRawUsd"]), positions, money(summary["accountValue"]), marks


def ledger_account(scene, marks):
    """Return cash, positions, and what they are worth at these marks, from the postings alone."""
    ((cash,),) = rows(scene.ledger, "SELECT SUM(amount) FROM postings WHERE account = 'cash'")
    question = "SELECT symbol, SUM(CASE side WHEN 'buy' THEN lots ELSE -lots END) FROM fills GROUP BY symbol"
    positions = {coin: held for coin, held in rows(scene.ledger, question) if held}
    worth = sum(held * marks[coin] * UNIVERSE[coin].money_per_unit for coin, held in positions.items())
    return cash, positions, cash + worth


def wire_orders(scene):
    """Return every order number the venue remembers: number -> its record."""
    return {one["order"]["oid"]: one for one in scene.asked("historical_orders", scene.account)}
