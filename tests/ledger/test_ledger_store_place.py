"""No secret of a URL is ever shown, wherever it stands and however wrong the URL is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.store_place import has_port, is_secret, masked, masked_words, with_quoted_user, without


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("postgresql://u:s3cr3t@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:s3cr3t@pw@host:5432/db", "postgresql://u:***@host:5432/db"),
        ("postgresql://u:s3/cr3t@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:s3?cr3t@host/db?sslmode=require", "postgresql://u:***@host/db?sslmode=require"),
        ("postgresql://u:s3@c/r3t@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:s3%40cr3t@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:a@s3?x=cr3t@host/db", "postgresql://u:***@host/db"),
        ("postgresql://:s3cr3t@host/db", "postgresql://:***@host/db"),
        ("postgresql://u:s3cr3t@", "postgresql://u:***@"),
        ("postgresql://u:s3cr3t@127.0.0.1:abc/db", "postgresql://u:***@127.0.0.1:abc/db"),
        ("postgresql://u@/db?host=/tmp/x&password=s3cr3t", "postgresql://u@/db?host=/tmp/x&password=***"),
        ("postgresql://u@/db?password=s3cr3t@pw&host=/tmp/x", "postgresql://u@/db?password=***&host=/tmp/x"),
        ("postgresql://u@/db?password=a&s3cr3t", "postgresql://u@/db?password=***&***"),
        ("postgresql://u@/db?pass%77ord=s3cr3t", "postgresql://u@/db?pass%77ord=***"),
        ("postgresql:///db?passfile=/s3cr3t", "postgresql:///db?passfile=***"),
        ("postgresql:///db?sslpassword=s3cr3t&sslkey=/s3cr3t&sslcert=/c",
         "postgresql:///db?sslpassword=***&sslkey=***&sslcert=/c"),
        ("postgresql://u@host/db", "postgresql://u@host/db"),
        ("postgresql://host:5432/db@x", "postgresql://host:***@x"),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("sqlite:////var/me@home/a:b.db", "sqlite:////var/me@home/a:b.db"),
        ("sqlite:///state/ledger.db", "sqlite:///state/ledger.db"),
        ("https://:s3cr3t@traces:4318/v1?token=s3cr3t", "https://:***@traces:4318/v1?token=***"),
        ("logs/me@home/hat.log", "logs/me@home/hat.log"),
        ("", ""),
    ],
)  # fmt: skip
def test_url_is_shown_as_typed_without_its_secrets(typed, shown):
    assert shown == masked(typed)
    assert "s3" not in shown
    assert "cr3t" not in shown
    assert shown == masked(shown)


LETTERS = st.text("ab:@/?&=# %c", max_size=6).map(lambda some: f"s3cr3t{some}Z9")


@given(password=LETTERS, database=st.sampled_from(["", "/db", "/db?host=/tmp/x"]))
def test_password_of_any_letters_is_never_shown(password, database):
    shown = masked(f"postgresql://joe:{password}@host{database}")
    assert shown.startswith("postgresql://joe:***@")
    assert "s3cr3t" not in shown
    assert "Z9" not in shown
    assert shown.endswith(f"@host{database}") or any(one in password for one in "?&=")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("joe:s3cr3t@host/x", "***@host/x"),
        ("host=h password=s3cr3t user=joe", "host=h password=*** user=joe"),
        ("host=h password = 's3 cr3t'", "host=h password = ***"),
        ("postgresql:/u:s3cr3t@nowhere", "***@nowhere"),
        ("postgresql://u:s3cr3t@h/x", "postgresql://u:***@h/x"),
        ("nonsense", "nonsense"),
    ],
)
def test_text_that_is_no_url_is_shown_without_what_may_be_a_secret(text, shown):
    assert shown == masked_words(text)


@pytest.mark.parametrize("url", ["postgresql://u:p@h:5432/x", "postgresql://h/x", "postgresql://[::1]:5/x", "sqlite:///a:b",
                                 "postgresql://u@h:/x", "postgresql://u:a@b@h:1/x?port=abc", ""])  # fmt: skip
def test_port_is_one_or_none(url):
    assert has_port(url)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "5432,h2:5433", "٣", " 1"])
def test_port_that_is_none_is_seen(port):
    assert not has_port(f"postgresql://u:p@127.0.0.1:{port}/bot")
    assert not has_port(f"postgresql://[::1]:{port}/bot")


def test_password_with_an_at_sign_is_quoted():
    assert with_quoted_user("postgresql://u:a@b/c?d@h/x?y=z") == "postgresql://u:a%40b%2Fc%3Fd@h/x?y=z"
    assert with_quoted_user("postgresql://u@h:1/x?p=a@b") == "postgresql://u@h:1/x?p=a%40b"
    assert with_quoted_user("postgresql://u@h:1/d@x") == "postgresql://u@h:1/d%40x"
    for same in ("postgresql://u:ab@h/x", "sqlite:///a@b", "nonsense"):
        assert same == with_quoted_user(same)


def test_words_of_others_lose_the_secrets_they_repeat():
    assert without('no host "correct-horse" (correct)', ["correct", "correct-horse", "o", ""]) == 'no host "***" (***)'
    assert [True, True, True, True, False] == [
        is_secret(name) for name in ("password", "PassFile", "sslpassword", "sslkey", "sslmode")
    ]
