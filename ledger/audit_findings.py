"""What an audit finds: one problem per row that is not what it was, named so that a person can go and look.

Laws: a problem says which run, which table and which row; one run and table give at most FINDINGS_MAX of them and then
how many more there are, so that a ruined ledger is still a page to read and not a gigabyte.
"""

from collections import Counter
from collections.abc import Callable

import msgspec

FINDINGS_MAX = 100

Progress = Callable[[int, int], None]
"""Called now and then with how many rows are proven and how many there are in all."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong. run and subject (the row's key) are empty where nothing so narrow is meant."""

    run: str
    table: str
    subject: str
    problem: str

    @property
    def sentence(self) -> str:
        """Everything in one line."""
        where = " ".join(part for part in (self.table, self.subject) if part)
        return f"run {self.run}: {where}: {self.problem}" if self.run else f"{where}: {self.problem}"


class Findings:
    """The problems of one run (or, with no run named, of the database), in the order they were found."""

    def __init__(self, run: str = "", *, total: int = 0, done: int = 0, progress: Progress | None = None) -> None:
        """Start with nothing found; total, done and progress count rows for whoever watches."""
        self.run = run
        self.problems: list[Problem] = []
        self.done = done
        self._total = total
        self._progress = progress
        self._by_table: Counter[str] = Counter()

    def add(self, table: str, subject: object, problem: str, *, run: str = "") -> None:
        """Note a problem of a row, of another run than ours where one is named."""
        self._by_table[table] += 1
        if self._by_table[table] <= FINDINGS_MAX:
            self.problems.append(Problem(run or self.run, table, str(subject), problem))

    def proven(self, rows: int) -> None:
        """Count rows that were looked at."""
        self.done += rows
        if self._progress is not None:
            self._progress(self.done, max(self._total, self.done))

    def all(self) -> list[Problem]:
        """Return everything found; where a table gave too much, how much more there is."""
        more = [
            Problem(self.run, table, "", f"{count - FINDINGS_MAX} more problems like these")
            for table, count in sorted(self._by_table.items())
            if count > FINDINGS_MAX
        ]
        return self.problems + more
