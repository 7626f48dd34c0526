"""The journal's record format, pure: bytes in, bytes out. The file itself is `bot/journal_file.py`.

A record is a 17-byte header (payload length u32, CRC-32 of sequence, kind and payload u32, sequence u64, kind u8;
little endian) and a MessagePack payload. Records of one run count from 1 without gaps, so a missing record is seen.

Version 2. Kinds: 1 header (run settings), 2 event, 3 command.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import TypeVar
from zlib import crc32

import msgspec

from domain.commands import Command
from domain.errors import JournalCorrupt, JournalTorn
from domain.events import Event

T = TypeVar("T")

VERSION = 2
_HEADER = Struct("<IIQB")
_SEAL = Struct("<QB")
_SEQUENCE_AT = 8
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024

_ENCODER = msgspec.msgpack.Encoder()
_EVENTS: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
_COMMANDS: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)


class Kind(IntEnum):
    """What a record holds."""

    HEADER = 1
    EVENT = 2
    COMMAND = 3


class Record(msgspec.Struct, frozen=True):
    """One record as read back."""

    sequence: int
    kind: Kind
    payload: bytes

    def event(self) -> Event:
        """Return the event of an event record; raises JournalCorrupt when the payload is none."""
        return _decoded(_EVENTS, self)

    def command(self) -> Command:
        """Return the command of a command record; raises JournalCorrupt when the payload is none."""
        return _decoded(_COMMANDS, self)


def _decoded(decoder: msgspec.msgpack.Decoder[T], record: Record) -> T:
    try:
        return decoder.decode(record.payload)
    except msgspec.MsgspecError as error:
        kind = record.kind.name.lower()
        raise JournalCorrupt(f"record {record.sequence} of kind {kind} does not read: {error}") from None


def encode_payload(message: object) -> bytes:
    """Return an event, a command or settings as MessagePack."""
    return _ENCODER.encode(message)


def encode_record(sequence: int, kind: Kind, payload: bytes) -> bytes:
    """Return one record as bytes."""
    check = crc32(payload, crc32(_SEAL.pack(sequence, kind)))
    return _HEADER.pack(len(payload), check, sequence, kind) + payload


def read_records(content: bytes) -> Iterator[Record]:
    """Yield the records of a journal.

    Raises: JournalTorn where the journal ends inside a record; JournalCorrupt naming sequence and byte offset at the first
    record that is out of order or altered, also when only its length is: then a whole record follows somewhere behind it.
    """
    offset, expected = 0, 1
    while offset < len(content):
        if len(content) - offset < _HEADER.size:
            raise JournalTorn(expected, offset, len(content) - offset)
        length, check, sequence, kind = _HEADER.unpack_from(content, offset)
        start = offset + _HEADER.size
        if start + length > len(content):
            following = _find(content, expected + 1, start)
            if length > PAYLOAD_BYTES_MAX or following is not None:
                where = "" if following is None else f", and record {expected + 1} follows at byte {following}"
                raise JournalCorrupt(f"record {expected} at byte {offset} announces {length} bytes{where}")
            raise JournalTorn(expected, offset, len(content) - offset)
        payload = content[start : start + length]
        if crc32(payload, crc32(_SEAL.pack(sequence, kind))) != check:
            raise JournalCorrupt(f"record {expected} at byte {offset} does not match its checksum")
        if sequence != expected or kind not in Kind.__members__.values():
            raise JournalCorrupt(f"record {sequence} of kind {kind} at byte {offset}, expected record {expected}")
        yield Record(sequence, Kind(kind), payload)
        offset, expected = start + length, expected + 1


def _find(content: bytes, sequence: int, start: int) -> int | None:
    """Return where a whole record of this sequence begins at or behind start; None when there is none."""
    numbered = sequence.to_bytes(8, "little")
    place = content.find(numbered, start)
    while place >= 0:
        offset = place - _SEQUENCE_AT
        if offset >= start and offset + _HEADER.size <= len(content):
            length, check, _, kind = _HEADER.unpack_from(content, offset)
            payload = content[offset + _HEADER.size : offset + _HEADER.size + length]
            if length == len(payload) and crc32(payload, crc32(_SEAL.pack(sequence, kind))) == check:
                return offset
        place = content.find(numbered, place + 1)
    return None
