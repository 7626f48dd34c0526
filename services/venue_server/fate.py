"""What misfortune may do to a request or a connection: the words between `misfortune.py` and the server."""

import msgspec

from services.venue_server.answer import Answer


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one request.

    Units: nanoseconds. answer: told at once, and the request is not carried out. wait_ns passes before it is carried out,
    late_ns between that and its answer; is_silent: carried out, never answered, and after late_ns the line is cut.
    """

    answer: Answer | None = None
    wait_ns: int = 0
    late_ns: int = 0
    is_silent: bool = False


CALM = Fate()


class LineFate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one connection now: it is dropped, or sends nothing until a time (0: now)."""

    is_dropped: bool = False
    stalled_until_ns: int = 0
