"""Ask a running bot how it is: one line per component; exit 0 healthy, 1 degraded, 2 unhealthy or not reachable.

    python scripts/monitoring/check_system_health.py [--url URL | --state-dir DIR] [--json] [--timeout SECONDS]

Standard library only, so that it runs from a monitoring agent's own Python. Without --url the address is read from
`bot.json`, which a running bot keeps in its state directory.
"""

import argparse
import json
import os
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

EXIT_CODES = {"healthy": 0, "degraded": 1, "unhealthy": 2}
UNREACHABLE = 2
ANSWER_BYTES_MAX = 1_000_000


class NoAnswerError(Exception):
    """The bot could not be asked; the text says why, in one sentence."""


def find_url(state_dir: Path) -> str:
    """Return the address a running bot wrote down; raises NoAnswerError when there is none."""
    note = state_dir / "bot.json"
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoAnswerError(f"no running bot: {note} does not exist") from None
    except (OSError, ValueError) as broken:
        raise NoAnswerError(f"{note} cannot be read: {broken}") from broken
    if not isinstance(found, dict) or not isinstance(found.get("url"), str):
        raise NoAnswerError(f"{note} names no url")
    pid = found.get("pid")
    if isinstance(pid, int) and not is_alive(pid):
        raise NoAnswerError(f"no running bot: {note} was left behind by process {pid}, which did not stop in order")
    return str(found["url"])


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def ask(url: str, timeout_seconds: float) -> dict[str, Any]:
    """Return what the bot says about its health; raises NoAnswerError when it says nothing usable."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise NoAnswerError(f"{url} is no http or https address")
    address = url.rstrip("/") + "/health"
    try:
        try:
            # A proxy of the environment must not stand between an operator and a bot on this machine.
            with build_opener(ProxyHandler({})).open(address, timeout=timeout_seconds) as answer:
                body = answer.read(ANSWER_BYTES_MAX)
        except HTTPError as unhealthy:
            body = unhealthy.read(ANSWER_BYTES_MAX)
        health = json.loads(body)
    except URLError as refused:
        raise NoAnswerError(f"{address} does not answer: {refused.reason}") from refused
    except (OSError, HTTPException) as broken:
        raise NoAnswerError(f"{address} does not answer: {broken}") from broken
    except ValueError:
        raise NoAnswerError(f"{address} answers, but not with a health report") from None
    if not isinstance(health, dict) or health.get("status") not in EXIT_CODES or "components" not in health:
        raise NoAnswerError(f"{address} answers, but not with a health report")
    return health


def lines(health: dict[str, Any], url: str) -> list[str]:
    """Return one line per component and one for the whole."""
    told = [f"{one['condition']:<9} {one['name']:<14} {one['detail']}" for one in health["components"]]
    return [*told, f"{health['status']}, score {health['score']:.2f}, mode {health['mode']}, {url}"]


def main(arguments: list[str] | None = None) -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(description="Ask a running bot how it is.")
    parser.add_argument("--url", help="address of the bot, e.g. http://127.0.0.1:9090; default: from bot.json")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(os.environ.get("HAT_BOT__STATE_DIR", "state")),
        help="where the bot keeps bot.json (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        url = options.url or find_url(options.state_dir)
        health = ask(url, options.timeout)
    except NoAnswerError as problem:
        print(json.dumps({"status": "unreachable", "detail": str(problem)}) if options.json else f"{problem}")
        return UNREACHABLE
    print(json.dumps({**health, "url": url}) if options.json else "\n".join(lines(health, url)))
    return EXIT_CODES[health["status"]]


if __name__ == "__main__":
    sys.exit(main())
