"""What a person reads of `hat data`: the plan before it is paid for, what was got, what lies in a folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.data_spans import size_text
from bot.show import facts


def archive_view(shape: Mapping[str, Any]) -> RenderableType:
    """Return a download of the archive, planned or done."""
    files, sizes = shape["files"], shape["bytes"]
    rows: list[tuple[str, object]] = [("folder", shape["folder"])]
    if "new" in files:
        rows.append(("got", f"{files['new']:,} files, {size_text(sizes['new'])}"))
    rows.append(("had", f"{files['had']:,} files"))
    if files["left"]:
        cost = f"about {shape['usd']} USD billed to you by Amazon"
        rows.append(("to get", f"{files['left']:,} files, {size_text(sizes['left'])}, {cost}"))
    return Group(facts(rows), *_missing(shape["missing"]))


def _missing(missing: Sequence[Mapping[str, Any]]) -> list[Text]:
    return [
        Text(f"Not in the archive: {one['what']}, {one['count']} {one['unit']}: {one['spans']} UTC", style="yellow")
        for one in missing
    ]


def history_view(shapes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what a download of histories did."""
    table = Table("file", "new", "rows", "first (UTC)", "last (UTC)", box=SIMPLE_HEAD)
    if not any(one["rows"] for one in shapes):
        return Text("The venue has none of this in that time; coins are written as it writes them, e.g. kPEPE.")
    for one in shapes:
        table.add_row(
            Text(one["file"], overflow="ignore"), f"{one['new']:,}", f"{one['rows']:,}", one["first"], one["last"]
        )
    return table


def held_view(folder: str, shapes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what lies in a folder."""
    if not shapes:
        return Text(f"{folder} holds no downloaded data; `hat data download --help` says how to get some.")
    table = Table("kind", "what", "files", "size", "rows", "first (UTC)", "last (UTC)", box=SIMPLE_HEAD)
    said = []
    for one in shapes:
        rows = f"{one['rows']:,}" if one["rows"] else "-"
        table.add_row(
            one["kind"], one["what"], f"{one['files']:,}", size_text(one["size"]), rows, one["first"], one["last"]
        )
        name = f"{one['kind']} {one['what']}"
        said += [Text(f"{name} lacks {span} UTC", style="yellow") for span in one["missing"]]
        said += [Text(f"{name}: {one['problem']}", style="red")] if one["problem"] else []
    return Group(table, *said)
