"""The venue's abbreviations live in the files that describe its wire, and nowhere else.

The rule: no name in shipped code (variable, argument, attribute, field, function, keyword) and no key of a mapping is an
abbreviation of the venue or has one as a word in it. Texts that are values, such as the statuses and refusals of the
venue, are its own sentences and free. Exempt are the files whose subject is a wire or a recorded format.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePath

import pytest

from exchange.hyperliquid.codec_orders import KNOWN as STATUSES
from tests.tidy.test_tidy import nodes, product_files

WORDS = frozenset({"px", "pxs", "sz", "szs", "oid", "tid", "szi", "ntl", "ntli", "vlm", "cloid", "tif"})
WIRE_FILE = re.compile(r"^wire(_\w+)?\.py$")
FORMATS = {
    "backtest/importers/hyperliquid_ws.py": "reads recordings of the wire as they were written",
    "backtest/importers/archive_lines.py": "reads the columns and keys of the venue's archive",
}
KEYS_ONLY = {
    "services/venue_server/info_person.py": "writes answers nobody in the house reads: they have no structure",
    "services/venue_server/pushes.py": "writes a push nobody in the house reads",
    "services/venue_server/encoding.py": "writes the free-form fields of ledger updates",
    "services/venue_server/questions.py": "reads whatever clients ask, key by key",
}


def words_of(name: str) -> set[str]:
    """Return the words of a name, in snake or camel case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names a node gives or uses."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.keyword(arg=str(name)):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name


def keys_in(node: ast.AST) -> Iterator[str]:
    """Yield the texts a node uses as keys: of a mapping written out, read, or renamed to on the wire."""
    found: list[ast.expr | None] = []
    match node:
        case ast.Dict(keys=keys):
            found += keys
        case ast.Subscript(slice=key):
            found.append(key)
        case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[key, *_]):
            found.append(key)
        case ast.Call(func=ast.Name(id="keys" | "dict")) | ast.Call(func=ast.Attribute(attr="field")):
            found += [keyword.value for keyword in node.keywords]
    for one in found:
        # A status of the venue may be looked up: it is a value of the wire, not a key of it.
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value not in STATUSES:
            yield one.value


def test_only_wire_files_hold_the_venues_abbreviations() -> None:
    broken = []
    for name in product_files():
        if WIRE_FILE.match(PurePath(name).name) or name in FORMATS:
            continue
        for node in nodes(name):
            found = list(names_in(node)) + (list(keys_in(node)) if name not in KEYS_ONLY else [])
            broken += [f"{name}:{getattr(node, 'lineno', 0)} {one}" for one in found if words_of(one) & WORDS]
    assert [] == broken


@pytest.mark.parametrize("name", sorted(FORMATS | KEYS_ONLY))
def test_every_exemption_is_needed(name: str) -> None:
    found = [one for node in nodes(name) for one in (*names_in(node), *keys_in(node))]
    assert any(words_of(one) & WORDS for one in found)


def test_the_rule_sees_every_way_of_writing_an_abbreviation() -> None:
    for text in ("limit_px = 1", "a.markPx", "def f(oid): ...", "f(cloid=1)", 'b = {"sz": 1}', 'b["origSz"]',
                 'b.get("tid")', 'field(name=1)\nmsgspec.field(name="szi")', 'keys(price="px")'):  # fmt: skip
        found_in = list(ast.walk(ast.parse(text)))
        found = [one for node in found_in for one in (*names_in(node), *keys_in(node))]
        assert any(words_of(one) & WORDS for one in found), text
    for text in ("pixel = 1", 'x = "badAloPxRejected"', 'b["size"]'):
        found_in = list(ast.walk(ast.parse(text)))
        assert not any(words_of(one) & WORDS for node in found_in for one in (*names_in(node), *keys_in(node))), text
