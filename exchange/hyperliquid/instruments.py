"""Instruments as the venue describes them: its `meta` answer read into the house's words.

Laws: the index in `universe` is the asset id, so delisted entries are skipped but keep their place; a payload that
cannot be read is refused with its place and one sentence, never half understood.
Source: HYPERLIQUID 2.2, 6.1, 6.2, 9.3.
"""

from collections.abc import Mapping

import msgspec

from domain.errors import DataInvalid
from domain.instrument import Instrument, MarginTier, perpetual
from domain.units import Money, parse_money
from exchange.hyperliquid.questions import TIMEOUT_SECONDS, Questions
from exchange.hyperliquid.wire_market import Asset, MarginTable, Meta

IMPLICIT_TABLE_ID_MAX = 49
"""Margin tables up to this id are not listed: they have one tier, at the instrument's own maximum."""


def instruments_from_meta(meta: object) -> tuple[Instrument, ...]:
    """Return the tradable perpetuals of a decoded `meta` answer, in the order of their asset ids.

    Raises: DataInvalid naming the field that cannot be read.
    """
    try:
        answer = msgspec.convert(meta, Meta)
    except msgspec.ValidationError as error:
        raise DataInvalid("meta", str(error)) from None
    tables = dict(answer.margin_tables or ())
    instruments = []
    for asset_id, asset in enumerate(answer.universe):
        if asset.is_delisted is True:
            continue
        place = f"meta.universe[{asset_id}] ({asset.name})"
        try:
            tiers = _tiers(asset, tables)
            instruments.append(perpetual(asset.name, asset_id, asset.size_decimals, asset.max_leverage, tiers))
        except ValueError as error:
            raise DataInvalid(place, str(error)) from None
    return tuple(instruments)


def fetch_meta(base_url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> object:
    """Ask a venue for its `meta` and return the decoded answer. Raises: DataInvalid when there is none."""
    answer: object = Questions(base_url, timeout_seconds=timeout_seconds).ask({"type": "meta", "dex": ""})
    return answer


def fetch_instruments(base_url: str) -> tuple[Instrument, ...]:
    """Return the tradable perpetuals of a venue. Raises: DataInvalid."""
    return instruments_from_meta(fetch_meta(base_url))


def _tiers(asset: Asset, tables: Mapping[int, MarginTable]) -> tuple[MarginTier, ...]:
    """Return an asset's margin tiers, empty when one leverage holds for every size. Raises: ValueError."""
    table_id = asset.margin_table_id or 0
    if table_id <= IMPLICIT_TABLE_ID_MAX:
        return ()
    table = tables.get(table_id)
    if table is None:
        raise ValueError(f"margin table {table_id} is not in marginTables")
    tiers = [
        MarginTier(lower_bound=Money(parse_money(row.lower_bound)), leverage_max=row.max_leverage)
        for row in table.margin_tiers
    ]
    if [tier.lower_bound for tier in tiers] != sorted({tier.lower_bound for tier in tiers}):
        raise ValueError(f"margin table {table_id} does not ascend")
    return tuple(tiers)
