"""accounts.toml: what is read, and how the rest is refused."""

import pytest

from domain.errors import ConfigInvalid
from domain.units import MONEY_UNIT
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer
from services.venue_server.accounts_file import ACCOUNTS_MAX, demo_key, read_accounts

ONE, TWO, THREE = ("0x" + digit * 40 for digit in "aBc")


def written(folder, text):
    place = folder / "accounts.toml"
    place.write_bytes(text.encode() if isinstance(text, str) else text)
    return place


def test_accounts_are_read_with_their_agents(tmp_path):
    text = f"""
[[account]]
address = "{TWO}"
usdc = "10000.00000001"
spot_usdc = "5"
name = "desk one"
[[account.agent]]
address = "{THREE}"
name = "bot"
[[account]]
address = "{ONE}"
"""
    first, second = read_accounts(written(tmp_path, text))
    assert (TWO.lower(), 10_000 * MONEY_UNIT + 1, 5 * MONEY_UNIT) == (first.address, first.usdc, first.spot_usdc)
    assert (THREE, "bot") == (first.agents[0].address, first.agents[0].name)
    assert (ONE, 0, ()) == (second.address, second.usdc, second.agents)


def test_empty_file_opens_nobody(tmp_path):
    assert () == read_accounts(written(tmp_path, ""))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[account]]\naddress = "0x12"', "40 hex digits"),
        (f'[[account]]\naddress = "{ONE}"\nusdc = 10000', "Expected `str`"),
        (f'[[account]]\naddress = "{ONE}"\nusdc = "1e4"', "USDC as text"),
        (f'[[account]]\naddress = "{ONE}"\nusdc = "0.000000001"', "more than 8 decimals"),
        (f'[[account]]\naddress = "{ONE}"\nusdc = "-1"', "0 or more"),
        (f'[[account]]\naddress = "{ONE}"\nsecret_key = "0x1"', "secret_key"),
        (
            f'[[account]]\naddress = "{ONE}"\n[[account]]\naddress = "{ONE.upper().replace("X", "x")}"',
            "every address once",
        ),
        (f'[[account]]\naddress = "{ONE}"\n[[account.agent]]\naddress = "{ONE}"', "every address once"),
        ("[[account]]", "address"),
        ("account = 7", "Expected `array`"),
        ("[[acount]]", "acount"),
        ("[[account", "--accounts"),
        (b"\xff\xfe", "--accounts"),
        ("a = " + "[" * 5_000, "--accounts"),
        (f'[[account]]\naddress = "{ONE}"\n' * (ACCOUNTS_MAX + 1), "at most 10000"),
    ],
)
def test_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, text, said):
    with pytest.raises(ConfigInvalid) as refused:
        read_accounts(written(tmp_path, text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigInvalid, match="No such file"):
        read_accounts(tmp_path / "none.toml")
    with pytest.raises(ConfigInvalid, match="directory"):
        read_accounts(tmp_path)


def test_demo_key_follows_from_the_seed():
    addresses = [Signer(SecretKey(demo_key(seed)), is_mainnet=False).address for seed in (1, 1, 2)]
    assert addresses[0] == addresses[1] != addresses[2]
