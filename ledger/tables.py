"""The tables of the ledger in SQL, portable to SQLite and PostgreSQL.

Laws: every number is an integer of the house's units (prices and lots by the instrument's decimals, money 1e-8, rates
1e-9, times in nanoseconds); every row belongs to a run, and the run names account, strategy, config hash and code
revision; order, fill and transaction rows carry the trace id of their order. The states an order may have in SQL are
those of the lifecycle. No two transactions of an account book the same fact, whichever run they belong to.

Chains: rows that never change carry the SHA-256 of themselves and the row before (`link` counts them from 1; a
transaction's link is its sequence, and its hash covers its postings, fill, funding and adjustments). `chains` holds the
number of links and the last hash of each, and of the positions as they stand; `cursors.seal` is the hash over all of a
run's chains.

`ledger/migrations` builds the same tables step by step; a test holds both together.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from domain.lifecycle import State
from domain.order import FillCause, Liquidity, Side
from domain.transaction import CorrectionCause, FactKind

REVISION = "0002"
"""The revision of ledger/migrations that makes these tables."""

RUN_KEY_LENGTH = 16
ORDER_KEY_LENGTH = 34
TRACE_ID_LENGTH = 32
ACCOUNT_LENGTH = 64
HASH_LENGTH = 64
SYMBOL_LENGTH = 64
LABEL_LENGTH = 32

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(column: str, labels: tuple[str, ...]) -> str:
    """Return the SQL condition that a column holds one of these labels."""
    return f"{column} IN ({', '.join(repr(label) for label in labels)})"


STATES = tuple(state.label for state in State)
KINDS = tuple(kind.label for kind in FactKind)
SIDES = tuple(side.label for side in Side)
LIQUIDITIES = tuple(liquidity.label for liquidity in Liquidity)
FILL_CAUSES = tuple(cause.label for cause in FillCause)
CORRECTION_CAUSES = tuple(cause.label for cause in CorrectionCause)


def _run() -> Column[str]:
    return Column("run_id", String(RUN_KEY_LENGTH), ForeignKey("runs.run_id"), primary_key=True)


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _label(name: str) -> Column[str]:
    return Column(name, String(LABEL_LENGTH), nullable=False)


def _symbol(*, is_key: bool = False) -> Column[str]:
    return Column("symbol", String(SYMBOL_LENGTH), primary_key=is_key, nullable=False)


def _order() -> Column[str]:
    return Column("client_order_id", String(ORDER_KEY_LENGTH), nullable=False)


def _trace() -> Column[str]:
    return Column("trace_id", String(TRACE_ID_LENGTH), nullable=False)


def _account() -> Column[str]:
    return Column("account", String(ACCOUNT_LENGTH), nullable=False)


def _hash(name: str = "hash") -> Column[str]:
    return Column(name, String(HASH_LENGTH), nullable=False)


runs = Table(
    "runs",
    metadata,
    Column("run_id", String(RUN_KEY_LENGTH), primary_key=True),
    _account(),
    _label("command"),
    _label("strategy"),
    _number("seed"),
    Column("config_hash", String(64), nullable=False),
    Column("code_revision", String(64), nullable=False),
    _number("started_ns"),
    Column("ended_ns", BigInteger),
)
"""One process or backtest. run_id is 16 hex digits, the first half of its client order ids.

account is what the venue calls us: a live address, or on paper the run itself, which has an account of its own.
"""

instruments = Table(
    "instruments",
    metadata,
    _run(),
    _symbol(is_key=True),
    Column("asset_id", Integer, nullable=False),
    Column("price_decimals", Integer, nullable=False),
    Column("size_decimals", Integer, nullable=False),
)
"""What is needed to read prices and lots of a run as decimal text."""

cursors = Table("cursors", metadata, _run(), _number("notices"), _hash("seal"))
"""How many notices of a run are stored: moved in the same SQL transaction as the rows made of them."""

chains = Table(
    "chains",
    metadata,
    _run(),
    Column("name", String(LABEL_LENGTH), primary_key=True),
    _number("links"),
    _hash("head"),
)
"""How many rows of a table are chained and the hash of the last one; `runs` is the first link of all the others.

`positions` are chained anew, by symbol, whenever they are written.
"""

orders = Table(
    "orders",
    metadata,
    _run(),
    Column("client_order_id", String(ORDER_KEY_LENGTH), primary_key=True),
    _trace(),
    _symbol(),
    _label("side"),
    _number("price"),
    _number("lots"),
    _number("filled_lots"),
    Column("time_in_force", String(8), nullable=False),
    Column("post_only", Boolean(create_constraint=False), nullable=False),
    Column("reduce_only", Boolean(create_constraint=False), nullable=False),
    _number("decision_mid_x2"),
    _label("state"),
    _label("reason"),
    _number("venue_order_id"),
    _number("created_ns"),
    _number("updated_ns"),
    _number("link"),
    _hash(),
    CheckConstraint(one_of("state", STATES), name="state"),
    CheckConstraint(one_of("side", SIDES), name="side"),
    CheckConstraint("link > 0", name="link"),
    CheckConstraint("lots > 0 AND price > 0", name="size"),
)
"""Every order as it stands now. Its hash covers what never changes; the rest is what its last transition says."""

transitions = Table(
    "transitions",
    metadata,
    _run(),
    _key("notice"),
    _order(),
    _number("ts_ns"),
    _label("from_state"),
    _label("to_state"),
    _label("trigger"),
    _label("reason"),
    _number("time_in_state_ns"),
    _number("price"),
    _number("lots"),
    _number("filled_lots"),
    _number("venue_order_id"),
    Column("detail", Text, nullable=False),
    _number("link"),
    _hash(),
    CheckConstraint("notice > 0", name="notice"),
    CheckConstraint("link > 0", name="link"),
    CheckConstraint(one_of("from_state", STATES), name="from_state"),
    CheckConstraint(one_of("to_state", STATES), name="to_state"),
    ForeignKeyConstraint(["run_id", "client_order_id"], ["orders.run_id", "orders.client_order_id"]),
    Index(None, "run_id", "client_order_id"),
)
"""Every move of every order. notice is its place in the run's notices."""

transactions = Table(
    "transactions",
    metadata,
    _run(),
    _key("sequence"),
    _account(),
    _label("kind"),
    Column("fact_id", String(128), nullable=False),
    _number("ts_event_ns"),
    _number("ts_ns"),
    _symbol(),
    _order(),
    _trace(),
    _label("cause"),
    Column("evidence", Text, nullable=False),
    _hash(),
    CheckConstraint("sequence > 0", name="sequence"),
    CheckConstraint(one_of("kind", KINDS), name="kind"),
    CheckConstraint(one_of("cause", CORRECTION_CAUSES), name="cause"),
    CheckConstraint("(kind = 'correction') = (cause <> 'none')", name="corrected"),
    UniqueConstraint("account", "kind", "fact_id"),
)
"""One fact each, booked once for its account. Corrections name their cause; evidence is what proves the fact."""

postings = Table(
    "postings",
    metadata,
    _run(),
    _key("sequence"),
    _key("line"),
    Column("account", String(96), nullable=False),
    _number("amount"),
    CheckConstraint("amount <> 0", name="amount"),
    ForeignKeyConstraint(["run_id", "sequence"], ["transactions.run_id", "transactions.sequence"]),
    Index(None, "run_id", "account"),
)
"""The lines of the transactions; debit positive; they sum to zero per transaction."""

adjustments = Table(
    "adjustments",
    metadata,
    _run(),
    _key("sequence"),
    _symbol(is_key=True),
    _number("lots"),
    CheckConstraint("lots <> 0", name="lots"),
    ForeignKeyConstraint(["run_id", "sequence"], ["transactions.run_id", "transactions.sequence"]),
)
"""Signed lots that came without a fill: positions of the opening statement, corrections."""

fills = Table(
    "fills",
    metadata,
    _run(),
    _key("sequence"),
    _order(),
    _trace(),
    _number("venue_order_id"),
    _number("trade_id"),
    _symbol(),
    _label("side"),
    _number("price"),
    _number("lots"),
    _label("liquidity"),
    _number("notional"),
    _number("fee"),
    _number("realized"),
    _number("slippage"),
    _number("start_position"),
    _number("position_after"),
    _number("decision_mid_x2"),
    _number("arrival_mid_x2"),
    _number("fill_mid_x2"),
    _label("cause"),
    _number("ts_event_ns"),
    _number("ts_ns"),
    CheckConstraint(one_of("side", SIDES), name="side"),
    CheckConstraint(one_of("liquidity", LIQUIDITIES), name="liquidity"),
    CheckConstraint(one_of("cause", FILL_CAUSES), name="cause"),
    CheckConstraint("lots > 0 AND price > 0", name="size"),
    ForeignKeyConstraint(["run_id", "sequence"], ["transactions.run_id", "transactions.sequence"]),
    Index(None, "run_id", "client_order_id"),
)
"""Every execution; sequence is that of its transaction. An empty client_order_id is a liquidation or deleveraging.

start_position is the venue's word, position_after ours: they tell whether a fill is missing.
"""

markouts = Table(
    "markouts",
    metadata,
    _run(),
    _key("sequence"),
    _key("horizon_ns"),
    _number("mid_x2"),
    _number("ts_ns"),
    _number("link"),
    _hash(),
    CheckConstraint("link > 0", name="link"),
    CheckConstraint("mid_x2 > 0", name="mid"),
    ForeignKeyConstraint(["run_id", "sequence"], ["fills.run_id", "fills.sequence"]),
)
"""Where the mid stood some time after a fill."""

funding = Table(
    "funding",
    metadata,
    _run(),
    _symbol(is_key=True),
    _key("hour_ns"),
    _number("sequence"),
    _number("position"),
    _number("rate"),
    _number("oracle_price"),
    _number("amount"),
    _number("ts_ns"),
    UniqueConstraint("run_id", "sequence"),
    ForeignKeyConstraint(["run_id", "sequence"], ["transactions.run_id", "transactions.sequence"]),
)
"""One row per instrument and hour held."""

marks = Table(
    "marks",
    metadata,
    _run(),
    _key("minute_ns"),
    *(
        _number(name)
        for name in (
            *("ts_ns", "equity", "cash", "realized", "unrealized", "funding", "fees", "rebates", "slippage", "net"),
            *("transfers", "unexplained", "drawdown", "drawdown_max", "exposure", "margin_used", "margin_ratio"),
            *("value_at_risk", "position_count", "open_orders", "link"),
        )
    ),
    _hash(),
    CheckConstraint("link > 0", name="link"),
)
"""The account at the last mark of each minute: the equity curve. The youngest row is replaced until its minute ends."""

positions = Table(
    "positions",
    metadata,
    _run(),
    _symbol(is_key=True),
    _number("lots"),
    _number("cost"),
    _number("unrealized"),
    _number("ts_ns"),
)
"""Open positions at the last mark of the run."""

incidents = Table(
    "incidents",
    metadata,
    _run(),
    _key("notice"),
    _number("ts_ns"),
    _label("kind"),
    _label("reason"),
    _order(),
    Column("detail", Text, nullable=False),
    _number("link"),
    _hash(),
    CheckConstraint("notice > 0", name="notice"),
    CheckConstraint("link > 0", name="link"),
)
"""What a person should be able to look up later: modes, kill switch, warnings, facts that contradicted us."""
