"""Misfortune on demand: what a venue does to its clients on bad days, drawn from a seed.

Why it exists: a bot that was only ever tried against a venue that answers has not been tried. Every misfortune here was
seen at the real one: lost and late answers, 429 and 5xx, dropped and silent sockets, repeated and reordered messages,
a network upgrade, a halt, a clock that is off.

Laws: the same seed and the same order of requests and frames give the same misfortune; it decides who hears of an
action, never what the action does, except where a rule of the venue says so (post-only, halt).
"""

import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from domain.errors import ConfigInvalid
from domain.units import NS_PER_MS, NS_PER_SECOND
from services.venue_server.answer import TEXT, Answer, too_many
from services.venue_server.fate import CALM, Fate, LineFate

MILLION = 1_000_000
DAY_MS = 86_400_000
SEED_MAX = 2**63
USER_CHANNELS = (
    b'{"channel":"orderUpdates"',
    b'{"channel":"userFills"',
    b'{"channel":"user"',
    b'{"channel":"userFundings"',
    b'{"channel":"userNonFundingLedgerUpdates"',
)
SNAPSHOT = b'"isSnapshot":true'
BAD_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"


class MisfortuneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often what goes wrong. Shares are parts of a million, of requests, of frames, or of sockets per second.

    Units: *_ms milliseconds. late: carried out at once, answered after late_ms. slow: carried out only after slow_ms.
    silent: carried out, never answered; an HTTP line is cut after silent_ms. drop and stall are per socket and second.
    upgrade_ms and halt_ms last from the moment they are set; skew_ms moves the venue's clock against the wall, forward at
    once, back by standing still.
    """

    seed: int = 1
    too_many: int = 0
    internal_error: int = 0
    bad_gateway: int = 0
    late: int = 0
    late_ms: int = 3_000
    slow: int = 0
    slow_ms: int = 500
    silent: int = 0
    silent_ms: int = 1_000
    drop: int = 0
    stall: int = 0
    stall_ms: int = 5_000
    duplicate: int = 0
    reorder: int = 0
    skip_snapshot: int = 0
    upgrade_ms: int = 0
    halt_ms: int = 0
    skew_ms: int = 0
    actions_only: bool = False
    """Whether requests that trade nothing are spared."""

    def validated(self) -> "MisfortuneSettings":
        """Return the settings. Raises: ConfigInvalid for the first that cannot be used."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            most = DAY_MS if name.endswith("_ms") else SEED_MAX if name == "seed" else MILLION
            least = -DAY_MS if name == "skew_ms" else 0
            if not least <= value <= most:
                raise ConfigInvalid(f"misfortune.{name}", value, f"{least}..{most}")
        if self.too_many + self.internal_error + self.bad_gateway + self.late + self.slow + self.silent > MILLION:
            raise ConfigInvalid("misfortune", "shares of requests", f"at most {MILLION} together")
        return self


def settings_from(keys: Mapping[str, Any]) -> MisfortuneSettings:
    """Return settings from plain data. Raises: ConfigInvalid naming the key that cannot be used."""
    try:
        return msgspec.convert(keys, MisfortuneSettings).validated()
    except msgspec.ValidationError as error:
        raise ConfigInvalid("misfortune", "", str(error)) from None


class Misfortune:
    """Draws fates. Each kind of draw has its own stream, so that one more request shifts no socket's fate."""

    def __init__(self, settings: MisfortuneSettings) -> None:
        """Begin at the settings' seed."""
        self.counts: dict[str, int] = {}
        self._lines: dict[int, int] = {}
        self._stalled_all_until_ns = 0
        self._drop_all = False
        self._set_ns = 0
        self._seed(settings)

    def _seed(self, settings: MisfortuneSettings) -> None:
        self.settings = settings
        self._requests = random.Random(settings.seed)
        self._frames = random.Random(settings.seed + 1)
        self._sockets = random.Random(settings.seed + 2)

    def change(self, settings: MisfortuneSettings) -> None:
        """Take other settings and begin at their seed; what lasts for a time `begin`s beside."""
        self._seed(settings)

    def begin(self, now_ns: int) -> None:
        """Let upgrade and halt last from now on. Units: the venue's time."""
        self._set_ns = now_ns

    @property
    def skew_ns(self) -> int:
        """How far the venue's clock is ahead of the wall."""
        return self.settings.skew_ms * NS_PER_MS

    def is_post_only(self, now_ns: int) -> bool:
        """Say whether a network upgrade leaves only post-only orders."""
        return now_ns < self._set_ns + self.settings.upgrade_ms * NS_PER_MS

    def is_halted(self, now_ns: int) -> bool:
        """Say whether trading is halted."""
        return now_ns < self._set_ns + self.settings.halt_ms * NS_PER_MS

    def drop_all(self) -> None:
        """Drop every socket at the next look."""
        self._drop_all = True

    def stall_all(self, until_ns: int) -> None:
        """Let no socket hear anything until then."""
        self._count("stall")
        self._stalled_all_until_ns = until_ns

    def of_request(self, *, is_action: bool) -> Fate:
        """Return the fate of one request."""
        settings = self.settings
        if settings.actions_only and not is_action:
            return CALM
        drawn = self._requests.randrange(MILLION)
        for name, share in (
            ("too_many", settings.too_many),
            ("internal_error", settings.internal_error),
            ("bad_gateway", settings.bad_gateway),
            ("late", settings.late),
            ("slow", settings.slow),
            ("silent", settings.silent),
        ):
            if drawn < share:
                self._count(name)
                return self._fate(name)
            drawn -= share
        return CALM

    def _fate(self, name: str) -> Fate:
        settings = self.settings
        match name:
            case "too_many":
                return Fate(answer=too_many())
            case "internal_error":
                return Fate(answer=_failed(HTTPStatus.INTERNAL_SERVER_ERROR, b"Internal Server Error", TEXT))
            case "bad_gateway":
                return Fate(answer=_failed(HTTPStatus.BAD_GATEWAY, BAD_GATEWAY_PAGE, "text/html"))
            case "late":
                return Fate(late_ns=settings.late_ms * NS_PER_MS)
            case "slow":
                return Fate(wait_ns=settings.slow_ms * NS_PER_MS)
            case _:
                return Fate(is_silent=True, late_ns=settings.silent_ms * NS_PER_MS)

    def of_lines(self, connections: list[int], now_ns: int) -> dict[int, LineFate]:
        """Return the fates of the sockets that have one now; drawn once a second for each."""
        fates: dict[int, LineFate] = {}
        settings = self.settings
        for connection in connections:
            if self._drop_all:
                self._count("drop")
                fates[connection] = LineFate(is_dropped=True)
                continue
            if now_ns < self._stalled_all_until_ns:
                fates[connection] = LineFate(stalled_until_ns=self._stalled_all_until_ns)
            if now_ns < self._lines.get(connection, 0):
                continue
            self._lines[connection] = now_ns + NS_PER_SECOND
            if not settings.drop and not settings.stall:
                continue
            drawn = self._sockets.randrange(MILLION)
            if drawn < settings.drop:
                self._count("drop")
                fates[connection] = LineFate(is_dropped=True)
            elif drawn < settings.drop + settings.stall:
                self._count("stall")
                fates[connection] = LineFate(stalled_until_ns=now_ns + settings.stall_ms * NS_PER_MS)
        self._drop_all = False
        return fates

    def forget(self, connection: int) -> None:
        """Forget a closed socket."""
        self._lines.pop(connection, None)

    def of_frames(self, frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Return frames as they arrive: user messages repeated or swapped, snapshots left out."""
        settings = self.settings
        if not (settings.duplicate or settings.reorder or settings.skip_snapshot):
            return frames
        sent: list[tuple[int, bytes]] = []
        for connection, frame in frames:
            if not frame.startswith(USER_CHANNELS):
                sent.append((connection, frame))
                continue
            if SNAPSHOT in frame[:200] and self._is_drawn("skip_snapshot", settings.skip_snapshot):
                continue
            sent.append((connection, frame))
            if self._is_drawn("duplicate", settings.duplicate):
                sent.append((connection, frame))
            elif _may_swap(sent) and self._is_drawn("reorder", settings.reorder):
                sent[-2], sent[-1] = sent[-1], sent[-2]
        return sent

    def _is_drawn(self, name: str, share: int) -> bool:
        if not share or self._frames.randrange(MILLION) >= share:
            return False
        self._count(name)
        return True

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1


def _may_swap(sent: list[tuple[int, bytes]]) -> bool:
    """Say whether the last two frames are messages of one socket about users."""
    return len(sent) > 1 and sent[-2][0] == sent[-1][0] and sent[-2][1].startswith(USER_CHANNELS)


def _failed(status: int, body: bytes, content_type: str) -> Answer:
    return Answer(status=status, body=body, content_type=content_type, weight=0)
