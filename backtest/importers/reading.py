"""Files as lines, and the exact numbers in them.

Why it exists: every layout meets the same troubles, and each must end in one sentence that names the file and the line,
never in a traceback: a missing file, a folder, a download cut off, bytes that are no text.

Laws: text becomes an integer exactly or not at all; only rates and marks, which the venue writes with more digits than
we keep, are rounded, by the function that says so.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec
import pyarrow as pa

from domain.errors import DataInvalid
from domain.units import INTEGER_DIGITS_MAX, NS_PER_MS, NS_PER_SECOND, parse_scaled

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
MAGIC_BYTES = 4
Wanted = TypeVar("Wanted")
EXPONENT_MAX = 30
REMEMBERED_MAX = 1_000_000
HEADER_BYTES_MAX = 65_536


def exact_scaled(text: str, decimals: int) -> int:
    """Return number text as an integer of 10**-decimals; exponents as Python writes them (1e-05) are numbers too.

    Raises: ValueError with one sentence for NaN, infinity, noise, or digits that would be lost.
    """
    if "e" not in text and "E" not in text:
        return parse_scaled(text, decimals)
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not a decimal number") from None
    if not number.is_finite() or abs(number.adjusted()) > EXPONENT_MAX:
        raise ValueError(f"{text[:40]!r} is not a decimal number of a market")
    return parse_scaled(f"{number:f}", decimals)


def rounded_scaled(text: str, decimals: int) -> int:
    """Return number text as an integer of 10**-decimals, rounded half to even: for rates and marks only.

    Raises: ValueError with one sentence for what is no number.
    """
    try:
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > INTEGER_DIGITS_MAX:
            raise ValueError(f"{text[:40]!r} is not a decimal number of a market")
        return int(number.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not a decimal number") from None


def decimals_in(text: str) -> int:
    """Return how many decimals number text needs; 0 for what is no number (whoever parses it will say so)."""
    if "e" not in text and "E" not in text:
        _, _, fraction = text.partition(".")
        return len(fraction.rstrip("0")) if fraction.isdigit() else 0
    try:
        exponent = Decimal(text).normalize().as_tuple().exponent
    except InvalidOperation:
        return 0
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


class Scaled(dict[str, int]):
    """Number text to integers of one scale, remembering what was parsed: books repeat themselves.

    `scaled[text]` raises ValueError as exact_scaled does.
    """

    def __init__(self, decimals: int) -> None:
        """Start empty at a scale."""
        super().__init__()
        self.decimals = decimals

    def __missing__(self, text: str) -> int:
        """Parse and remember."""
        value = exact_scaled(text, self.decimals)
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[text] = value
        return value


def unix_ns(digits: str) -> int:
    """Return a whole Unix time of seconds, milli-, micro- or nanoseconds (told by its length) in nanoseconds.

    Raises: ValueError for anything else.
    """
    if not digits.isascii() or not digits.isdigit() or len(digits) not in {10, 13, 16, 19}:
        raise ValueError(f"{digits[:40]!r} is not a Unix time of 10, 13, 16 or 19 digits")
    return int(digits.ljust(19, "0"))


def unix_ms(digits: str) -> int:
    """Return Unix milliseconds text in nanoseconds; raises ValueError for anything else."""
    if len(digits) != 13 or not digits.isascii() or not digits.isdigit():
        raise ValueError(f"{digits[:40]!r} is not Unix time in milliseconds")
    return int(digits) * NS_PER_MS


def unix_seconds(text: str) -> int:
    """Return Unix seconds text in nanoseconds; raises ValueError for anything else."""
    value = exact_scaled(text, 9)
    if not 1_000_000_000 <= value // NS_PER_SECOND <= 9_999_999_999:
        raise ValueError(f"{text[:40]!r} is not Unix time in seconds")
    return value


def utc_ns(text: str) -> int:
    """Return ISO time (UTC, with or without its Z, up to nine decimals) in nanoseconds; raises ValueError."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole)
    if moment.tzinfo is not None or (fraction and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"{text[:40]!r} is not a time in UTC")
    return int(moment.replace(tzinfo=UTC).timestamp()) * NS_PER_SECOND + int(fraction[:9].ljust(9, "0"))


def decoded(line: str) -> dict[str, Any]:
    """Return the JSON object in a text; raises ValueError with one sentence when it is none."""
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as trouble:
        raise ValueError(f"not valid JSON ({trouble})") from None


def typed(message: Any, kind: type[Wanted]) -> Wanted:
    """Return a decoded message as its struct; raises ValueError with one sentence when it does not fit."""
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as trouble:
        raise ValueError(str(trouble)) from None


def files_in(path: Path) -> list[Path]:
    """Return a file itself, or the visible files of a folder by name.

    Raises: DataInvalid when there is nothing at the path.
    """
    if not path.exists():
        raise DataInvalid(str(path), "no such file or folder")
    if path.is_file():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def _opened(path: Path) -> IO[bytes]:
    """Open a plain, gzip, lz4 or single-member zip file, told by its first bytes."""
    if not path.exists():
        raise DataInvalid(str(path), "no such file or folder")
    if path.is_dir():
        raise DataInvalid(str(path), "is a folder, expected a file")
    with path.open("rb") as plain:
        magic = plain.read(MAGIC_BYTES)
    if magic.startswith(GZIP_MAGIC):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if magic.startswith(LZ4_MAGIC):
        return io.BufferedReader(pa.input_stream(str(path), compression="lz4"))
    if magic.startswith(ZIP_MAGIC):
        archive = zipfile.ZipFile(path)
        members = archive.namelist()
        if len(members) != 1:
            raise DataInvalid(str(path), f"a zip of {len(members)} files, expected one")
        return archive.open(members[0])
    return path.open("rb")


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end); plain, gzip, lz4 or zip alike.

    Raises: DataInvalid for a missing, truncated, corrupt or unreadable file and for bytes that are no text.
    """
    number = 0
    try:
        with _opened(path) as file:
            for number, raw in enumerate(file, 1):
                yield number, raw.decode("utf-8").rstrip("\r\n")
    except EOFError:
        raise DataInvalid(str(path), f"compressed data is cut off after line {number}") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as trouble:
        raise DataInvalid(str(path), f"compressed data is corrupt after line {number} ({trouble})") from None
    except UnicodeDecodeError:
        raise DataInvalid(f"{path} line {number}", "not text in UTF-8") from None
    except OSError as trouble:
        raise DataInvalid(str(path), f"cannot be read after line {number} ({trouble})") from None


def messages_of(path: Path, notes: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield (place, text before the JSON, decoded JSON) of a file with one message per line.

    A last line that is no JSON is a recorder that was stopped while writing: it is left out and noted.
    Raises: DataInvalid as lines_of does, and for a line in the middle that is no JSON object.
    """
    broken: tuple[int, str] | None = None
    for number, line in lines_of(path):
        if not line:
            continue
        if broken is not None:
            raise DataInvalid(f"{path} line {broken[0]}", broken[1])
        place = max(line.find("{"), 0)
        try:
            message = decoded(line[place:])
        except ValueError as trouble:
            broken = (number, str(trouble))
            continue
        yield f"{path} line {number}", line[:place].strip(), message
    if broken is not None:
        notes.append(f"{path.name}: the last line is cut off and was left out.")


def first_line(path: Path) -> str:
    """Return the beginning of a file's first line; empty when there is none or it is no text."""
    try:
        with _opened(path) as file:
            return file.readline(HEADER_BYTES_MAX).decode("utf-8", "replace").rstrip("\r\n")
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error, DataInvalid):
        return ""


def rows_of(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of a comma-separated file without quotes, after checking its header.

    A last line that is shorter than the header is a recorder that was stopped while writing: it is left out.
    Raises: DataInvalid for an empty file, other columns, or a row of another length.
    """
    lines = lines_of(path)
    _, header = next(lines, (0, ""))
    if not header:
        raise DataInvalid(str(path), "is empty, expected a header and rows")
    found = tuple(header.lstrip("\ufeff").split(","))
    if found != columns:
        strange = [name for name in found if name not in columns]
        missing = [name for name in columns if name not in found]
        what = f"unknown {', '.join(strange[:3])}" if strange else "other order"
        what = f"missing {', '.join(missing[:3])}; {what}" if missing else what
        raise DataInvalid(f"{path} line 1", f"wrong columns ({what[:200]}), expected {', '.join(columns[:8])}…")
    short: tuple[int, int] | None = None
    for number, line in lines:
        if not line:
            continue
        if short is not None:
            raise DataInvalid(f"{path} line {short[0]}", f"{short[1]} cells, expected {len(columns)}")
        cells = line.split(",")
        if len(cells) != len(columns):
            short = (number, len(cells))
            continue
        yield number, cells
