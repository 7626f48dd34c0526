"""The first schema: runs, orders and their moves, transactions and postings, fills, funding, marks, incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("command", sa.String(length=32), nullable=False),
        sa.Column("strategy", sa.String(length=32), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("config_hash", sa.String(length=64), nullable=False),
        sa.Column("code_revision", sa.String(length=64), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )


def _create_cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("notices", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_cursors_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_cursors")),
    )


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("notice", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("client_order_id", sa.String(length=34), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_incidents_run_id")),
        sa.PrimaryKeyConstraint("run_id", "notice", name=op.f("pk_incidents")),
    )


def _create_instruments() -> None:
    op.create_table(
        "instruments",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("price_decimals", sa.Integer(), nullable=False),
        sa.Column("size_decimals", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_instruments_run_id")),
        sa.PrimaryKeyConstraint("run_id", "symbol", name=op.f("pk_instruments")),
    )


def _create_marks() -> None:
    op.create_table(
        "marks",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("minute_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("equity", sa.BigInteger(), nullable=False),
        sa.Column("cash", sa.BigInteger(), nullable=False),
        sa.Column("realized", sa.BigInteger(), nullable=False),
        sa.Column("unrealized", sa.BigInteger(), nullable=False),
        sa.Column("funding", sa.BigInteger(), nullable=False),
        sa.Column("fees", sa.BigInteger(), nullable=False),
        sa.Column("rebates", sa.BigInteger(), nullable=False),
        sa.Column("slippage", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("drawdown", sa.BigInteger(), nullable=False),
        sa.Column("drawdown_max", sa.BigInteger(), nullable=False),
        sa.Column("exposure", sa.BigInteger(), nullable=False),
        sa.Column("margin_used", sa.BigInteger(), nullable=False),
        sa.Column("margin_ratio", sa.BigInteger(), nullable=False),
        sa.Column("value_at_risk", sa.BigInteger(), nullable=False),
        sa.Column("position_count", sa.BigInteger(), nullable=False),
        sa.Column("open_orders", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_marks_run_id")),
        sa.PrimaryKeyConstraint("run_id", "minute_ns", name=op.f("pk_marks")),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("client_order_id", sa.String(length=34), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=32), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("filled_lots", sa.BigInteger(), nullable=False),
        sa.Column("time_in_force", sa.String(length=8), nullable=False),
        sa.Column("post_only", sa.Boolean(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("decision_mid_x2", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("venue_order_id", sa.BigInteger(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "state IN ('idle', 'signal', 'risk_approved', 'validated', 'submitted', 'open', 'partially_filled', 'pending_cancel', 'pending_replace', 'unknown', 'filled', 'canceled', 'expired', 'denied', 'rejected', 'not_placed')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint("lots > 0 AND price > 0", name=op.f("ck_orders_size")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_orders_run_id")),
        sa.PrimaryKeyConstraint("run_id", "client_order_id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_run_id_symbol"), "orders", ["run_id", "symbol"], unique=False)


def _create_positions() -> None:
    op.create_table(
        "positions",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("unrealized", sa.BigInteger(), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_positions_run_id")),
        sa.PrimaryKeyConstraint("run_id", "symbol", name=op.f("pk_positions")),
    )


def _create_transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("fact_id", sa.String(length=128), nullable=False),
        sa.Column("ts_event_ns", sa.BigInteger(), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("client_order_id", sa.String(length=34), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.CheckConstraint("kind IN ('transfer', 'fill', 'funding', 'liquidation')", name=op.f("ck_transactions_kind")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_transactions_run_id")),
        sa.PrimaryKeyConstraint("run_id", "sequence", name=op.f("pk_transactions")),
        sa.UniqueConstraint("run_id", "kind", "fact_id", name=op.f("uq_transactions_run_id_kind_fact_id")),
    )


def _create_fills() -> None:
    op.create_table(
        "fills",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_order_id", sa.String(length=34), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.Column("venue_order_id", sa.BigInteger(), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=32), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("liquidity", sa.String(length=32), nullable=False),
        sa.Column("notional", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("realized", sa.BigInteger(), nullable=False),
        sa.Column("slippage", sa.BigInteger(), nullable=False),
        sa.Column("position_after", sa.BigInteger(), nullable=False),
        sa.Column("decision_mid_x2", sa.BigInteger(), nullable=False),
        sa.Column("arrival_mid_x2", sa.BigInteger(), nullable=False),
        sa.Column("is_liquidation", sa.Boolean(), nullable=False),
        sa.Column("ts_event_ns", sa.BigInteger(), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("liquidity IN ('maker', 'taker')", name=op.f("ck_fills_liquidity")),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_fills_side")),
        sa.CheckConstraint("lots > 0 AND price > 0", name=op.f("ck_fills_size")),
        sa.ForeignKeyConstraint(
            ["run_id", "sequence"],
            ["transactions.run_id", "transactions.sequence"],
            name=op.f("fk_fills_run_id_sequence"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_fills_run_id")),
        sa.PrimaryKeyConstraint("run_id", "sequence", name=op.f("pk_fills")),
    )
    op.create_index(op.f("ix_fills_run_id_client_order_id"), "fills", ["run_id", "client_order_id"], unique=False)


def _create_funding() -> None:
    op.create_table(
        "funding",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("symbol", sa.String(length=64), nullable=False),
        sa.Column("hour_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("oracle_price", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "sequence"],
            ["transactions.run_id", "transactions.sequence"],
            name=op.f("fk_funding_run_id_sequence"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_funding_run_id")),
        sa.PrimaryKeyConstraint("run_id", "symbol", "hour_ns", name=op.f("pk_funding")),
        sa.UniqueConstraint("run_id", "sequence", name=op.f("uq_funding_run_id_sequence")),
    )


def _create_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=96), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_postings_amount")),
        sa.ForeignKeyConstraint(
            ["run_id", "sequence"],
            ["transactions.run_id", "transactions.sequence"],
            name=op.f("fk_postings_run_id_sequence"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_postings_run_id")),
        sa.PrimaryKeyConstraint("run_id", "sequence", "line", name=op.f("pk_postings")),
    )
    op.create_index(op.f("ix_postings_run_id_account"), "postings", ["run_id", "account"], unique=False)


def _create_transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("run_id", sa.String(length=16), nullable=False),
        sa.Column("notice", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_order_id", sa.String(length=34), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("from_state", sa.String(length=32), nullable=False),
        sa.Column("to_state", sa.String(length=32), nullable=False),
        sa.Column("trigger", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("time_in_state_ns", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("filled_lots", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "from_state IN ('idle', 'signal', 'risk_approved', 'validated', 'submitted', 'open', 'partially_filled', 'pending_cancel', 'pending_replace', 'unknown', 'filled', 'canceled', 'expired', 'denied', 'rejected', 'not_placed')",
            name=op.f("ck_transitions_from_state"),
        ),
        sa.CheckConstraint(
            "to_state IN ('idle', 'signal', 'risk_approved', 'validated', 'submitted', 'open', 'partially_filled', 'pending_cancel', 'pending_replace', 'unknown', 'filled', 'canceled', 'expired', 'denied', 'rejected', 'not_placed')",
            name=op.f("ck_transitions_to_state"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "client_order_id"],
            ["orders.run_id", "orders.client_order_id"],
            name=op.f("fk_transitions_run_id_client_order_id"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_transitions_run_id")),
        sa.PrimaryKeyConstraint("run_id", "notice", name=op.f("pk_transitions")),
    )
    op.create_index(
        op.f("ix_transitions_run_id_client_order_id"), "transitions", ["run_id", "client_order_id"], unique=False
    )


def upgrade() -> None:
    """Create every table, referred ones first."""
    _create_runs()
    _create_cursors()
    _create_incidents()
    _create_instruments()
    _create_marks()
    _create_orders()
    _create_positions()
    _create_transactions()
    _create_fills()
    _create_funding()
    _create_postings()
    _create_transitions()


def downgrade() -> None:
    """Drop every table, referring ones first."""
    for table in (
        "transitions",
        "postings",
        "funding",
        "fills",
        "transactions",
        "positions",
        "orders",
        "marks",
        "instruments",
        "incidents",
        "cursors",
        "runs",
    ):
        op.drop_table(table)
