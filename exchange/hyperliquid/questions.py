"""Cold-path questions to a venue over the official SDK: what is listed, who we are, what we hold.

Why the SDK here: it is the venue's own client, and nothing on this path is in a hurry. Its loose ends (answers that
are no JSON, errors it cannot read itself, HYPERLIQUID 1.6) become one `DataInvalid` with the place and one sentence.
"""

from collections.abc import Mapping
from typing import Any

import requests
from hyperliquid.api import API
from hyperliquid.utils.error import ClientError, ServerError

from domain.errors import DataInvalid

TIMEOUT_SECONDS = 10.0
TEXT_CHARS_MAX = 200
TOO_MANY = 429


class Questions:
    """Asks one venue. Nothing is signed."""

    def __init__(self, base_url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Know the venue; nothing is sent yet."""
        self.place = f"{base_url}/info"
        self._api = API(base_url, timeout_seconds)

    def ask(self, body: Mapping[str, Any]) -> Any:
        """Return the decoded answer. Raises: DataInvalid when there is none that can be used."""
        kind = body.get("type", "?")
        try:
            answer = self._api.post("/info", dict(body))
        except ClientError as error:
            text = (
                "too many requests from this address" if error.status_code == TOO_MANY else f"HTTP {error.status_code}"
            )
            raise DataInvalid(self.place, f"refused {kind}: {text}") from None
        except ServerError as error:
            raise DataInvalid(self.place, f"failed at {kind}: HTTP {error.status_code}") from None
        except requests.Timeout:
            raise DataInvalid(self.place, f"did not answer {kind} within {self._api.timeout:g} s") from None
        except requests.RequestException as error:
            raise DataInvalid(self.place, f"cannot be reached ({type(error).__name__})") from None
        except (KeyError, AttributeError) as error:
            # The SDK lets these out for error bodies it does not expect.
            raise DataInvalid(self.place, f"no usable answer to {kind}: {error!r}"[:TEXT_CHARS_MAX]) from None
        if isinstance(answer, Mapping) and set(answer) == {"error"}:
            raise DataInvalid(self.place, f"no usable answer to {kind}: {answer['error']}"[:TEXT_CHARS_MAX])
        return answer
