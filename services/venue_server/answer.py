"""What the server answers to one request, before anybody has thought about sockets."""

from http import HTTPStatus

import msgspec

UNDECODABLE = "Failed to deserialize the JSON body into the target type"
"""Source: HYPERLIQUID 2 (answer to a body nobody can read)."""

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer. weight is what it costs the caller's IP in all, by items too (HYPERLIQUID 7.1)."""

    status: int = HTTPStatus.OK
    body: bytes = b"null"
    content_type: str = JSON
    weight: int = 1


def undecodable() -> Answer:
    """Return the answer to a request that cannot be read."""
    return Answer(status=HTTPStatus.UNPROCESSABLE_ENTITY, body=UNDECODABLE.encode(), content_type=TEXT)


def too_many() -> Answer:
    """Return the answer to an IP that asked too much: JSON null, as the venue does."""
    return Answer(status=HTTPStatus.TOO_MANY_REQUESTS, weight=0)
