"""`hat data download`: what is wanted, what it costs, what came of it; each as plain data to print."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from backtest.importers.archive_keys import HOURS_PER_DAY, PLACES, Dataset, hour_text
from bot.archive import Archive, Plan, Wanted, wanted_files
from bot.clock import monotonic_ns, now_ns
from bot.data_spans import spans_text, usd_text
from bot.download_progress import DownloadProgress
from bot.history import History, Question, candles_of, fundings_of
from bot.history_files import CANDLES, FUNDING, Brought, Kind, bring_up, file_of
from bot.instruments import NETWORKS
from bot.stop_flag import StopFlag
from domain.errors import ConfigInvalid, DataInvalid
from domain.units import NS_PER_HOUR, NS_PER_MS

LOCAL_URL = "http://127.0.0.1:3001"
SPARE_BYTES = 1 << 28
"""Left free on the disk: a full one stops everything else that runs there."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked of the archive. hours are since 1970; no coins: files that hold all of them."""

    kind: str
    coins: list[str]
    hours: range
    out: Path
    is_testnet: bool
    is_paid: bool
    endpoint_url: str
    parallel: int


def dataset_of(kind: str) -> Callable[[int], Dataset]:
    """Return which files tell an hour of a kind: fills changed their format on the way."""
    newest_from = PLACES[Dataset.FILLS_BY_BLOCK].first_hour
    choices: Mapping[str, Callable[[int], Dataset]] = {
        "l2": lambda _: Dataset.BOOKS,
        "ctxs": lambda _: Dataset.CONTEXTS,
        "fills": lambda hour: Dataset.FILLS_BY_BLOCK if hour >= newest_from else Dataset.FILLS,
        "trades": lambda _: Dataset.TRADES,
    }
    return choices[kind]


def download_archive(asked: Asked, stop: StopFlag, *, quiet: bool, tell: Callable[[dict[str, Any]], None]) -> Any:
    """Get files of the archive and return what came of it; tell is told of the plan before it is paid for.

    Raises: ConfigInvalid when it is not allowed to pay, or the disk is too full; DataInvalid when there is nothing.
    """
    wanted = wanted_files(dataset_of(asked.kind), asked.coins, asked.hours, is_testnet=asked.is_testnet)
    archive = Archive(stop, asked.endpoint_url, asked.parallel)
    with DownloadProgress("asking sizes", len(wanted), in_bytes=False, quiet=quiet) as progress:
        plan = archive.plan(wanted, asked.out, progress.step)
    if not stop.is_set():
        _refuse_nothing(asked, plan)
        if plan.to_get:
            if not asked.is_paid:
                tell(archive_shape(asked, plan, None, is_stopped=False))
                _refuse_unpaid(plan)
            _refuse_full_disk(asked.out, plan.bytes_to_pay)
            with DownloadProgress("downloading", plan.bytes_to_pay, in_bytes=True, quiet=quiet) as progress:
                got = archive.get(plan, asked.out, progress.step)
            return archive_shape(asked, plan, {found.wanted.key for found in got}, is_stopped=stop.is_set())
    return archive_shape(asked, plan, set(), is_stopped=stop.is_set())


def archive_shape(asked: Asked, plan: Plan, got: set[str] | None, *, is_stopped: bool) -> dict[str, Any]:
    """Return a plan (got is None) or a finished download as plain data; sizes in bytes, cost in USD for all of it."""
    keys = got or set()
    left = [found for found in plan.to_get if found.wanted.key not in keys]
    files = {"had": len(plan.had), "left": len(left), "missing": len(plan.missing)}
    sizes = {"had": sum(found.size for found in plan.had), "left": sum(found.size for found in left)}
    if got is None:
        sizes["left"] = plan.bytes_to_pay
    else:
        files["new"] = len(got)
        sizes["new"] = sum(found.size for found in plan.to_get if found.wanted.key in got)
    return {
        "kind": asked.kind,
        "folder": str(asked.out),
        "files": files,
        "bytes": sizes,
        "usd": usd_text(plan.milli_usd).removesuffix(" USD"),
        "missing": missing_shapes(plan.missing),
        "is_stopped": is_stopped,
    }


def missing_shapes(missing: Sequence[Wanted]) -> list[dict[str, Any]]:
    """Return what the archive does not have, by coin, as spans."""
    groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for one in missing:
        groups[one.coin or "all coins", one.dataset is Dataset.CONTEXTS].append(one.hour)
    shapes = []
    for (what, is_by_day), hours in groups.items():
        covered = [hour + more for hour in hours for more in range(HOURS_PER_DAY if is_by_day else 1)]
        unit = ("day" if is_by_day else "hour") + ("s" if len(hours) > 1 else "")
        shapes.append({"what": what, "count": len(hours), "unit": unit, "spans": spans_text(covered)})
    return shapes


def _refuse_nothing(asked: Asked, plan: Plan) -> None:
    if plan.missing and not plan.had and not plan.to_get:
        oldest = PLACES[plan.missing[0].dataset].first_hour
        raise DataInvalid(
            f"s3://{plan.missing[0].bucket}",
            f"none of the {len(plan.missing)} files is there; {asked.kind} begins {hour_text(oldest)} UTC, new files come "
            "about monthly, and coins are written as the venue writes them",
        )


def _refuse_unpaid(plan: Plan) -> None:
    raise ConfigInvalid(
        "--yes",
        "not given",
        f"your word that {len(plan.to_get):,} files for about {usd_text(plan.milli_usd)} may be billed to you by Amazon",
    )


def _refuse_full_disk(out: Path, size: int) -> None:
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < size + SPARE_BYTES:
        raise ConfigInvalid("--out", str(out), f"a disk with {size + SPARE_BYTES:,} bytes free; {free:,} are")


def download_history(
    questions: Sequence[tuple[Question, Kind, Path]],
    network: str,
    span: tuple[int | None, int | None],
    stop: StopFlag,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Bring histories up to date and return what came of it. span is in ms; no end: now. Raises: DataInvalid."""
    base_url = {**NETWORKS, "local": LOCAL_URL}.get(network, network).rstrip("/")
    shapes = []
    now_ms = now_ns() // NS_PER_MS
    end_ms = min(span[1] or now_ms, now_ms)
    with History(base_url, monotonic_ns, stop.wait) as history:
        for question, kind, path in questions:
            with DownloadProgress(question.name, 0, in_bytes=False, quiet=quiet) as progress:
                brought = bring_up(history, question, kind, path, base_url, (span[0], end_ms), progress.step)
            shapes.append(_history_shape(path, brought))
            if stop.is_set():
                break
    return {"source": base_url, "files": shapes, "busy": history.busy, "is_stopped": stop.is_set()}


def candle_questions(coins: Sequence[str], intervals: Sequence[str], out: Path) -> list[tuple[Question, Kind, Path]]:
    """Return how to ask for candles and where they go. Raises: ConfigInvalid for an unknown interval."""
    return [
        (candles_of(coin, interval), CANDLES, file_of(out, CANDLES, coin, interval))
        for coin in coins
        for interval in intervals
    ]


def funding_questions(coins: Sequence[str], out: Path) -> list[tuple[Question, Kind, Path]]:
    """Return how to ask for funding rates and where they go."""
    return [(fundings_of(coin), FUNDING, file_of(out, FUNDING, coin)) for coin in coins]


def _history_shape(path: Path, brought: Brought) -> dict[str, Any]:
    kept = brought.kept
    first, last = (
        (hour_text(ms * NS_PER_MS // NS_PER_HOUR) for ms in (kept.first_ms, kept.last_ms)) if kept else ("", "")
    )
    return {"file": str(path), "new": brought.new, "rows": kept.rows if kept else 0, "first": first, "last": last}
