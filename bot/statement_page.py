"""The statement as one HTML file: no script, no network, light and dark, made for paper as well.

Laws: every text is escaped; every rounded amount carries its exact one as a title.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.revision import code_version
from bot.show import percent
from bot.show_pnl import EXECUTION_MEANINGS, EXECUTION_NAMES, basis_points
from bot.show_statement import BRIDGE, QUIET_WHEN_ZERO
from bot.statement_charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, bars_chart, causes_chart, curve_chart

MINUS = "\N{MINUS SIGN}"
CENTS = 2
BRIDGE_MEANINGS = {
    "transfers": "came in or left, the opening deposit included",
    "unexplained": "on the venue's statement, not in any fact",
    "between_runs": "changed while no run watched",
    "residual": "the bot's own last mark less the postings; 0 is right",
}


COLUMNS = ("realized", "unrealized", "funding", "fees", "rebates", "liquidation")


def minus(text: str) -> str:
    """Return decimal text with its sign turned."""
    return text if Decimal(text) == 0 else text[1:] if text.startswith("-") else f"-{text}"


def usdc(text: str, sign: str = "") -> str:
    """Return USDC text in cents with thousands apart; with sign "+" gains carry one."""
    amount = round(Decimal(text), CENTS)
    shown = f"{abs(amount):,.{CENTS}f}"
    if amount < 0:
        return MINUS + shown
    return f"+{shown}" if sign == "+" and amount > 0 else shown


def exact(text: str) -> str:
    """Return an amount as its own title says it."""
    return f"{text.replace('-', MINUS)} USDC"


def tone(text: str, *, is_cost: bool = False) -> str:
    """Return the class of an amount: gain, loss or nothing."""
    amount = Decimal(text)
    if amount == 0:
        return "zero"
    return "loss" if (amount < 0) != is_cost else "gain"


def statement_page(shape: Mapping[str, Any]) -> str:
    """Return the page of a statement's plain data."""
    environment = Environment(
        loader=PackageLoader("bot"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(usdc=usdc, exact=exact, tone=tone, percent=percent)
    pnl, bridge = shape["pnl"], shape["bridge"]
    curve_of = "equity" if _is_earned(shape["curve"]) else "gain"
    whole = str(sum((Decimal(amount) for amount in pnl["execution"].values()), Decimal(0)))
    return environment.get_template("statement.html").render(
        shape=shape,
        pnl=pnl,
        accounts=sorted({run["account"] for run in shape["runs"]}),
        bridge=_bridge_rows(bridge),
        is_sound=Decimal(bridge["residual"]) == 0,
        return_share=_return_share(bridge, pnl["net"]),
        curve=curve_chart(shape["curve"], curve_of, shape["period"]),
        curve_of=curve_of,
        bars=bars_chart(shape),
        causes=_shown_causes(pnl),
        execution=[
            _told(EXECUTION_NAMES[name], amount, pnl, EXECUTION_MEANINGS[name])
            for name, amount in pnl["execution"].items()
        ],
        execution_whole=_told("in all", whole, pnl),
        costs=[
            _told("fees", minus(pnl["fees"]), pnl),
            _told("rebates", pnl["rebates"], pnl),
            _told("funding", pnl["funding"], pnl),
            _told(
                "slippage", minus(pnl["slippage"]), pnl, "a memo, inside realized and unrealized; above 0 it is a gain"
            ),
        ],
        states=sorted(shape["orders_by_state"].items(), key=lambda pair: -pair[1]),
        columns=[name for name in COLUMNS if any(Decimal(row[name]) for row in (*shape["instruments"], pnl))],
        box={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "top": TOP,
            "floor": HEIGHT - BOTTOM,
        },
        version=code_version(),
    )


def _told(name: str, amount: str, pnl: Mapping[str, Any], meaning: str = "") -> dict[str, str]:
    """One amount with what it is of the volume."""
    bps = basis_points(amount, pnl["volume"]).replace("-", MINUS)
    return {"name": name, "amount": amount, "bps": bps, "meaning": meaning}


def _bridge_rows(bridge: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "said": said,
            "amount": minus(bridge[name]) if name == "fees" else bridge[name],
            "meaning": BRIDGE_MEANINGS.get(name, ""),
        }
        for name, said in BRIDGE
        if name not in QUIET_WHEN_ZERO or Decimal(bridge[name])
    ]


def _is_earned(curve: Mapping[str, Any]) -> bool:
    """Whether equity moved by what was earned alone, so that its curve shows no deposit and no account that opened."""
    pairs = zip(curve["equity"], curve["gain"], strict=True)
    return len({Decimal(equity) - Decimal(gain) for equity, gain in pairs}) <= 1


def _return_share(bridge: Mapping[str, str], net: str) -> float | None:
    """The result as a share of what was there or came in first."""
    capital = Decimal(bridge["opening"]) or Decimal(bridge["transfers"])
    return float(Decimal(net) / capital) if capital > 0 else None


def _shown_causes(pnl: Mapping[str, Any]) -> dict[str, Any]:
    """The steps of the result, each with its amount as it counts: fees are taken away."""
    chart = causes_chart(pnl)
    for row in chart["rows"]:
        row["shown"] = usdc(minus(row["exact"]) if row["name"] == "fees" else row["exact"], "+")
    return chart
