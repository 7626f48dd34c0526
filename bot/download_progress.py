"""How far a download is: a bar on a terminal, a plain line now and then elsewhere, nothing under --json."""

from collections.abc import Callable
from threading import Lock
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from bot.clock import monotonic_ns
from bot.data_spans import size_text
from domain.units import NS_PER_SECOND

LINE_EVERY_NS = 10 * NS_PER_SECOND


class DownloadProgress:
    """One step of a download, told by many threads. total is 0 when nobody knows it."""

    def __init__(self, title: str, total: int, *, in_bytes: bool, quiet: bool) -> None:
        """Prepare to show; done is what was there before."""
        self._console = Console(stderr=True)
        self._title, self._total, self._in_bytes, self._quiet = title, total, in_bytes, quiet
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal and not quiet
        amount = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *amount,
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._is_live,
        )
        self._task = self._bar.add_task(title, total=total or None)
        self._lock = Lock()
        self._done = 0
        self._due_ns = monotonic_ns() + LINE_EVERY_NS

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._bar.stop()

    @property
    def step(self) -> Callable[[int], None]:
        """What to call with every bit that is done."""
        return self._advance

    def _advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            is_due = monotonic_ns() >= self._due_ns and not self._quiet and not self._is_live
            if is_due:
                self._due_ns = monotonic_ns() + LINE_EVERY_NS
                self._console.print(self._line(), soft_wrap=True, highlight=False, markup=False)
        self._bar.advance(self._task, count)

    def _line(self) -> str:
        """Return where it stands, for a log."""
        shown = size_text if self._in_bytes else lambda count: f"{count:,}"
        return f"{self._title}: {shown(self._done)}" + (f" of {shown(self._total)}" if self._total else "")
