"""Where the agent's secret key comes from: the environment, a file, or an encrypted keystore (version 3).

Why it exists: a key that signs orders loses money when anybody reads it. So it is read in one place, which refuses what
others could read too, and is handed on as a SecretKey, which does not show itself.

Laws: no error, log line, traceback or frame of this module holds the key, the passphrase, or the environment they came
from; errors are raised after such names are gone, and outside `except`, so that they carry no context. The key comes
from exactly one place. A master key, which may withdraw everything, is refused unless it is allowed on purpose.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from stat import S_ISREG

from eth_account import Account

from domain.errors import ConfigInvalid
from exchange.hyperliquid.secret_key import KEY_BYTES, SecretKey, is_secret_key
from exchange.hyperliquid.signing import Signer

AGENT_KEY = "HAT_AGENT_KEY"
PASSPHRASE = "HAT_KEYSTORE_PASSPHRASE"  # noqa: S105 - the name of a variable
KEY_FILE, KEYSTORE, ACCOUNT = "network.key_file", "network.keystore", "network.account"
FILE_BYTES_MAX = 16_384
OTHERS = 0o077
HEX_DIGITS = 2 * KEY_BYTES
KEYSTORE_VERSION = 3
WRONG_PASSPHRASE = "MAC mismatch"  # noqa: S105 - what eth-account says

Told = Callable[[str], str]
"""Answers with a variable of the environment, or nothing; unlike a mapping it does not show them all."""


def agent_key(
    *,
    key_file: Path | None,
    keystore: Path | None,
    account: str,
    allow_master_key: bool,
    environ: Mapping[str, str] | None = None,
    ask: Callable[[], str] | None = None,
) -> SecretKey:
    """Return the key orders are signed with; environ is the process's own unless another is given.

    A key whose address is the account's own is a master key. Whether the key of another address may trade for the
    account only the venue knows: `hat doctor` asks it.

    Raises: ConfigInvalid as read_key does, without an account, and for a master key that is not allowed.
    """
    told = quiet(environ)
    del environ
    if not account:
        raise ConfigInvalid(ACCOUNT, "", "the address of the account that trades: the master's, not the agent's")
    key = _read(key_file, keystore, told, ask)
    address = address_of(key)
    if address == account.lower() and not allow_master_key:
        raise ConfigInvalid(
            ACCOUNT,
            address,
            "the address of the account, not that of the key: this is a master key, which can withdraw everything; "
            "approve an agent (API wallet) and use its key, or set network.allow_master_key",
        )
    return key


def read_key(
    key_file: Path | None,
    keystore: Path | None,
    environ: Mapping[str, str] | None = None,
    ask: Callable[[], str] | None = None,
) -> SecretKey:
    """Return the key from the only place that names one; ask is how a person is asked for the passphrase.

    Raises: ConfigInvalid when no place or more than one is named, a file may be read by others or is none, what is there
    is no key, or the passphrase does not open the keystore.
    """
    told = quiet(environ)
    del environ
    return _read(key_file, keystore, told, ask)


def address_of(key: SecretKey) -> str:
    """Return the address a key signs as, in lower case."""
    return Signer(key, is_mainnet=False).address


def key_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder where leases and nonces are kept, made when missing: one for all runs of this user.

    Raises: ConfigInvalid when it cannot be made.
    """
    told = quiet(environ)
    del environ
    state = told("XDG_STATE_HOME")
    folder = (Path(state) if state else Path(told("HOME") or Path.home()) / ".local" / "state") / "hat" / "keys"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror
    else:
        return folder
    raise ConfigInvalid("key folder", str(folder), f"a folder that can be made ({problem}); XDG_STATE_HOME moves it")


def quiet(environ: Mapping[str, str] | None) -> Told:
    """Return an environment as a function, which shows nothing when it is printed."""
    found = os.environ if environ is None else environ
    return lambda name: found.get(name, "")


def parsed_key(text: str, place: str) -> SecretKey:
    """Return the key written as hex, with or without 0x. Raises: ConfigInvalid, which does not repeat the text."""
    digits = text.strip().removeprefix("0x").removeprefix("0X")
    length = len(digits)
    try:
        raw = bytes.fromhex(digits) if length == HEX_DIGITS else b""
    except ValueError:
        raw = b""
    key = SecretKey(raw) if is_secret_key(raw) else None
    del text, digits, raw
    if key is None:
        raise ConfigInvalid(
            place, f"{length} characters, not shown", f"a secret key: {HEX_DIGITS} hex digits, with or without 0x"
        )
    return key


def write_keystore(path: Path, key: SecretKey, passphrase: Callable[[], str]) -> None:
    """Write a key as an encrypted keystore that only its owner may read. Takes a second: its hash is slow on purpose.

    Raises: ConfigInvalid when the name is taken or the place cannot be written.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        problem = "a name that is free: a keystore is never replaced"
    except OSError as error:
        problem = f"a place that can be written ({error.strerror})"
    else:
        is_whole = False
        try:
            os.write(file, json.dumps(Account.encrypt(key.reveal(), passphrase())).encode() + b"\n")
            os.fsync(file)
            is_whole = True
        finally:
            os.close(file)
            if not is_whole:
                path.unlink()
        return
    raise ConfigInvalid(KEYSTORE, str(path), problem)


def _read(key_file: Path | None, keystore: Path | None, told: Told, ask: Callable[[], str] | None) -> SecretKey:
    named = {AGENT_KEY: bool(told(AGENT_KEY)), KEY_FILE: key_file is not None, KEYSTORE: keystore is not None}
    places = [place for place, is_named in named.items() if is_named]
    if len(places) != 1:
        raise ConfigInvalid(
            "the agent's key",
            " and ".join(places) or "nowhere",
            f"one place: {AGENT_KEY} in the environment, {KEY_FILE} or {KEYSTORE}",
        )
    if key_file is not None:
        _refuse_key_as_name(KEY_FILE, key_file)
        return parsed_key(_private_file(KEY_FILE, key_file).decode("ascii", "replace"), f"{KEY_FILE} {key_file}")
    if keystore is not None:
        _refuse_key_as_name(KEYSTORE, keystore)
        return _opened(keystore, told, ask)
    return parsed_key(told(AGENT_KEY), AGENT_KEY)


def _refuse_key_as_name(setting: str, path: Path) -> None:
    """Refuse a key that somebody wrote where the name of its file belongs, and do not repeat it."""
    name = str(path).removeprefix("0x").removeprefix("0X")
    is_key = len(name) == HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in name)
    del path, name
    if is_key:
        raise ConfigInvalid(setting, "a key, not shown", "the name of a file; the key was seen, take a new one")


def _private_file(setting: str, path: Path) -> bytes:
    """Return what is in a file only its owner may read. Raises: ConfigInvalid."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigInvalid(setting, str(path), f"a file that can be read ({error.strerror})") from None
    try:
        found = os.fstat(file)
        if not S_ISREG(found.st_mode):
            raise ConfigInvalid(setting, str(path), "a plain file")
        if found.st_uid not in {os.geteuid(), 0}:
            raise ConfigInvalid(setting, str(path), f"a file of your own: chown {os.geteuid()} {path}")
        if found.st_mode & OTHERS:
            raise ConfigInvalid(setting, str(path), f"a file that only its owner may read: chmod 600 {path}")
        if found.st_size > FILE_BYTES_MAX:
            raise ConfigInvalid(setting, str(path), f"at most {FILE_BYTES_MAX} bytes")
        return os.read(file, FILE_BYTES_MAX)
    finally:
        os.close(file)


def _opened(path: Path, told: Told, ask: Callable[[], str] | None) -> SecretKey:
    """Return the key in a keystore. Raises: ConfigInvalid."""
    try:
        shape = json.loads(_private_file(KEYSTORE, path))
    except (ValueError, RecursionError):
        shape = None
    if not isinstance(shape, dict) or shape.get("version") != KEYSTORE_VERSION:
        raise ConfigInvalid(KEYSTORE, str(path), f"an Ethereum keystore of version {KEYSTORE_VERSION}")
    unlock = (lambda: told(PASSPHRASE)) if told(PASSPHRASE) else ask
    if unlock is None:
        raise ConfigInvalid(KEYSTORE, str(path), f"its passphrase in {PASSPHRASE}, or a terminal to ask for it")
    try:
        return SecretKey(bytes(Account.decrypt(shape, unlock())))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, NotImplementedError) as error:
        is_shut = str(error) == WRONG_PASSPHRASE
    # Outside `except`: the error just caught holds frames in which the passphrase has a name.
    expected = "another passphrase: this one does not open it" if is_shut else "a keystore that holds one secret key"
    raise ConfigInvalid(KEYSTORE, str(path), expected)
