"""The floors of the house, proven by import-linter on every run."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_imports_go_down_only() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
