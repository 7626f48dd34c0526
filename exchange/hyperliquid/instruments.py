"""Instruments as the venue describes them: its `meta` answer read into the house's words.

Laws: the index in `universe` is the asset id, so delisted entries are skipped but keep their place; a payload that
cannot be read is refused with its place and one sentence, never half understood.
Source: HYPERLIQUID 2.2, 6.1, 6.2, 9.3.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import requests
from hyperliquid.info import Info
from hyperliquid.utils.error import Error as SdkError

from domain.errors import DataInvalid
from domain.instrument import Instrument, MarginTier, perpetual
from domain.units import Money, parse_money

IMPLICIT_TABLE_ID_MAX = 49
"""Margin tables up to this id are not listed: they have one tier, at the instrument's own maximum."""

FETCH_TIMEOUT_SECONDS = 10.0


class _Tier(msgspec.Struct, rename="camel"):
    """One row of a margin table, as sent."""

    lower_bound: str
    max_leverage: int


class _Table(msgspec.Struct, rename="camel"):
    """One margin table, as sent."""

    margin_tiers: list[_Tier]


class _Asset(msgspec.Struct, rename="camel"):
    """One entry of the universe, as sent. Older answers carry no margin table."""

    name: str
    sz_decimals: int
    max_leverage: int
    margin_table_id: int = 0
    is_delisted: bool = False


class _Meta(msgspec.Struct, rename="camel"):
    """The answer to `meta`, as sent."""

    universe: list[_Asset]
    margin_tables: list[tuple[int, _Table]] = []


def instruments_from_meta(meta: object) -> tuple[Instrument, ...]:
    """Return the tradable perpetuals of a decoded `meta` answer, in the order of their asset ids.

    Raises: DataInvalid naming the field that cannot be read.
    """
    try:
        answer = msgspec.convert(meta, _Meta)
    except msgspec.ValidationError as error:
        raise DataInvalid("meta", str(error)) from None
    tables = dict(answer.margin_tables)
    instruments = []
    for asset_id, asset in enumerate(answer.universe):
        if asset.is_delisted:
            continue
        place = f"meta.universe[{asset_id}] ({asset.name})"
        try:
            tiers = _tiers(asset, tables)
            instruments.append(perpetual(asset.name, asset_id, asset.sz_decimals, asset.max_leverage, tiers))
        except ValueError as error:
            raise DataInvalid(place, str(error)) from None
    return tuple(instruments)


def fetch_meta(base_url: str, *, timeout_seconds: float = FETCH_TIMEOUT_SECONDS) -> object:
    """Ask a venue for its `meta` through the official SDK and return the decoded answer.

    Raises: DataInvalid when the venue does not answer, or answers with an error.
    """
    empty_spot: Any = {"tokens": [], "universe": []}
    empty_perpetuals: Any = {"universe": []}
    info = Info(base_url, skip_ws=True, meta=empty_perpetuals, spot_meta=empty_spot, timeout=timeout_seconds)
    try:
        answer: object = info.meta()
    except (requests.RequestException, SdkError, KeyError, AttributeError) as error:
        # The SDK lets KeyError and AttributeError out for error bodies it does not expect (HYPERLIQUID 1.6).
        raise DataInvalid(f"{base_url}/info", f"no usable answer to meta: {error!r}"[:300]) from None
    if isinstance(answer, Mapping) and "error" in answer and "universe" not in answer:
        raise DataInvalid(f"{base_url}/info", str(answer["error"])[:300])
    return answer


def fetch_instruments(base_url: str) -> tuple[Instrument, ...]:
    """Return the tradable perpetuals of a venue. Raises: DataInvalid."""
    return instruments_from_meta(fetch_meta(base_url))


def _tiers(asset: _Asset, tables: Mapping[int, _Table]) -> tuple[MarginTier, ...]:
    """Return an asset's margin tiers, empty when one leverage holds for every size. Raises: ValueError."""
    if asset.margin_table_id <= IMPLICIT_TABLE_ID_MAX:
        return ()
    table = tables.get(asset.margin_table_id)
    if table is None:
        raise ValueError(f"margin table {asset.margin_table_id} is not in marginTables")
    tiers = [
        MarginTier(lower_bound=Money(parse_money(row.lower_bound)), leverage_max=row.max_leverage)
        for row in table.margin_tiers
    ]
    if [tier.lower_bound for tier in tiers] != sorted({tier.lower_bound for tier in tiers}):
        raise ValueError(f"margin table {asset.margin_table_id} does not ascend")
    return tuple(tiers)
