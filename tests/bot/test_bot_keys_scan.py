"""The key shows nowhere: every way to print it, and a scan of everything a failing process writes."""

import base64
import copy
import json
import pickle
import secrets
import subprocess
import sys

import msgspec
import pytest
from eth_account import Account

from exchange.hyperliquid.secret_key import SecretKey
from tests.bot_runs import ROOT, environment

ONES = bytes([1]) * 32


def forms(key, *, text=""):
    """Every way in which a key could be written."""
    encodings = (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode, base64.b85encode)
    number = int.from_bytes(key, "big")
    words = [key.hex(), key.hex().upper(), key.hex(" "), str(number), f"{number:x}", repr(key)[2:-1], text]
    words += [
        str(list(key))[1:-1],
        str(int.from_bytes(key, "little")),
        *(one(key).decode().rstrip("=") for one in encodings),
    ]
    return [word.encode() for word in words if word] + [key]


def test_secret_key_shows_in_no_text_and_leaves_by_no_encoder():
    key = SecretKey(ONES)
    shown = [repr(key), str(key), f"{key}", f"{key!r:>40}", "%s %r" % (key, key), str([key]), str({"key": key})]  # noqa: UP031
    shown += [
        str(dir(key)),
        repr(key._reveal),
        json.dumps(key, default=str),
        msgspec.json.encode(key, enc_hook=repr).decode(),
    ]

    assert [] == [one for one in shown for form in forms(ONES) if form in one.encode()]
    assert not hasattr(key, "__dict__")
    for leave in (
        pickle.dumps, copy.copy, copy.deepcopy, vars, bytes, int, iter, json.dumps, msgspec.json.encode,
        msgspec.msgpack.encode, msgspec.to_builtins,
    ):  # fmt: skip
        with pytest.raises(TypeError):
            leave(key)


SCAN = '''
"""Signs, fails in every way, and tells everything it can about it."""

import logging
import pickle
import sys
import traceback
from pathlib import Path

import msgspec
from loguru import logger
from rich.console import Console
from rich.traceback import Traceback

place = Path(sys.argv[1])
logger.remove()
logger.add(place / "loguru.log", level="TRACE", diagnose=True, backtrace=True)
logger.add(place / "serialized.log", level="TRACE", diagnose=True, serialize=True)
logging.basicConfig(filename=place / "logging.log", level=logging.DEBUG)
told = (place / "told.txt").open("w")
console = Console(file=told, width=400)

from bot.config import load
from bot.keys import agent_key, read_key, write_keystore
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer
from exchange.hyperliquid.signing_user import completed
from monitoring.logs import EventLog

key = read_key(None, None)
signer = Signer(key, is_mainnet=False)
log = EventLog(place / "hat.log")
log.system("startup", 1, {"key": str(key), "signer": str(signer)})
logger.debug("{} {!r} {}", key, signer, {"key": key})
logging.debug("%s %r", key, signer)
signature = signer.sign_l1(b"\\x80", 1)
user = completed({"type": "usdSend", "destination": "x", "amount": "1", "time": 1}, is_mainnet=False)
logger.debug("{} {}", signature, signer.sign_user(user))
failures = 0


def attempt(act):
    global failures
    try:
        act()
    except BaseException as error:
        failures += 1
        logger.exception("it failed")
        logging.exception("it failed")
        print(*traceback.TracebackException.from_exception(error, capture_locals=True).format(), file=told)
        console.print(Traceback(show_locals=True, locals_max_string=None, locals_max_length=None, suppress=()))
        console.print(repr(error), error.args, vars(error), error.__context__, error.__cause__)


def fails_beside(*things):
    raise RuntimeError("a failure beside " + str(things))


def environ(*keep):
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("HAT_") or name in keep}


def from_environment(path=None, store=None, account="0x" + "cd" * 20, *keep):
    return agent_key(key_file=path, keystore=store, account=account, allow_master_key=False, environ=environ(*keep))


attempt(lambda: signer.sign_l1(b"", -1))
attempt(lambda: signer.sign_l1(b"", 2**64))
attempt(lambda: signer.sign_l1("text", 1))
attempt(lambda: signer.sign_digest(b"short"))
attempt(lambda: signer.sign_digest(b"short".ljust(32).decode()))
attempt(lambda: signer.sign_user({"type": "usdSend"}))
attempt(lambda: signer.sign_multi_sig({"type": "multiSig", "x": key}, 1))
attempt(lambda: SecretKey(key.reveal() + b"x"))
attempt(lambda: Signer(None, is_mainnet=False))
attempt(lambda: fails_beside(key, signer, key.reveal))
attempt(lambda: pickle.dumps([key, signer]))
attempt(lambda: msgspec.json.encode({"key": key}))
attempt(lambda: from_environment(None, None, signer.address, "HAT_AGENT_KEY"))
attempt(lambda: from_environment(place / "agent.key", None, signer.address, "HAT_AGENT_KEY"))
attempt(lambda: from_environment(place / "open.key"))
attempt(lambda: from_environment(place / "short.key"))
attempt(lambda: from_environment(place / "long.key"))
attempt(lambda: from_environment(None, place / "agent.json", signer.address, "HAT_KEYSTORE_PASSPHRASE"))
attempt(lambda: from_environment(None, place / "wrong.json", signer.address, "HAT_KEYSTORE_PASSPHRASE"))
attempt(lambda: from_environment(None, place / "broken.json", signer.address, "HAT_KEYSTORE_PASSPHRASE"))
attempt(lambda: from_environment())
attempt(lambda: read_key(place / "agent.key", None))
attempt(lambda: write_keystore(place / "agent.json", key, lambda: "unused"))
logger.debug(load().model_dump())
print(failures, signer, key)
log.close()
told.close()
raise RuntimeError(f"the last words of a process with {key} and {signer}")
'''


def test_scan_of_everything_written_finds_no_key_and_no_passphrase(tmp_path):
    """Also where logs are as talkative as they can be: loguru with values, rich with locals."""
    key, words = secrets.token_bytes(32), "words-" + secrets.token_hex(12)
    place = tmp_path / "place"
    place.mkdir()
    store = json.dumps(Account.encrypt(key, words, kdf="pbkdf2", iterations=2))
    wrong = json.dumps(Account.encrypt(key, "another", kdf="pbkdf2", iterations=2))
    files = {
        "agent.key": key.hex(), "open.key": key.hex(), "short.key": key.hex()[:-1], "long.key": key.hex() + "zz",
        "agent.json": store, "wrong.json": wrong, "broken.json": store.replace("ciphertext", "cyphertext"),
    }  # fmt: skip
    for name, text in files.items():
        (place / name).write_text(text)
        (place / name).chmod(0o644 if name == "open.key" else 0o600)
    script = tmp_path / "scan.py"
    script.write_text(SCAN)

    done = subprocess.run(
        [sys.executable, str(script), str(place)],
        cwd=ROOT,
        env=environment(HAT_AGENT_KEY="0x" + key.hex(), HAT_KEYSTORE_PASSPHRASE=words, PYTHONPATH=str(ROOT)),
        capture_output=True,
        check=False,
        timeout=100,
    )

    assert b"the last words" in done.stderr, done.stderr
    assert done.stdout.startswith(b"23 Signer(0x"), done.stdout
    written = {path.name: path.read_bytes() for path in place.iterdir() if path.name not in files}
    assert set(written) == {"loguru.log", "serialized.log", "logging.log", "told.txt", "hat.log"}
    assert all(b"SecretKey(hidden)" in text for text in written.values())
    written |= {"stdout": done.stdout, "stderr": done.stderr}
    # Half a key is as good as a whole one to whom it leaks twice.
    halves = [key.hex()[:32].encode(), key.hex()[-32:].encode()]
    found = [
        (name, form)
        for name, text in written.items()
        for form in [*forms(key, text=words), *halves]
        if form in text or (form.lower() in text.lower() and len(form) > 32)
    ]
    assert [] == found
