"""Strategies, one file each, and the table by which settings name them."""

from collections.abc import Callable
from typing import Any

import msgspec

from domain.errors import ConfigInvalid
from engine.strategies.null import NullStrategy
from engine.strategies.two_sided import TwoSidedMaker, TwoSidedSettings
from engine.strategy import Strategy


def _two_sided(parameters: dict[str, Any]) -> Strategy:
    try:
        return TwoSidedMaker(msgspec.convert(parameters, TwoSidedSettings, strict=False).validated())
    except msgspec.ValidationError as error:
        raise ConfigInvalid("strategy", parameters, f"parameters of two_sided ({error})") from None


STRATEGIES: dict[str, Callable[[dict[str, Any]], Strategy]] = {
    "two_sided": _two_sided,
    "null": lambda _: NullStrategy(),
}


def make_strategy(name: str, parameters: dict[str, Any]) -> Strategy:
    """Return a strategy by name; raises ConfigInvalid naming those that exist."""
    if name not in STRATEGIES:
        raise ConfigInvalid("strategy.name", name, f"one of {', '.join(sorted(STRATEGIES))}")
    return STRATEGIES[name](parameters)
