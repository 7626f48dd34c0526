"""The configuration as text that can be read back: TOML of plain data."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(shape: Mapping[str, Mapping[str, Any]]) -> str:
    """Return sections of keys as a TOML file; a key without a value is a comment."""
    blocks = []
    for section, values in shape.items():
        lines = [f"[{section}]"]
        for key, value in values.items():
            lines.append(f"# {key} is not set" if value is None else f"{_key(key)} = {_value(value)}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """Return one value; a JSON string, number, truth value or list of them is TOML as well."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items() if one is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    return msgspec.json.encode(value).decode()
