"""The venue's public archive on S3, where the caller pays: what files cost, and getting them.

Why it exists: a month of books is a thousand files and real money. So sizes are asked before anything is paid for, a
download that was stopped goes on where it was, and what the archive does not have is a gap that is told, not a failure.

Laws: a file has its name only when all of it is there and its length, and check sum where S3 tells one, is right; an
unfinished one is hidden beside it and named by the version it is of; credentials are the AWS client's affair alone:
none is read, shown or kept here.
Source: HYPERLIQUID 10.1, read 2026-11-20.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from glob import escape
from io import BufferedRandom
from pathlib import Path
from time import sleep
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from backtest.importers.archive_keys import HOURS_PER_DAY, PLACES, Dataset, key_of
from bot.stop_flag import StopFlag
from domain.errors import ConfigInvalid, DataInvalid

CHUNK_BYTES = 1 << 18
TRIES_WITHOUT_PROGRESS_MAX = 5
PAUSE_SECONDS_MAX = 8
TIMEOUT_SECONDS = 30
PARALLEL_MAX = 32
PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")

MILLI_USD_PER_GB = {"us-east-1": 90, "ap-northeast-1": 114}
"""List price of transfer out of Amazon to the internet, first 10 TB of a month; within the region it is free.

Source: Amazon S3 pricing, as of 2025; an estimate for a warning, nothing is booked from it.
"""


class Wanted(msgspec.Struct, frozen=True):
    """One file that is asked for. hour is hours since 1970."""

    dataset: Dataset
    coin: str
    hour: int
    key: str

    @property
    def bucket(self) -> str:
        """Where it is kept."""
        return PLACES[self.dataset].bucket


class Found(msgspec.Struct, frozen=True):
    """One file the archive has. version is its ETag; md5 is empty when S3 tells none."""

    wanted: Wanted
    size: int
    version: str
    md5: str


class Plan(msgspec.Struct):
    """What a download would do. had are whole on disk; bytes_begun of the rest are there from an earlier try."""

    had: list[Found] = []
    to_get: list[Found] = []
    missing: list[Wanted] = []
    bytes_begun: int = 0

    @property
    def bytes_to_pay(self) -> int:
        """What is still to be transferred."""
        return sum(found.size for found in self.to_get) - self.bytes_begun

    @property
    def milli_usd(self) -> int:
        """What the transfer costs by list price, in thousandths of a dollar, rounded up."""
        rate = {found.wanted.dataset: MILLI_USD_PER_GB[PLACES[found.wanted.dataset].region] for found in self.to_get}
        return -(-self.bytes_to_pay * max(rate.values(), default=0) // 10**9)


def wanted_files(
    datasets: Callable[[int], Dataset], coins: Sequence[str], hours: Sequence[int], *, is_testnet: bool
) -> list[Wanted]:
    """Return the files of some hours, oldest first: of each coin, or one for all when coins is empty; by day for
    asset contexts. datasets says which kind of file tells an hour.
    """
    found: dict[str, Wanted] = {}
    for hour in hours:
        dataset = datasets(hour)
        for coin in coins or ("",):
            first = hour // HOURS_PER_DAY * HOURS_PER_DAY if dataset is Dataset.CONTEXTS else hour
            key = key_of(dataset, hour, coin, is_testnet=is_testnet)
            found.setdefault(key, Wanted(dataset, coin, first, key))
    return list(found.values())


class Archive:
    """The buckets, reached with the caller's own AWS credentials. endpoint_url replaces Amazon's, for tests."""

    def __init__(self, halt: StopFlag, endpoint_url: str = "", parallel: int = 4) -> None:
        """Prepare; nothing is asked yet. halt ends it early, parallel is how many files are asked for at once."""
        if not 1 <= parallel <= PARALLEL_MAX:
            raise ConfigInvalid("--parallel", parallel, f"1 to {PARALLEL_MAX}")
        self._parallel = parallel
        self._endpoint_url = endpoint_url
        try:
            self._session = boto3.session.Session()
        except BotoCoreError as error:
            raise ConfigInvalid(
                "AWS_PROFILE", os.environ.get("AWS_PROFILE", ""), f"a profile of ~/.aws ({error})"
            ) from None
        self._clients: dict[str, Any] = {}
        self.halt = halt

    def plan(self, wanted: Sequence[Wanted], out: Path, step: Callable[[int], None] = lambda _: None) -> Plan:
        """Ask the size of every file (HEAD) and compare with what is on disk. step is told of each answer.

        Raises: ConfigInvalid when there are no credentials; DataInvalid when all is refused or nobody answers.
        """
        plan = Plan()
        refused: list[Wanted] = []

        def ask(one: Wanted) -> None:
            if self.halt.is_set():
                return
            answer = self._head(one)
            if isinstance(answer, int):
                (refused if answer == 403 else plan.missing).append(one)
            elif _size(out / one.key) == answer.size:
                plan.had.append(answer)
            else:
                plan.to_get.append(answer)
            step(1)

        for dataset in {one.dataset for one in wanted}:
            self._client(dataset)
        self._each(ask, wanted)
        if refused and not plan.had and not plan.to_get:
            self._explain(refused[0])
        # Whoever may not list a bucket is told 403 where 404 is meant; other files answered, so it is that.
        plan.missing += refused
        for listed in (plan.had, plan.to_get):
            listed.sort(key=lambda found: (found.wanted.hour, found.wanted.key))
        plan.missing.sort(key=lambda one: (one.hour, one.key))
        plan.bytes_begun = sum(_begun(partial_of(out, found), found) for found in plan.to_get)
        return plan

    def get(self, plan: Plan, out: Path, step: Callable[[int], None] = lambda _: None) -> list[Found]:
        """Get what is not there and return what was got whole; `halt` ends it early. step is told of bytes.

        Raises: DataInvalid or ConfigInvalid with one sentence; what was begun stays for the next try.
        """
        got: list[Found] = []

        def fetch(found: Found) -> None:
            if not self.halt.is_set() and self._fetch(found, out, step):
                got.append(found)

        self._each(fetch, plan.to_get)
        return got

    def _each(self, act: Callable[[Any], None], items: Iterable[Any]) -> None:
        """Do one thing to all, some at a time; the first trouble ends the others after their present chunk."""
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="archive") as pool:
            tasks = [pool.submit(act, item) for item in items]
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            trouble = next((error for task in done if (error := task.exception()) is not None), None)
            if trouble is not None:
                self.halt.set()
                pool.shutdown(cancel_futures=True)
                raise trouble

    def _client(self, dataset: Dataset) -> Any:
        region = PLACES[dataset].region
        if region not in self._clients:
            is_local = bool(self._endpoint_url)
            config = Config(
                connect_timeout=TIMEOUT_SECONDS,
                read_timeout=TIMEOUT_SECONDS,
                retries={"max_attempts": TRIES_WITHOUT_PROGRESS_MAX, "mode": "standard"},
                max_pool_connections=PARALLEL_MAX,
                s3={"addressing_style": "path"} if is_local else {},
            )
            try:
                self._clients[region] = self._session.client(
                    "s3", region_name=region, endpoint_url=self._endpoint_url or None, config=config
                )
            except ValueError:
                raise ConfigInvalid(
                    "--endpoint-url", self._endpoint_url, "a URL such as http://127.0.0.1:9000"
                ) from None
        return self._clients[region]

    def _head(self, one: Wanted) -> Found | int:
        """Return what the archive has, or 403 or 404. Raises: ConfigInvalid, DataInvalid."""
        try:
            answer = self._client(one.dataset).head_object(Bucket=one.bucket, Key=one.key, RequestPayer="requester")
        except ClientError as error:
            status = _status(error)
            if status in {403, 404}:
                return status
            raise DataInvalid(_name(one), f"Amazon answered {status}") from None
        except BotoCoreError as error:
            raise _trouble(one, error) from None
        version = answer["ETag"].strip('"')
        is_plain = PLAIN_MD5.fullmatch(version) and "kms" not in str(answer.get("ServerSideEncryption", ""))
        return Found(one, answer["ContentLength"], version, version if is_plain else "")

    def _explain(self, one: Wanted) -> None:
        """Say why Amazon refuses: a HEAD has no words, so one byte is asked for. Raises: DataInvalid."""
        code = "403"
        try:
            self._open(one, "bytes=0-0")
        except ClientError as error:
            code = f"{_status(error)} {error.response.get('Error', {}).get('Code', '')}".strip()
        except BotoCoreError as error:
            raise _trouble(one, error) from None
        raise DataInvalid(
            f"s3://{one.bucket}",
            f"refused ({code}); the caller pays here, so it takes valid AWS credentials that may read S3, in the "
            "environment, in ~/.aws or of the machine's role, and a clock that is right",
        )

    def _open(self, one: Wanted, byte_range: str, **conditions: str) -> Any:
        client = self._client(one.dataset)
        return client.get_object(
            Bucket=one.bucket, Key=one.key, RequestPayer="requester", Range=byte_range, **conditions
        )

    def _fetch(self, found: Found, out: Path, step: Callable[[int], None]) -> bool:
        """Get one file, from where an earlier try ended; return False when halted."""
        target, partial = out / found.wanted.key, partial_of(out, found)
        target.parent.mkdir(parents=True, exist_ok=True)
        for other in target.parent.glob(f".{escape(target.name)}.*.partial"):
            if other != partial:
                other.unlink(missing_ok=True)  # Of a version that is no more.
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigInvalid("--out", str(out), f"no other download of {found.wanted.key} just now") from None
            if file.seek(0, os.SEEK_END) > found.size:
                file.truncate(0)
            if not self._fill(found, file, step):
                return False
            file.flush()
            os.fsync(file.fileno())
            if found.md5 and _md5(file) != found.md5:
                partial.unlink()
                raise DataInvalid(_name(found.wanted), "does not match its check sum; it was removed, try again")
            partial.replace(target)
        _sync_folder(target.parent)
        return True

    def _fill(self, found: Found, file: BufferedRandom, step: Callable[[int], None]) -> bool:
        """Append what is missing, asking again from where the line broke; return False when halted."""
        tries = 0
        have = file.seek(0, os.SEEK_END)
        while have < found.size:
            before = have
            try:
                answer = self._open(found.wanted, f"bytes={have}-", IfMatch=found.version)
                if answer["ResponseMetadata"]["HTTPStatusCode"] != 206 and have:
                    # Whoever does not know ranges sends all of it.
                    step(-have)
                    file.truncate(0)
                    have = before = file.seek(0)
                for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                    file.write(chunk)
                    have += len(chunk)
                    step(len(chunk))
                    if self.halt.is_set():
                        return False
            except ClientError as error:
                if _status(error) in {412, 416}:
                    raise DataInvalid(_name(found.wanted), "changed while it was downloaded; try again") from None
                raise DataInvalid(_name(found.wanted), f"Amazon answered {_status(error)}") from None
            except BotoCoreError as error:
                tries = 0 if have > before else tries + 1
                if tries >= TRIES_WITHOUT_PROGRESS_MAX:
                    raise _trouble(found.wanted, error) from None
                sleep(min(2**tries / 4, PAUSE_SECONDS_MAX))
        return True


def partial_of(out: Path, found: Found) -> Path:
    """Return where a file is while it is not whole: hidden beside its place, named by its version."""
    target = out / found.wanted.key
    return target.with_name(f".{target.name}.{re.sub('[^0-9A-Za-z-]', '', found.version)}.partial")


def _begun(partial: Path, found: Found) -> int:
    """Return how much of a file an earlier try left; nothing when it cannot be right."""
    size = _size(partial)
    return size if 0 <= size <= found.size else 0


def _size(path: Path) -> int:
    """Return the size of a file; -1 when it is not there."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _md5(file: BufferedRandom) -> str:
    file.seek(0)
    return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _status(error: ClientError) -> int:
    """Return the HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _name(one: Wanted) -> str:
    return f"s3://{one.bucket}/{one.key}"


def _trouble(one: Wanted, error: BotoCoreError) -> ConfigInvalid | DataInvalid:
    """Return one sentence about what the AWS client could not do."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return ConfigInvalid(
            "AWS credentials",
            "none",
            "an access key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws (AWS_PROFILE) or a role "
            "of this machine: the archive's buckets make the caller pay",
        )
    # The name of the trouble only: its text may hold what was sent.
    return DataInvalid(_name(one), f"cannot be had ({type(error).__name__})")
