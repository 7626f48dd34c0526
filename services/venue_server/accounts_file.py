"""`accounts.toml`: who has money at the venue when it opens, and the demo account for those who just want to try.

    [[account]]
    address = "0x…"          # the account's own address
    usdc = "10000"           # on the perpetuals side
    spot_usdc = "0"          # optional
    name = "desk one"        # optional, for people

    [[account.agent]]        # optional: keys that may trade for it
    address = "0x…"
    name = "bot"

Laws: money is exact; unknown keys are refused; no secret key is ever read from a file of ours.
"""

import re
import tomllib
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import msgspec

from domain.errors import ConfigInvalid
from domain.units import MONEY_UNIT, Money, format_money, parse_money

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
DEMO_USDC = Money(10_000 * MONEY_UNIT)
ACCOUNTS_MAX = 10_000


class AgentEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that may trade for an account; without a name it is the one unnamed agent."""

    address: str
    name: str = ""


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at opening, as written."""

    address: str
    usdc: str = "0"
    spot_usdc: str = "0"
    name: str = ""
    agent: tuple[AgentEntry, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: tuple[AccountEntry, ...] = ()


class OpeningAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account at opening, addresses in lower case, money exact."""

    address: str
    usdc: Money
    spot_usdc: Money = Money(0)
    name: str = ""
    agents: tuple[AgentEntry, ...] = ()


def read_accounts(path: Path) -> tuple[OpeningAccount, ...]:
    """Return the accounts of a file. Raises: ConfigInvalid naming what cannot be used."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file, parse_float=Decimal)
        entries = msgspec.convert(content, _File).account
    except OSError as error:
        raise ConfigInvalid("--accounts", str(path), f"a readable TOML file ({error.strerror})") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigInvalid("--accounts", str(path), f"[[account]] tables with text values ({error})") from None
    if len(entries) > ACCOUNTS_MAX:
        raise ConfigInvalid("--accounts", len(entries), f"at most {ACCOUNTS_MAX} accounts")
    accounts = tuple(_opening(number, entry) for number, entry in enumerate(entries))
    owners: dict[str, str] = {}
    for account in accounts:
        for address in (account.address, *(agent.address for agent in account.agents)):
            if address in owners:
                raise ConfigInvalid("--accounts", address, "every address once")
            owners[address] = account.address
    return accounts


def _opening(number: int, entry: AccountEntry) -> OpeningAccount:
    place = f"account[{number}]"
    return OpeningAccount(
        address=address_of(f"{place}.address", entry.address),
        usdc=_money(f"{place}.usdc", entry.usdc),
        spot_usdc=_money(f"{place}.spot_usdc", entry.spot_usdc),
        name=entry.name,
        agents=tuple(
            AgentEntry(address=address_of(f"{place}.agent.address", one.address), name=one.name) for one in entry.agent
        ),
    )


def address_of(key: str, text: str) -> str:
    """Return an address in lower case. Raises: ConfigInvalid naming the key when it is none."""
    if not ADDRESS.fullmatch(text):
        raise ConfigInvalid(key, text[:60], "an address: 0x and 40 hex digits")
    return text.lower()


def _money(key: str, text: str) -> Money:
    try:
        amount = parse_money(text)
    except ValueError as error:
        raise ConfigInvalid(key, text[:60], f'USDC as text, such as "10000" ({error})') from None
    if amount < 0:
        raise ConfigInvalid(key, format_money(amount), "0 or more")
    return amount


def demo_key(seed: int) -> bytes:
    """Return the secret key of the demo account: known to everybody who knows the seed, and worth nothing elsewhere."""
    return sha256(b"hat venue demo account %d" % seed).digest()
