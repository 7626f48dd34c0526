"""`hat key`: put the agent's key into an encrypted keystore, and say which address a key signs as.

Laws: a secret never stands on the command line, where history and process lists keep it, and is never printed; what
was typed there by mistake is not repeated.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, configured, print_json
from domain.errors import ConfigInvalid

if TYPE_CHECKING:
    from exchange.hyperliquid.secret_key import SecretKey

COMMAND_LINE = "command line"
NOT_REPEATED = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Typer would print a word it does not know; here that word may be a key."""

key_app = typer.Typer(
    help="Keep the agent's key: `hat key import --to agent.json`, then `hat key show-address`.", no_args_is_help=True
)


@key_app.command("import", context_settings=NOT_REPEATED)
def key_import(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Keystore to write; never replaced.")],
    as_json: JsonOption = False,
) -> None:
    """Encrypt an agent's secret key into a keystore (Ethereum version 3) that only you may read.

    The key is read from HAT_AGENT_KEY, or asked for, or is the first line of standard input; the passphrase from
    HAT_KEYSTORE_PASSPHRASE, or asked for twice.

    For example `hat key import --to agent.json`, then `keystore = "agent.json"` under `[network]`.
    """
    from bot.keys import AGENT_KEY, address_of, parsed_key, quiet, write_keystore

    _refuse_words(context.args)
    told = quiet(None)
    if told(AGENT_KEY):
        key = parsed_key(told(AGENT_KEY), AGENT_KEY)
    else:
        key = parsed_key(_said("Secret key of the agent (not shown): "), "standard input")
    write_keystore(to, key, _chosen_passphrase)
    if as_json:
        print_json({"address": address_of(key), "keystore": str(to)})
    else:
        typer.echo(f"{address_of(key)}  kept in {to}; approve this address as an agent (API wallet) of your account")


@key_app.command("show-address", context_settings=NOT_REPEATED)
def key_show_address(
    context: typer.Context,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="File with the key; default: as configured.")
    ] = None,
    keystore: Annotated[
        Path | None, typer.Option("--keystore", metavar="FILE", help="Keystore; default: as configured.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the address the agent's key signs as; the key comes from where `hat run` would take it."""
    from bot.keys import address_of

    _refuse_words(context.args)
    if key_file is None and keystore is None:
        network = configured(config).network
        key_file = Path(network.key_file) if network.key_file else None
        keystore = Path(network.keystore) if network.keystore else None
    address = address_of(_key(key_file, keystore))
    if as_json:
        print_json({"address": address})
    else:
        typer.echo(address)


def asked_passphrase() -> Callable[[], str] | None:
    """Return how to ask for a passphrase; None when nobody sits at a terminal."""
    from getpass import getpass

    return (lambda: getpass("Passphrase of the keystore: ")) if sys.stdin.isatty() else None


def _key(key_file: Path | None, keystore: Path | None) -> "SecretKey":
    from bot.keys import read_key

    return read_key(key_file, keystore, ask=asked_passphrase())


def _refuse_words(words: list[str]) -> None:
    count = len(words)
    words.clear()
    if count:
        raise ConfigInvalid(
            COMMAND_LINE,
            f"{count} unknown word{'' if count == 1 else 's'}, not shown",
            "only options named in --help; a key that was typed there is in the history of your shell: take a new one",
        )


def _said(prompt: str) -> str:
    from getpass import getpass

    return getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()


def _chosen_passphrase() -> str:
    """Return the passphrase a keystore shall have. Raises: ConfigInvalid when there is none, or it was mistyped."""
    from bot.keys import PASSPHRASE, quiet

    told = quiet(None)
    if told(PASSPHRASE):
        return told(PASSPHRASE)
    if not sys.stdin.isatty():
        raise ConfigInvalid(PASSPHRASE, "", "a passphrase, or a terminal to ask for it")
    first, second = _said("Passphrase for the keystore: "), _said("The same again: ")
    is_chosen = first == second != ""
    if is_chosen:
        return first
    del first, second
    raise ConfigInvalid("passphrase", "not shown", "the same words twice, and at least one character")
