"""`hat data download` of the archive: a real S3 endpoint, real processes, a line that breaks."""

import os
import signal

import pytest

from backtest.importers.archive_keys import Dataset, key_of
from tests.archive_files import HOUR, block_line, both_sides, context_line, frame, hour_lines, ms_of
from tests.archive_servers import archive_bucket, data, started_data, until
from tests.backtest.test_backtest_hyperliquid_archive import HEADER
from tests.bot_runs import hat, summary_of

SPAN = ("--from", "2025-09-04T09", "--to", "2025-09-04T11")


@pytest.fixture
def bucket():
    with archive_bucket() as opened:
        yield opened


@pytest.fixture
def run(bucket, tmp_path):
    """Download into `out` from the bucket: `run("l2", ...)`."""

    def download(kind, *arguments, **changes):
        where = ("--out", tmp_path / "out", "--endpoint-url", bucket.url)
        return data(tmp_path, "download", kind, *where, *arguments, **changes)

    return download


def books(bucket, hour, coin="SOL", seconds=60):
    return bucket.put(Dataset.BOOKS, key_of(Dataset.BOOKS, hour, coin), frame(*hour_lines(hour, coin, seconds)))


def noise(size, seed=7):
    """Bytes that are not there twice, so that a wrong offset shows."""
    return b"".join((seed * number % 2**32).to_bytes(4, "little") for number in range(size // 4))


def hidden(folder):
    return list(folder.rglob("*.partial"))


def test_books_are_downloaded_as_they_are_and_a_missing_hour_is_told(bucket, run, tmp_path):
    contents = {HOUR: books(bucket, HOUR), HOUR + 2: books(bucket, HOUR + 2)}

    done = run("l2", "--coin", "SOL", *SPAN, "--yes", "--json")

    assert 0 == done.code, done.err
    for hour, content in contents.items():
        assert content == (tmp_path / "out" / key_of(Dataset.BOOKS, hour, "SOL")).read_bytes()
    told = done.told
    assert {"had": 0, "left": 0, "missing": 1, "new": 2} == told["files"]
    assert sum(map(len, contents.values())) == told["bytes"]["new"]
    assert [{"what": "SOL", "count": 1, "unit": "hour", "spans": "2025-09-04 10:00"}] == told["missing"]
    assert [] == hidden(tmp_path)
    assert {"requester"} == {headers.get("x-amz-request-payer") for _, _, headers in bucket.line.asked}
    assert all("/us-east-1/s3/aws4_request" in headers["authorization"] for _, _, headers in bucket.line.asked)


def test_second_run_asks_sizes_only_and_needs_no_word_to_pay(bucket, run):
    books(bucket, HOUR)
    assert 0 == run("l2", "--coin", "SOL", *SPAN, "--yes").code
    bucket.line.asked.clear()

    done = run("l2", "--coin", "SOL", *SPAN, "--json")

    assert (0, {"had": 1, "left": 0, "missing": 2, "new": 0}) == (done.code, done.told["files"])
    assert [] == bucket.line.of("GET")


def test_nothing_is_paid_for_without_yes(bucket, run, tmp_path):
    content = bucket.put(Dataset.BOOKS, key_of(Dataset.BOOKS, HOUR, "SOL"), noise(400_000))

    done = run("l2", "--coin", "SOL", *SPAN)

    assert 2 == done.code
    assert "hat: --yes = 'not given': expected your word that 1 files for about 0.01 USD may be billed" in done.err
    assert f"1 files, {len(content) // 1000} kB, about 0.01 USD billed to you by Amazon" in done.out
    assert "Not in the archive: SOL, 2 hours: 2025-09-04 10:00 to 2025-09-04 11:00 UTC" in done.out
    assert [] == bucket.line.of("GET")
    assert not (tmp_path / "out").exists()
    refused = run("l2", "--coin", "SOL", *SPAN, "--json")
    assert "--yes" in refused.told["error"]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_download_goes_on_where_it_was_killed_and_the_bytes_are_the_same(bucket, run, tmp_path, stop):
    key = key_of(Dataset.BOOKS, HOUR, "SOL")
    content = bucket.put(Dataset.BOOKS, key, noise(3_000_000))
    bucket.line.stall_after = 1_200_000
    where = ("--out", tmp_path / "out", "--endpoint-url", bucket.url)
    process = started_data(tmp_path, "download", "l2", *where, "--coin", "SOL", "--from", "2025-09-04T09", "--yes")
    begun = until(lambda: [path for path in hidden(tmp_path) if path.stat().st_size >= 1_000_000], process)
    process.send_signal(stop)
    if stop == signal.SIGTERM:
        bucket.line.let_go.set()
    _, err = process.communicate(timeout=60)
    if stop == signal.SIGTERM:
        assert (3, "Stopped; the same command goes on from here.") == (process.returncode, err.strip())
    size = begun[0].stat().st_size
    assert not (tmp_path / "out" / key).exists()
    assert content[:size] == begun[0].read_bytes()
    bucket.line.stall_after = 0
    bucket.line.asked.clear()

    done = run("l2", "--coin", "SOL", "--from", "2025-09-04T09", "--yes", "--json")

    assert 0 == done.code, done.err
    assert content == (tmp_path / "out" / key).read_bytes()
    ((_, headers),) = bucket.line.of("GET")
    assert f"bytes={size}-" == headers["range"]
    assert [] == hidden(tmp_path)


def test_line_that_breaks_again_and_again_is_taken_up_each_time(bucket, run, tmp_path):
    key = key_of(Dataset.BOOKS, HOUR, "SOL")
    content = bucket.put(Dataset.BOOKS, key, noise(2_000_000))
    bucket.line.cut_after = 600_000

    done = run("l2", "--coin", "SOL", "--from", "2025-09-04T09", "--yes", "--json")

    assert 0 == done.code, done.err
    assert content == (tmp_path / "out" / key).read_bytes()
    starts = [int(headers["range"][6:-1]) for _, headers in bucket.line.of("GET")]
    assert len(starts) > 3
    assert starts == sorted(set(starts))


def test_file_that_changed_since_is_begun_anew(bucket, run, tmp_path):
    key = key_of(Dataset.BOOKS, HOUR, "SOL")
    old = tmp_path / "out" / key
    old.parent.mkdir(parents=True)
    stale = old.with_name(".SOL.lz4.00000000000000000000000000000000.partial")
    stale.write_bytes(b"of another version")
    content = bucket.put(Dataset.BOOKS, key, noise(100_000))
    old.write_bytes(content[:-1])

    assert 0 == run("l2", "--coin", "SOL", "--from", "2025-09-04T09", "--yes").code

    assert content == old.read_bytes()
    assert not stale.exists()


def test_bytes_that_are_not_what_was_stored_are_not_kept(bucket, run, tmp_path):
    books(bucket, HOUR)
    bucket.line.flip = True

    done = run("l2", "--coin", "SOL", "--from", "2025-09-04T09", "--yes")

    assert 2 == done.code
    assert "does not match its check sum; it was removed, try again" in done.err
    assert [] == [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_refusal_says_what_it_takes_in_one_sentence(bucket, run):
    books(bucket, HOUR)
    bucket.line.refuse = lambda _method, _path: 403

    done = run("l2", "--coin", "SOL", "--from", "2025-09-04", "--yes")

    assert 2 == done.code
    assert "s3://hyperliquid-archive: refused (403 AccessDenied); the caller pays here" in done.err
    assert 1 == len(done.err.splitlines())


def test_403_for_some_files_is_a_missing_hour_for_who_may_not_list(bucket, run):
    books(bucket, HOUR)
    bucket.line.refuse = lambda _method, path: 0 if "/9/" in path else 403

    done = run("l2", "--coin", "SOL", *SPAN, "--yes", "--json")

    assert (0, 2, 1) == (done.code, done.told["files"]["missing"], done.told["files"]["new"])


def test_no_credentials_and_a_wrong_profile_are_one_sentence(bucket, run):
    books(bucket, HOUR)
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = run("l2", "--coin", "SOL", "--from", "2025-09-04", "--yes", **nobody)
    assert 2 == done.code
    assert "AWS credentials = 'none': expected an access key in AWS_ACCESS_KEY_ID" in done.err
    done = run("l2", "--coin", "SOL", "--from", "2025-09-04", "--yes", AWS_PROFILE="absent")
    assert (2, 1) == (done.code, len(done.err.splitlines()))
    assert "AWS_PROFILE = 'absent'" in done.err


def test_nobody_there_is_one_sentence(tmp_path):
    done = data(
        tmp_path, "download", "l2", "--coin", "SOL", "--from", "2025-09-04T09", "--endpoint-url", "http://127.0.0.1:9"
    )
    assert 2 == done.code
    assert (
        "s3://hyperliquid-archive/market_data/20250904/9/l2Book/SOL.lz4: cannot be had (EndpointConnectionError)"
        in done.err
    )
    done = data(tmp_path, "download", "l2", "--coin", "SOL", "--from", "2025-09-04T09", "--endpoint-url", "nonsense")
    assert "--endpoint-url = 'nonsense'" in done.err


def test_archive_that_has_nothing_of_it_says_when_it_begins(run):
    done = run("fills", "--from", "2024-01-01", "--yes")
    assert 2 == done.code
    assert "s3://hl-mainnet-node-data: none of the 24 files is there; fills begins 2025-05-25 14:00 UTC" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("l2", "--coin", "../../etc", "--from", "2025-09-04"), "--coin = '../../etc'"),
        (("l2", "--coin", ",", "--from", "2025-09-04"), "--coin = ''"),
        (("l2", "--coin", "SOL", "--from", "yesterday"), "--from = 'yesterday': expected a day such as 2026-01-31"),
        (("l2", "--coin", "SOL", "--from", "2025-13-01"), "--from = '2025-13-01'"),
        (
            ("ctxs", "--from", "2025-09-04", "--to", "2025-09-03"),
            "--to = '2025-09-03': expected a time that is not before",
        ),
        (("ctxs", "--from", "2025-09-04", "--parallel", "99"), "--parallel = 99: expected 1 to 32"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(run, bucket, arguments, said):
    done = run(*arguments)
    assert 2 == done.code
    assert said in done.err
    assert [] == bucket.line.asked


def test_fills_take_the_format_of_their_time_from_the_other_bucket(bucket, run, tmp_path):
    old, new = key_of(Dataset.FILLS, HOUR - 24 * 60), key_of(Dataset.FILLS_BY_BLOCK, HOUR)
    bucket.put(Dataset.FILLS, old, frame("old"))
    bucket.put(Dataset.FILLS_BY_BLOCK, new, frame("new"))

    assert 0 == run("fills", "--from", "2025-07-06T09", "--yes").code
    assert 0 == run("fills", "--from", "2025-09-04T09", "--yes").code

    assert (tmp_path / "out" / old).exists()
    assert (tmp_path / "out" / new).exists()
    assert all("/ap-northeast-1/s3/" in headers["authorization"] for _, _, headers in bucket.line.asked)


def test_downloaded_folder_is_listed_and_a_backtest_runs_on_it(bucket, run, tmp_path):
    for hour in (HOUR, HOUR + 2):
        books(bucket, hour)
        trades = [
            block_line(hour, ms, *both_sides(ms_of(hour, ms), hour * 10_000 + ms // 100))
            for ms in range(500, 60_000, 500)
        ]
        bucket.put(Dataset.FILLS_BY_BLOCK, key_of(Dataset.FILLS_BY_BLOCK, hour), frame(*trades))
    rows = [context_line(hour, 0) for hour in (HOUR, HOUR + 2)]
    bucket.put(Dataset.CONTEXTS, key_of(Dataset.CONTEXTS, HOUR), frame(HEADER, *rows))
    for kind in (("l2", "--coin", "SOL"), ("fills",), ("ctxs",)):
        assert 0 == run(*kind, *SPAN, "--yes").code

    held = data(tmp_path, "list", tmp_path / "out", "--json").told["held"]
    assert [("ctxs", "all coins", 1), ("fills", "all coins", 2), ("l2", "SOL", 2)] == [
        (one["kind"], one["what"], one["files"]) for one in held
    ]
    assert ["2025-09-04 10:00"] == held[2]["missing"]
    assert ("2025-09-04 09:00", "2025-09-04 11:00") == (held[2]["first"], held[2]["last"])
    text = data(tmp_path, "list", tmp_path / "out").out
    assert "l2 SOL lacks 2025-09-04 10:00 UTC" in text

    summary = summary_of(
        hat("backtest", tmp_path / "out", "--coin", "SOL", "--json", "--state-dir", tmp_path / "state")
    )
    assert summary["orders"] > 0
    assert summary["events"] > 300


def test_help_teaches(tmp_path):
    for command in ((), ("download",), ("download", "l2"), ("download", "candles"), ("list",)):
        done = data(tmp_path, *command, "--help")
        assert 0 == done.code
        assert "hat data" in done.out
    assert "the caller pays" in data(tmp_path, "download", "--help").out
    assert os.sep not in data(tmp_path, "list", tmp_path / "absent").err.partition(":")[0]
