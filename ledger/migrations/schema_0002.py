"""The tables as revision 0002 makes them: a copy that stays as it is when ledger/tables.py goes on."""

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


def _one_of(column: str, labels: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(label) for label in labels)})"


STATES = (
    *("idle", "signal", "risk_approved", "validated", "submitted", "open", "partially_filled", "pending_cancel"),
    *("pending_replace", "unknown", "filled", "canceled", "expired", "denied", "rejected", "not_placed"),
)
KINDS = ("transfer", "fill", "funding", "liquidation", "deleveraging", "correction")
SIDES = ("buy", "sell")
LIQUIDITIES = ("maker", "taker")
FILL_CAUSES = ("order", "liquidation", "deleveraging")
CORRECTION_CAUSES = ("none", "late_fill", "unexplained", "explained")


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

instruments = Table(
    "instruments",
    metadata,
    _run(),
    _symbol(is_key=True),
    Column("asset_id", Integer, nullable=False),
    Column("price_decimals", Integer, nullable=False),
    Column("size_decimals", Integer, nullable=False),
)

cursors = Table("cursors", metadata, _run(), _number("notices"), _hash("seal"))

chains = Table(
    "chains",
    metadata,
    _run(),
    Column("name", String(LABEL_LENGTH), primary_key=True),
    _number("links"),
    _hash("head"),
)

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
    CheckConstraint(_one_of("state", STATES), name="state"),
    CheckConstraint(_one_of("side", SIDES), name="side"),
    CheckConstraint("link > 0", name="link"),
    CheckConstraint("lots > 0 AND price > 0", name="size"),
)

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
    CheckConstraint(_one_of("from_state", STATES), name="from_state"),
    CheckConstraint(_one_of("to_state", STATES), name="to_state"),
    ForeignKeyConstraint(["run_id", "client_order_id"], ["orders.run_id", "orders.client_order_id"]),
    Index(None, "run_id", "client_order_id"),
)

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
    CheckConstraint(_one_of("kind", KINDS), name="kind"),
    CheckConstraint(_one_of("cause", CORRECTION_CAUSES), name="cause"),
    CheckConstraint("(kind = 'correction') = (cause <> 'none')", name="corrected"),
    UniqueConstraint("account", "kind", "fact_id"),
)

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
    CheckConstraint(_one_of("side", SIDES), name="side"),
    CheckConstraint(_one_of("liquidity", LIQUIDITIES), name="liquidity"),
    CheckConstraint(_one_of("cause", FILL_CAUSES), name="cause"),
    CheckConstraint("lots > 0 AND price > 0", name="size"),
    ForeignKeyConstraint(["run_id", "sequence"], ["transactions.run_id", "transactions.sequence"]),
    Index(None, "run_id", "client_order_id"),
)

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
