"""The same data gives the same orders: again, under any hash seed, paced as in paper trading."""

from pathlib import Path

import pytest

from tests.bot_runs import decisions, hat, summary_of, write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small recording that was generated."""
    return write_recording(tmp_path_factory.mktemp("data") / "generated")


def test_backtest_gives_the_same_orders_under_three_hash_seeds(recording: Path, tmp_path: Path) -> None:
    runs = [
        summary_of(hat("backtest", recording, "--json", "--state-dir", tmp_path / seed, PYTHONHASHSEED=seed))
        for seed in ("0", "1", "4242")
    ]

    assert runs[0]["fills"] > 0
    assert decisions(runs[0]) == decisions(runs[1]) == decisions(runs[2])


def test_paced_replay_gives_the_orders_of_the_backtest(recording: Path, tmp_path: Path) -> None:
    backtest = summary_of(hat("backtest", recording, "--json", "--state-dir", tmp_path))

    replay = summary_of(
        hat("run", "--replay", recording, "--speed", "200", "--port", "0", "--json", "--state-dir", tmp_path)
    )

    assert decisions(replay) == decisions(backtest)
    assert replay["ended"] == "end of data"


def test_another_latency_gives_other_orders(recording: Path, tmp_path: Path) -> None:
    """So that an equal hash means something."""
    quick = summary_of(hat("backtest", recording, "--json", "--state-dir", tmp_path, HAT_VENUE__ORDER_LATENCY_MS="1"))
    slow = summary_of(hat("backtest", recording, "--json", "--state-dir", tmp_path, HAT_VENUE__ORDER_LATENCY_MS="300"))

    assert quick["order_list_hash"] != slow["order_list_hash"]
