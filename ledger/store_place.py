"""How a database's address is shown: as it was typed, without what only its owner may know.

Why it exists: a URL may hold its secret in three places (user part, query, a driver's words), and one that is masked in
two of them is not masked. Every message, summary and log line shows addresses by these functions and by no other.

Laws: no secret survives, wherever the URL is wrong; when it is unclear where a password ends, too much is masked rather
than too little; what is no secret is left as it was typed. Plain text: needs no database library.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

MASK = "***"
PORT_MAX = 65_535
SECRET_LENGTH_MIN = 3

_SECRET_NAME = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)
_IN_PASSWORD = re.compile(r"[^=&]*@")
"""What a query cannot begin with: its first parameter has no `@` in its name."""
_ASSIGNED = re.compile(r"((?:pass\w*|sslpassword|sslkey|secret|token)\s*=\s*)(?:'[^']*'|\S+)", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Say whether a parameter of this name is never shown: password, passfile, sslpassword, sslkey, a token."""
    return _SECRET_NAME.search(name) is not None


def masked(text: str) -> str:
    """Return text with the secrets of the URL in it replaced; text that holds none comes back as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    head, mark, query = _parted(rest)
    shown = f"{head}{mark}{_masked_query(query)}"
    user, at, _ = _user_and_place(head)
    if at and ":" in user:
        shown = f"{user.partition(':')[0]}:{MASK}@{shown.rpartition('@')[2]}"
    return f"{scheme}{separator}{shown}"


def masked_words(text: str) -> str:
    """Return text that is no URL but was given as one, without what may be a secret in it."""
    if "://" in text:
        return masked(text)
    before, at, after = text.rpartition("@")
    return _ASSIGNED.sub(rf"\1{MASK}", f"{MASK}@{after}" if at and before else after)


def without(text: str, secrets: Iterable[str]) -> str:
    """Return somebody else's words without these secrets; one of a letter or two would only garble them."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_LENGTH_MIN:
            text = text.replace(secret, MASK)
    return text


def with_quoted_user(text: str) -> str:
    """Return a URL with an `@` in its password, path or query as one that every reader takes apart the same way."""
    scheme, separator, rest = text.partition("://")
    head, mark, query = _parted(rest)
    user, at, place = _user_and_place(head)
    if scheme.partition("+")[0] == "sqlite" or not separator:
        return text
    place, query = place.replace("@", "%40"), query.replace("@", "%40")
    for plain, quoted in (("@", "%40"), ("/", "%2F"), ("?", "%3F")):
        user = user.replace(plain, quoted)
    return f"{scheme}{separator}{user}{at}{place}{mark}{query}"


def has_port(text: str) -> bool:
    """Say whether the port of a URL, where it names one, is a port."""
    _, _, rest = text.partition("://")
    _, _, place = _user_and_place(_parted(rest)[0])
    _, _, port = place.partition("/")[0].rpartition("]")[2].partition(":")
    return not port or (port.isascii() and port.isdecimal() and 0 < int(port) <= PORT_MAX)


def _parted(rest: str) -> tuple[str, str, str]:
    """Return what stands before the query, the question mark, the query. A password may hold question marks too."""
    first, at, more = rest.partition("@")
    if not at or not _is_user(first):
        return rest.partition("?")
    head, mark, query = more.partition("?")
    while _IN_PASSWORD.match(query):
        more, mark, query = query.partition("?")
        head = f"{head}?{more}"
    return f"{first}@{head}", mark, query


def _is_user(before_at: str) -> bool:
    """Say whether what stands before an `@` can be a user and a password: not a path, not a query."""
    return re.match(r"[^/?:]*(:|$)", before_at) is not None


def _user_and_place(head: str) -> tuple[str, str, str]:
    """Return user part, `@` and the rest; empty user part where there is none.

    Where a password stands, everything to the last `@` may belong to it.
    """
    first, at, _ = head.partition("@")
    if not at or not _is_user(first):
        return "", "", head
    if ":" in first:
        return head.rpartition("@")
    authority, slash, path = head.partition("/")
    user, at, place = authority.rpartition("@")
    return user, at, f"{place}{slash}{path}"


def _masked_query(query: str) -> str:
    # A part without a name is what stands behind an `&` inside of a secret.
    parts = (one.partition("=") for one in query.split("&")) if query else ()
    return "&".join(
        f"{name}={MASK if is_secret(unquote(name)) else value}" if equals else MASK for name, equals, value in parts
    )
