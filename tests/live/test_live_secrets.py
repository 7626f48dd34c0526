"""The agent's key after a run over the wire: in no file of the state, in nothing printed, in no form."""

import base64
import json

from tests.live.wire_scene import ended, scene

SECONDS = 60


def forms(key):
    """Return every way in which a key could have been written down."""
    raw = bytes.fromhex(key.removeprefix("0x"))
    texts = {
        raw.hex(), raw.hex().upper(), str(int(raw.hex(), 16)), base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(), repr(raw)[2:-1], str(list(raw)), ", ".join(map(str, raw)),
        raw[::-1].hex(), raw.hex(" "), raw.hex(":"), raw.hex("-"),
    }  # fmt: skip
    return [raw, raw[::-1], *(text.encode() for text in texts)]


def holds_key(content, key):
    return any(form in content or form.lower() in content.lower() for form in forms(key))


def test_no_file_and_no_output_of_a_run_holds_the_key(tmp_path):
    with scene(tmp_path) as opened:
        key = opened.key
        with opened.bot("6s") as bot:
            code, summary, told = ended(bot, SECONDS)
        assert code == 0, told
        refused = opened.run("1s", "--coin", "NOPE")
        assert refused.returncode == 2
        written = [file for place in (opened.state, tmp_path / "keys") for file in place.rglob("*") if file.is_file()]
        names = {file.suffix for file in written}
        assert {".db", ".log", ".journal", ".json"} <= names, names
        holding = [file for file in written if holds_key(file.read_bytes(), key) or holds_key(str(file).encode(), key)]
        assert not holding
        for text in (told, json.dumps(summary), refused.stdout, refused.stderr):
            assert not holds_key(text.encode(), key)


def test_scan_finds_a_key_in_every_form():
    key = "0x" + "a1b2c3d4" * 8
    for form in forms(key):
        assert holds_key(b"before " + form + b" after", key)
    assert not holds_key(b"nothing here", key)
