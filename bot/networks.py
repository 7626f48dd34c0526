"""Networks: where orders go, as whom, and what must be true before any leaves.

Laws: simulated unless told; mainnet needs `--confirm-mainnet` and the account typed in the configuration; the key is
read once, kept in a `SecretKey`, and never shown. One process per key: a second is refused.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from hyperliquid.utils.constants import LOCAL_API_URL, MAINNET_API_URL, TESTNET_API_URL

from bot.clock import now_ns
from bot.config import HatConfig
from bot.config_sections import NetworkName
from bot.keys import agent_key, key_folder
from domain.errors import ConfigInvalid, DataInvalid
from domain.instrument import Instrument
from domain.units import NS_PER_MS
from exchange.hyperliquid.instruments import fetch_instruments
from exchange.hyperliquid.lease import Lease
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.nonces import Nonces, nonce_file
from exchange.hyperliquid.questions import Questions
from exchange.hyperliquid.signing import Signer

URLS = {NetworkName.TESTNET: TESTNET_API_URL, NetworkName.MAINNET: MAINNET_API_URL}
LOCAL_URL = LOCAL_API_URL.replace("localhost", "127.0.0.1")


class Identity(msgspec.Struct, frozen=True):
    """Who signs: the signer, its nonces, and the lease that keeps a second process off the key."""

    signer: Signer
    nonces: Nonces
    lease: Lease


def network_of(config: HatConfig) -> Network:
    """Return the network that is configured. Raises: ConfigInvalid when it has no URL, or one it must not have."""
    section = config.network
    if section.name is NetworkName.SIMULATED:
        raise ConfigInvalid("network.name", "simulated", "local, testnet or mainnet")
    if section.url and section.name is not NetworkName.LOCAL:
        raise ConfigInvalid("network.url", section.url, "left out: testnet and mainnet have one URL each")
    url = URLS.get(section.name) or section.url or LOCAL_URL
    return Network.at(section.name.value, url)


def confirmed(config: HatConfig, *, confirm_mainnet: bool) -> None:
    """Refuse real money that was not asked for twice. Raises: ConfigInvalid saying what is missing."""
    if config.network.name is not NetworkName.MAINNET:
        return
    if not confirm_mainnet:
        raise ConfigInvalid("network.name", "mainnet", "--confirm-mainnet beside it: this trades real money")


def account_of(config: HatConfig) -> str:
    """Return the account that trades. Raises: ConfigInvalid when none is configured."""
    if not config.network.account:
        raise ConfigInvalid("network.account", "", "the address that trades, e.g. in hat.toml or HAT_NETWORK__ACCOUNT")
    return config.network.account


def identity_of(config: HatConfig, network: Network, environ: Mapping[str, str] = os.environ) -> Identity:
    """Return who signs. Raises: ConfigInvalid for a key that cannot be used or is in use by another process."""
    section = config.network
    key = agent_key(
        key_file=Path(section.key_file) if section.key_file else None,
        keystore=Path(section.keystore) if section.keystore else None,
        environ=environ,
        account=account_of(config),
        allow_master_key=section.allow_master_key,
    )
    signer = Signer(key, network.is_mainnet)
    folder = key_folder(environ)
    lease = Lease(folder, signer.address)
    nonces = Nonces(nonce_file(folder, signer.address), lambda: now_ns() // NS_PER_MS)
    return Identity(signer, nonces, lease)


def chosen_instruments(config: HatConfig, network: Network) -> tuple[Instrument, ...]:
    """Return the configured instruments as the venue describes them now.

    Raises: ConfigInvalid naming one the venue does not list; DataInvalid when it does not answer.
    """
    listed = {one.symbol: one for one in fetch_instruments(network.http_url)}
    for symbol in config.market.instruments:
        if symbol not in listed:
            raise ConfigInvalid("market.instruments", symbol, f"a perpetual listed on {network.name}")
    return tuple(listed[symbol] for symbol in config.market.instruments)


def requests_left(network: Network, account: str) -> int:
    """Return how many requests the address may still send. Raises: DataInvalid when the venue does not say."""
    questions = Questions(network.http_url)
    answer: Any = questions.ask({"type": "userRateLimit", "user": account})
    try:
        return max(int(answer["nRequestsCap"]) - int(answer["nRequestsUsed"]), 0)
    except (TypeError, KeyError, ValueError):
        raise DataInvalid(questions.place, f"no usable answer to userRateLimit: {answer!r}"[:200]) from None
