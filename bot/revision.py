"""Which code runs: the version, and the commit when the code is a checkout. Stored with every run."""

from importlib.metadata import version
from pathlib import Path

REVISION_DIGITS = 12


def code_version() -> str:
    """Return the package version."""
    return version("hat")


def code_revision() -> str:
    """Return the version, and the commit in short when the code lies in a git checkout."""
    head = Path(__file__).resolve().parent.parent / ".git" / "HEAD"
    try:
        text = head.read_text(encoding="ascii").strip()
        if text.startswith("ref: "):
            text = (head.parent / text.removeprefix("ref: ")).read_text(encoding="ascii").strip()
    except OSError:
        return code_version()
    return f"{code_version()}+{text[:REVISION_DIGITS]}"
