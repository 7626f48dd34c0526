"""Asking a running bot: where it listens, and what it says."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import msgspec

from domain.errors import ConfigInvalid

NOTE = "bot.json"
ANSWER_SECONDS_MAX = 5


def running_url(state_dir: Path, options: str = "--url or --state-dir") -> str:
    """Return the address a running bot wrote down. options are those by which the command at hand takes another bot.

    Raises: ConfigInvalid when none did, or it is gone.
    """
    note = state_dir / NOTE
    start = f"start one with `hat run`, or name it with {options}"
    try:
        found = msgspec.json.decode(note.read_bytes())
        url, pid = str(found["url"]), int(found["pid"])
    except OSError:
        raise ConfigInvalid("bot.state_dir", str(state_dir), f"the directory of a running bot; {start}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigInvalid("bot.state_dir", str(note), f"the note of a running bot; {start}") from None
    if not is_alive(pid):
        gone = f"the directory of a running bot, but process {pid} is gone without having stopped in order"
        raise ConfigInvalid("bot.state_dir", str(state_dir), f"{gone}; {start}")
    return url


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def ask_status(url: str) -> Mapping[str, Any]:
    """Return what a running bot says. Raises: ConfigInvalid when nothing usable answers."""
    expected = "the address of a running bot such as http://127.0.0.1:8080"
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigInvalid("--url", url, expected)
    try:
        # A proxy of the environment must not stand between an operator and a bot on this machine.
        with build_opener(ProxyHandler({})).open(f"{url.rstrip('/')}/status", timeout=ANSWER_SECONDS_MAX) as answer:
            found = msgspec.json.decode(answer.read())
    except URLError as error:
        raise ConfigInvalid("--url", url, f"{expected} ({error.reason})") from None
    except (OSError, ValueError) as error:
        raise ConfigInvalid("--url", url, f"{expected} ({error})") from None
    if not isinstance(found, Mapping) or not {"run_id", "market", "mode", "health"} <= set(found):
        raise ConfigInvalid("--url", url, f"{expected} (it answers, but not with a status)")
    return found
