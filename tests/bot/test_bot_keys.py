"""Keys: read from one place, refused where others could read them; `hat key`."""

import json
import os
import secrets
import stat

import pytest
from eth_account import Account
from typer.testing import CliRunner

from bot.cli_key import key_app
from bot.keys import address_of, agent_key, key_folder, read_key, write_keystore
from domain.errors import ConfigInvalid, HouseError
from exchange.hyperliquid.secret_key import SecretKey

ONES = bytes([1]) * 32
ONES_HEX = "0x" + ONES.hex()
ADDRESS = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
MASTER = "0x" + "cd" * 20
WORDS = "correct horse"
runner = CliRunner()


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "agent.key"
    path.write_text(ONES_HEX + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def keystore(tmp_path):
    path = tmp_path / "agent.json"
    path.write_text(json.dumps(Account.encrypt(ONES, WORDS, kdf="pbkdf2", iterations=2)))
    path.chmod(0o600)
    return path


def test_key_comes_from_the_environment_a_file_or_a_keystore(key_file, keystore):
    found = [
        read_key(None, None, {"HAT_AGENT_KEY": ONES_HEX}),
        read_key(None, None, {"HAT_AGENT_KEY": ONES.hex().upper()}),
        read_key(key_file, None, {}),
        read_key(None, keystore, {"HAT_KEYSTORE_PASSPHRASE": WORDS}),
        read_key(None, keystore, {}, ask=lambda: WORDS),
    ]

    assert {address_of(key) for key in found} == {ADDRESS}
    assert {key.reveal() for key in found} == {ONES}


def test_key_from_no_place_or_from_two_is_refused(key_file, keystore):
    for places, said in (
        ((None, None, {}), "nowhere"),
        ((key_file, keystore, {}), "network.key_file and network.keystore"),
        ((key_file, None, {"HAT_AGENT_KEY": ONES_HEX}), "HAT_AGENT_KEY and network.key_file"),
    ):
        with pytest.raises(ConfigInvalid, match=said):
            read_key(*places)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610, 0o666])
def test_file_others_could_read_is_refused_with_the_command_that_mends_it(key_file, keystore, mode):
    key_file.chmod(mode)
    keystore.chmod(mode)

    with pytest.raises(ConfigInvalid, match=f"chmod 600 {key_file}"):
        read_key(key_file, None, {})
    with pytest.raises(ConfigInvalid, match=f"chmod 600 {keystore}"):
        read_key(None, keystore, {"HAT_KEYSTORE_PASSPHRASE": WORDS})


def test_file_of_another_user_is_refused(key_file):
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    os.chown(key_file, 12_345, -1)

    with pytest.raises(ConfigInvalid, match="a file of your own"):
        read_key(key_file, None, {})


@pytest.mark.parametrize("text", ["", "0x", ONES.hex()[:-1], ONES_HEX + "00", "zz" * 32, "00" * 32, "f" * 64])
def test_text_that_is_no_key_is_refused_and_not_repeated(key_file, text):
    key_file.write_text(text)

    for places in ((key_file, None, {}), (None, None, {"HAT_AGENT_KEY": text or " "})):
        with pytest.raises(ConfigInvalid, match="64 hex digits") as refused:
            read_key(*places)
        assert len(text) < 10 or text.removeprefix("0x")[:40] not in str(refused.value)
        assert refused.value.__context__ is None


def test_key_typed_where_a_file_name_belongs_is_not_repeated(tmp_path):
    for places in ((ONES_HEX, None), (None, ONES.hex())):
        with pytest.raises(ConfigInvalid, match="the name of a file") as refused:
            read_key(*places, {})
        assert ONES.hex() not in str(refused.value)
    with pytest.raises(ConfigInvalid, match="No such file"):
        read_key(tmp_path / "none", None, {})
    with pytest.raises(ConfigInvalid, match="a plain file"):
        read_key(tmp_path, None, {})


def test_file_that_is_no_key_but_large_is_not_read(key_file):
    key_file.write_bytes(b"0" * 100_000)

    with pytest.raises(ConfigInvalid, match="at most"):
        read_key(key_file, None, {})


def test_keystore_needs_its_passphrase_and_says_so(keystore):
    with pytest.raises(ConfigInvalid, match="another passphrase") as refused:
        read_key(None, keystore, {"HAT_KEYSTORE_PASSPHRASE": "something else"})
    assert "something else" not in str(refused.value)
    assert refused.value.__context__ is None
    with pytest.raises(ConfigInvalid, match="HAT_KEYSTORE_PASSPHRASE"):
        read_key(None, keystore, {})


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "{}", '{"version": 4}', '{"version": 3}', '{"version": 3, "crypto": []}', "[" * 9_000,
        '{"version": 3, "crypto": {"kdf": "md5"}}',
    ],
)  # fmt: skip
def test_file_that_is_no_keystore_is_refused(keystore, text):
    keystore.write_text(text)

    with pytest.raises(ConfigInvalid, match="keystore"):
        read_key(None, keystore, {"HAT_KEYSTORE_PASSPHRASE": WORDS})


def test_keystore_of_ours_opens_with_eth_account_and_is_private_and_never_replaced(tmp_path):
    path = tmp_path / "new.json"
    key = SecretKey(secrets.token_bytes(32))

    write_keystore(path, key, lambda: WORDS)

    assert bytes(Account.decrypt(json.loads(path.read_text()), WORDS)) == key.reveal()
    assert read_key(None, path, {"HAT_KEYSTORE_PASSPHRASE": WORDS}).reveal() == key.reveal()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigInvalid, match="never replaced"):
        write_keystore(path, key, lambda: WORDS)
    with pytest.raises(ConfigInvalid, match="can be written"):
        write_keystore(tmp_path / "none" / "new.json", key, lambda: WORDS)


def test_keystore_that_could_not_be_finished_leaves_nothing(tmp_path):
    def refuse():
        raise ConfigInvalid("passphrase", "", "one")

    with pytest.raises(ConfigInvalid):
        write_keystore(tmp_path / "new.json", SecretKey(ONES), refuse)
    assert [] == list(tmp_path.iterdir())


def test_master_key_is_refused_unless_it_is_allowed():
    places = {"key_file": None, "keystore": None, "environ": {"HAT_AGENT_KEY": ONES_HEX}}
    checksummed = Account.from_key(ONES).address

    assert address_of(agent_key(**places, account=MASTER, allow_master_key=False)) == ADDRESS
    assert address_of(agent_key(**places, account=checksummed, allow_master_key=True)) == ADDRESS
    with pytest.raises(ConfigInvalid, match="withdraw everything"):
        agent_key(**places, account=checksummed, allow_master_key=False)
    with pytest.raises(ConfigInvalid, match=r"network\.account"):
        agent_key(**places, account="", allow_master_key=False)


def test_key_folder_is_private_and_one_for_all_runs(tmp_path):
    folder = key_folder({"HOME": str(tmp_path)})

    assert folder == tmp_path / ".local" / "state" / "hat" / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert key_folder({"HOME": str(tmp_path)}) == folder
    assert key_folder({"XDG_STATE_HOME": str(tmp_path / "x")}) == tmp_path / "x" / "hat" / "keys"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid, match="XDG_STATE_HOME"):
        key_folder({"XDG_STATE_HOME": str(tmp_path / "file")})


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """No setting of the machine the tests run on."""
    for name in os.environ:
        if name.startswith("HAT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_import_reads_the_key_from_standard_input_and_writes_a_keystore(tmp_path, no_settings):
    no_settings.setenv("HAT_KEYSTORE_PASSPHRASE", WORDS)
    done = runner.invoke(key_app, ["import", "--to", "agent.json", "--json"], input=ONES_HEX + "\n")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"address": ADDRESS, "keystore": "agent.json"}
    shown = runner.invoke(key_app, ["show-address", "--keystore", "agent.json"])
    assert shown.stdout == ADDRESS + "\n"
    (tmp_path / "hat.toml").write_text('[network]\nkeystore = "agent.json"\n')
    configured = runner.invoke(key_app, ["show-address", "--json"])
    assert json.loads(configured.stdout) == {"address": ADDRESS}


def test_import_reads_the_key_from_the_environment_and_says_what_to_approve(no_settings):
    no_settings.setenv("HAT_KEYSTORE_PASSPHRASE", WORDS)
    no_settings.setenv("HAT_AGENT_KEY", ONES_HEX)
    done = runner.invoke(key_app, ["import", "--to", "agent.json"])

    assert done.exit_code == 0, done.output
    assert f"{ADDRESS}  kept in agent.json; approve this address as an agent" in done.stdout
    assert runner.invoke(key_app, ["show-address"]).stdout == ADDRESS + "\n"


@pytest.mark.parametrize("command", [["import", "--to", "agent.json"], ["show-address"]])
@pytest.mark.parametrize("typed", [[ONES_HEX], ["--key", ONES_HEX], [f"--key={ONES_HEX}"]])
def test_key_on_the_command_line_is_refused_and_not_repeated(no_settings, command, typed):
    done = runner.invoke(key_app, [*command, *typed], input=ONES_HEX + "\n")

    assert isinstance(done.exception, HouseError)
    assert "the history of your shell" in str(done.exception)
    assert ONES.hex() not in str(done.exception) + done.output


def test_import_without_passphrase_or_with_a_broken_key_leaves_no_file(tmp_path, no_settings):
    done = runner.invoke(key_app, ["import", "--to", "agent.json"], input=ONES_HEX + "\n")
    assert isinstance(done.exception, ConfigInvalid)
    assert "HAT_KEYSTORE_PASSPHRASE" in str(done.exception)

    no_settings.setenv("HAT_KEYSTORE_PASSPHRASE", WORDS)
    done = runner.invoke(key_app, ["import", "--to", "agent.json"], input=ONES.hex()[:-2] + "\n")
    assert isinstance(done.exception, ConfigInvalid)
    assert ONES.hex()[:40] not in str(done.exception)
    assert [] == list(tmp_path.iterdir())
