"""What the `hat` commands share: options, the configuration they ask for, one JSON object."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from bot.config import HatConfig

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="TOML file; default: ./hat.toml when there is one. HAT_SECTION__KEY in the environment overrides it, "
        "e.g. HAT_RISK__LEVERAGE_MAX=2.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, the last line of standard output.")]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", metavar="DIR", help="Where ledger, journal, log and bot.json are kept; default: ./state."
    ),
]
CoinOption = Annotated[str | None, typer.Option("--coin", metavar="SYMBOL", help="Only this coin, e.g. BTC.")]
UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="URL",
        help="Database, e.g. sqlite:///state/ledger.db or postgresql://user@host/name; default: the configured ledger.",
    ),
]
RunOption = Annotated[str, typer.Option("--run", metavar="RUN", help="A run's id; default: the newest.")]


def print_json(shape: object) -> None:
    """Print one object on one line."""
    sys.stdout.write(msgspec.json.encode(shape).decode() + "\n")
    sys.stdout.flush()


def configured(path: Path | None, state_dir: Path | None = None, **asked: dict[str, object]) -> "HatConfig":
    """Return the configuration with what the command line overrides, by section."""
    from bot.config import load

    sections = {**asked, "bot": {"state_dir": state_dir, **asked.get("bot", {})}}
    overrides = {
        section: {key: str(value) for key, value in keys.items() if value is not None}
        for section, keys in sections.items()
    }
    return load(path, {section: keys for section, keys in overrides.items() if keys})
