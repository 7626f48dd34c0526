"""Identifiers, derived and never drawn: the same run gives the same ids, byte for byte.

A client order id is 16 bytes, which is at once Hyperliquid's `cloid` and an OpenTelemetry trace id, so an order, its
ledger rows and its trace share one name.
"""

from typing import NewType

ClientOrderId = NewType("ClientOrderId", str)
"""`0x` and 32 hex digits: 8 bytes run, 8 bytes sequence."""

VenueOrderId = NewType("VenueOrderId", int)
TradeId = NewType("TradeId", int)
RunId = NewType("RunId", int)
"""64 bits, never zero."""

NO_ORDER = ClientOrderId("")
"""Named by fills that no order of ours asked for (liquidation, deleveraging)."""

RUN_BITS = 64


def client_order_id(run_id: RunId, sequence: int) -> ClientOrderId:
    """Return the id of the sequence-th order of a run. Sequence counts from 1."""
    return ClientOrderId(f"0x{run_id:016x}{sequence:016x}")


def trace_id(order_id: ClientOrderId) -> int:
    """Return the 128-bit OpenTelemetry trace id of an order."""
    return int(order_id, 16)


def trace_id_text(order_id: ClientOrderId) -> str:
    """Return the trace id as 32 hex digits, as Jaeger shows it; empty for NO_ORDER."""
    return order_id[2:]
