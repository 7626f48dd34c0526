"""House rules no linter knows, read from the syntax trees of everything we ship.

Each rule answers with the list of places that break it, so a red test is a list of things to mend. An exemption is
written in a table at the top, with its reason; there is no other way around a rule.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = tuple(sorted({entry.parent.name for entry in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}))

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "managers"}
DRAWER_CLASS = re.compile(r"(Manager|Handler|Helpers?|Utils?|Common|Base|Impl|Data|Info|Enhanced|New2)$")

BROAD_EXCEPT_ALLOWED = {
    "bot/__main__.py": "the outermost frame: says in one sentence which invariant broke, then exits non-zero",
}
CLOCK_READERS_ALLOWED = {
    "bot/clock.py": "the only reader of clocks; everybody else is told the time",
}

# Pure code: these folders but for what their stores and migrations need.
PURE = ("domain/", "engine/", "ledger/", "risk/", "router/")
# These only read rows through a connection that is handed to them: SQL and nothing else of the world.
SQL_READERS = ("ledger/audit", "ledger/canonical.py")
IMPURE_FILES = ("ledger/store", "ledger/tables.py", "ledger/migrations/", "risk/store.py", "router/store.py")
WORLDLY = {
    # clocks, sockets, threads, files, environment, chance, telling
    *("time", "datetime", "socket", "select", "ssl", "http", "urllib", "threading", "multiprocessing", "concurrent"),
    *("asyncio", "subprocess", "os", "sys", "io", "pathlib", "tempfile", "shutil", "signal", "random", "secrets"),
    *("uuid", "logging", "loguru", "sqlalchemy", "alembic", "requests", "websocket", "opentelemetry"),
    *("prometheus_client",),
}

# Integers only: the rooms whose numbers are money. Statistics and strategies (risk/value_at_risk.py, engine) may float.
INTEGER_ONLY = ("domain/", "ledger/", "router/", "risk/checks.py")

CLOCK_CALLS = re.compile(
    r"^(time\.(time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns)"
    r"|(datetime\.)?(datetime|date)\.(now|utcnow|today))$",
)


@cache
def committed() -> tuple[str, ...]:
    """Every file git keeps or would keep; without git, everything that is not hidden or built."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not re.search(r"(^|/)(\.[a-z]+_?\w*|state|build|dist|__pycache__)/", name)]
    return tuple(sorted({name for name in names if (ROOT / name).is_file()}))


def python_files() -> list[str]:
    """Every Python file that is ours."""
    return [name for name in committed() if name.endswith(".py")]


def product_files() -> list[str]:
    """Python that ships: the rooms, no tests, no benchmarks."""
    return [name for name in python_files() if name.split("/")[0] in ROOMS]


def pure_files() -> list[str]:
    """Python of the pure floors."""
    return [name for name in product_files() if name.startswith(PURE) and not name.startswith(IMPURE_FILES)]


def integer_files() -> list[str]:
    """Python in which every number is an integer."""
    return [name for name in pure_files() if name.startswith(INTEGER_ONLY)]


@cache
def source(name: str) -> str:
    """The text of one file."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def nodes(name: str) -> tuple[ast.AST, ...]:
    """Every node of one file's syntax tree."""
    return tuple(ast.walk(ast.parse(source(name), filename=name)))


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` as text, seen through subscripts; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case ast.Subscript(value=value):
            return dotted(value)
        case _:
            return ""


def calls(name: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call in one file."""
    for node in nodes(name):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def imports(name: str) -> Iterator[tuple[int, str]]:
    """Line and top-level module of every import in one file."""
    for node in nodes(name):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def annotations(name: str) -> Iterator[ast.AST]:
    """Every node inside an annotation of one file."""
    for node in nodes(name):
        written = None
        if isinstance(node, ast.AnnAssign | ast.arg):
            written = node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            written = node.returns
        if written is not None:
            yield from ast.walk(written)


def test_the_rooms_are_found() -> None:
    assert {"domain", "engine", "bot"} <= set(ROOMS)
    assert integer_files()


def test_no_file_is_longer_than_a_sitting() -> None:
    long = {name: len(source(name).splitlines()) for name in python_files()}
    assert [] == [f"{name}: {lines} lines" for name, lines in long.items() if lines > FILE_LINES_MAX]


def test_no_function_is_longer_than_a_screen() -> None:
    broken = [
        f"{name}:{node.lineno} {node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for name in product_files()
        for node in nodes(name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert [] == broken


def test_every_module_says_what_it_holds() -> None:
    assert [] == [name for name in python_files() if not ast.get_docstring(ast.parse(source(name)))]


def test_no_name_is_a_drawer() -> None:
    modules = [
        name
        for name in python_files()
        if any(DRAWERS & set(part.removesuffix(".py").split("_")) for part in name.split("/"))
    ]
    classes = [
        f"{name}:{node.lineno} {node.name}"
        for name in product_files()
        for node in nodes(name)
        if isinstance(node, ast.ClassDef) and DRAWER_CLASS.search(node.name)
    ]
    assert [] == modules + classes


def test_nobody_catches_everything() -> None:
    broken = [
        f"{name}:{node.lineno}"
        for name in product_files()
        if name not in BROAD_EXCEPT_ALLOWED
        for node in nodes(name)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or {"Exception", "BaseException"} & {dotted(kind).split(".")[-1] for kind in ast.walk(node.type)}
        )
    ]
    assert [] == broken


def test_pure_code_knows_nothing_of_the_world() -> None:
    broken = [
        f"{name}:{line} {module}"
        for name in pure_files()
        for line, module in imports(name)
        if module in WORLDLY and not (module == "sqlalchemy" and name.startswith(SQL_READERS))
    ]
    broken += [
        f"{name}:{line} {called}()"
        for name in pure_files()
        for line, called in calls(name)
        if called in {"open", "print", "input", "__import__"}
    ]
    assert [] == broken


def test_pure_code_never_waits() -> None:
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    broken = [f"{name}:{node.lineno}" for name in pure_files() for node in nodes(name) if isinstance(node, waits)]
    assert [] == broken


def test_money_never_floats() -> None:
    broken = []
    for name in integer_files():
        broken += [
            f"{name}:{node.lineno} annotation" for node in annotations(name) if getattr(node, "id", None) == "float"
        ]
        broken += [f"{name}:{line} float()" for line, called in calls(name) if called == "float"]
        for node in nodes(name):
            if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
                broken.append(f"{name}:{node.lineno} literal {node.value}")
            elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
                broken.append(f"{name}:{node.lineno} true division")
    assert [] == broken


def test_one_module_reads_clocks() -> None:
    broken = [
        f"{name}:{line} {called}"
        for name in product_files()
        if name not in CLOCK_READERS_ALLOWED
        for line, called in calls(name)
        if CLOCK_CALLS.match(called)
    ]
    broken += [
        f"{name}:{node.lineno} from time import {alias.name}"
        for name in product_files()
        if name not in CLOCK_READERS_ALLOWED
        for node in nodes(name)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if CLOCK_CALLS.match(f"time.{alias.name}")
    ]
    assert [] == broken


def test_only_the_gate_approves() -> None:
    broken = [
        f"{name}:{line}"
        for name in product_files()
        if name != "risk/gate.py"
        for line, called in calls(name)
        if called.split(".")[-1] == "Approved"
    ]
    assert [] == broken


def test_every_room_is_in_every_list() -> None:
    settings = tomllib.loads(source("pyproject.toml"))
    contract = settings["tool"]["importlinter"]
    floors = next(entry for entry in contract["contracts"] if entry["type"] == "layers")["layers"]
    assert set(ROOMS) == set(contract["root_packages"])
    assert set(ROOMS) == {room for floor in floors for room in re.findall(r"\w+", floor)}
    assert set(ROOMS) == set(settings["tool"]["mypy"]["packages"])
    assert set(ROOMS) - {"scripts"} == {
        room.removesuffix("*") for room in settings["tool"]["setuptools"]["packages"]["find"]["include"]
    }


# Written in pieces, so that this file does not break its own rules.
UNWANTED = {
    "a promise in a comment (open an issue instead)": r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b",
    "a path of one machine": r"(?<![\w.])/(wo" r"rk|ro" r"ot|ho" r"me)/",
    "an index host": r"--(extra-)?ind" r"ex-url|py" r"pi\.(org|python)|python" r"hosted\.",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_no_committed_text_holds(what: str) -> None:
    broken = []
    for name in committed():
        try:
            text = source(name)
        except UnicodeDecodeError:
            continue
        broken += [
            f"{name}:{number} {found[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            if (found := re.search(UNWANTED[what], line))
        ]
    assert [] == broken


def test_the_locks_pin_every_package_with_hashes() -> None:
    pinned = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        entries = re.findall(
            r"^([a-z0-9.-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", source(name), re.MULTILINE
        )
        assert len(entries) == source(name).count("=="), f"{name} holds a line that is neither exact nor hashed"
        pinned[name] = {(package, version) for package, version, _ in entries}
    assert pinned["requirements.lock"] <= pinned["requirements-dev.lock"]
