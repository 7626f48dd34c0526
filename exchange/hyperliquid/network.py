"""Networks: where the venue is, and whose signatures it takes.

Laws: every URL is derived from one base URL; signatures say which kind of network they are for, so an order signed for
a test network is worth nothing on the real one.
Source: HYPERLIQUID 1.2, 4.1 (only mainnet signs as source "a").
"""

from urllib.parse import urlsplit

import msgspec

from domain.errors import ConfigInvalid

MAINNET = "mainnet"
_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One venue. http_url has no slash at its end."""

    name: str
    http_url: str
    ws_url: str
    is_mainnet: bool

    @classmethod
    def at(cls, name: str, base_url: str) -> "Network":
        """Return the network of a base URL such as `http://127.0.0.1:3001`.

        Raises: ConfigInvalid when it is none, or when mainnet would be spoken to in the clear.
        """
        parts = urlsplit(base_url)
        scheme = _SOCKET_SCHEMES.get(parts.scheme)
        if scheme is None or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.username:
            raise ConfigInvalid("network.url", base_url, "a base URL such as http://127.0.0.1:3001")
        is_mainnet = name == MAINNET
        if is_mainnet and parts.scheme != "https":
            raise ConfigInvalid("network.url", base_url, "https: mainnet is never spoken to in the clear")
        return cls(
            name=name,
            http_url=f"{parts.scheme}://{parts.netloc}",
            ws_url=f"{scheme}://{parts.netloc}/ws",
            is_mainnet=is_mainnet,
        )
