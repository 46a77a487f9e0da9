"""One static page of every figure in a folder, pictures inside, no script from elsewhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pagjax.figures import blind_table, told
from pagjax.figures.blind_table import Line
from pagjax.figures.claims import Claim
from pagjax.figures.gallery_style import ABOUT, HEADINGS, SCRIPT, STYLE
from pagjax.figures.observations import Observation, hold
from pagjax.figures.places import BLIND_PAGE, PAGE, TITLE
from pagjax.figures.rows import Numbers
from pagjax.figures.told import Told, Way
from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError

_SHOWN_SIDE = 256  # of a way's pictures, in pixels of the screen; whole pixels, without blur


def write(folder: Path) -> Path:
    """Writes the page of every figure in a folder, whole or not at all.

    All that stands in records is text there, and no file but the figures' own pictures is in it.

    Args:
        folder: holds ``figure-NN`` folders that the command wrote.

    Returns:
        The page's path.

    Raises:
        RefusedError: if there is no figure, or one's files or the table of the blind test were
            edited; naming file and field.
    """
    records = sorted(folder.glob(f"figure-*/{told.RECORD}"))
    if not records:
        raise RefusedError(f"{folder} holds no figure: make one with `python -m pagjax.figures 1`")
    figures = [told.read(path.parent) for path in records]
    links = "".join(
        f'<a href="#figure-{one.number}">{one.number}. {_text(one.title)}</a>' for one in figures
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{TITLE}</title>"
        f"<style>{STYLE}</style></head><body>"
        f"<h1>{TITLE}</h1>"
        f"{ABOUT.replace('@PAGJAX@', _home(folder))}<nav>{links}</nav>{_overview(figures)}"
        f"{_blind(folder)}"
        f"{''.join(map(_section, figures))}<script>{SCRIPT}</script></body></html>"
    )
    atomic.write_bytes(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


class Evidence(NamedTuple):
    """What a figure has for and against its claims: the numbers of its pictures."""

    figure: int
    claims: tuple[Claim, ...]
    rows: tuple[Numbers, ...]


def observations(figures: Sequence[Evidence]) -> list[tuple[list[int], Observation]]:
    """What the paper saw, held against the pictures of all figures that show the same.

    Returns:
        For every claim the figures' numbers, and what was found in them together.
    """
    alike: dict[tuple[Claim, ...], list[Evidence]] = {}
    for one in figures:
        alike.setdefault(one.claims, []).append(one)
    return [
        ([one.figure for one in same], hold(claim, [row for one in same for row in one.rows]))
        for claims, same in alike.items()
        for claim in claims
    ]


def _text(words: str) -> str:
    return html.escape(words, quote=True)


def _overview(figures: Sequence[Told]) -> str:
    observed = observations([Evidence(one.number, one.claims, one.rows) for one in figures])
    rows = "".join(
        f"<tr><td>{', '.join(map(_link, numbers))}</td><td>{_text(one.words)}</td>"
        f"<td>{one.verdict}</td><td>{_text(one.number)}</td></tr>"
        for numbers, one in observed
    )
    return (
        "<h2>Does what the paper saw hold for these networks?</h2>"
        '<p class="note">A claim is held against the 95% interval of a mean over the pictures of '
        "all figures that show the same; it is undecided where the interval reaches both sides of "
        "the line.</p>"
        '<div class="scroll"><table class="words"><thead><tr><th>figures</th><th>seen</th>'
        f"<th>here</th><th>number</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _blind(folder: Path) -> str:
    """What readers of the blind test named, and a link to it; nothing where there is neither."""
    table = blind_table.read(folder)
    page = (folder / BLIND_PAGE).is_file()
    if not (table or page):
        return ""
    link = f'<p><a href="{BLIND_PAGE}">Look for yourself</a>: the same test, in the browser.</p>'
    if not table:
        return f"<h2>Named without captions</h2>{link}"
    head, *lines = blind_table.cells(_by_kind(table))
    cells = "".join(
        f"<tr>{''.join(f'<td>{_number(word)}</td>' for word in line)}</tr>" for line in lines
    )
    return (
        "<h2>Named without captions</h2>"
        '<p class="note">Pictures of all networks in random order, without captions: how often '
        "readers named the target, and what judges and their panel say of exactly the same "
        f"pictures. Looked: {_text(', '.join(blind_table.readers(table)))}.</p>"
        f'<div class="scroll"><table><thead><tr>'
        f"{''.join(f'<th>{_text(word)}</th>' for word in head)}"
        f"</tr></thead><tbody>{cells}</tbody></table></div>{link if page else ''}"
    )


def _by_kind(table: Sequence[Line]) -> list[Line]:
    """Lines in order of their networks, called by what tells them apart."""
    families = {"".join(line.network.partition("-")[:2]) for line in table}
    shared = families.pop() if len(families) == 1 and len(table) > 1 else ""
    lines = [line._replace(network=line.network.removeprefix(shared)) for line in table]
    return sorted(lines, key=lambda line: line.network)


def _home(folder: Path) -> str:
    """The project's name, a link where the page lies in the repository's documentation.

    From a disk it leads to the repository, from a server to the start of the documentation, of
    which this folder is a part.
    """
    beside = Path("..", "..", "README.md")
    if not (folder / beside).is_file():
        return "pagjax"
    return f'<a href="{beside.as_posix()}" data-served="../">pagjax</a>'


def _link(number: int) -> str:
    return f'<a href="#figure-{number}">{number}</a>'


def _section(figure: Told) -> str:
    number, title = figure.number, _text(figure.title)
    ways = "".join(map(_way, figure.ways))
    return (
        f'<section id="figure-{number}"><h2>Figure {number}. {title}</h2>'
        f"<p>{_text(figure.shows)}</p>"
        f'<div class="scroll"><img class="sheet" alt="Figure {number}: {title}" '
        f'src="{_address(*figure.picture)}">'
        f'</div><div class="ways">{ways}</div>'
        f'<div class="scroll">{_table(figure.means)}</div>'
        f'<p class="note">{_text(figure.settings)}</p>'
        f"<code>{_text(figure.command)}</code></section>"
    )


def _way(way: Way) -> str:
    last, side, label = way.frames - 1, way.side, _text(way.label)
    width = side * max(1, round(_SHOWN_SIDE / side))
    return (
        f'<div class="way" style="width: {width}px"><canvas width="{side}" height="{side}" '
        f'data-strip="{_address(*way.picture)}">'
        f'</canvas><input type="range" min="0" max="{last}" value="{last}" '
        f'autocomplete="off" aria-label="step of {label}">{label}</div>'
    )


def _table(rows: Sequence[dict[str, str]]) -> str:
    """Numbers down, variants across: there are more numbers than variants."""
    shown = [name for name in HEADINGS if any(row.get(name) for row in rows)]
    lines = [
        "".join(
            [
                f"<th>{HEADINGS[name]}</th>",
                *(f"<td>{_number(_entry(row, name))}</td>" for row in rows),
            ]
        )
        for name in shown
        if name != "variant"
    ]
    head = "".join(f"<th>{_text(row.get('variant', ''))}</th>" for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(words: str) -> str:
    """A cell; the interval in brackets behind its number stands small below it."""
    number, bracket, interval = words.partition(" (")
    if not (bracket and interval.endswith(")")):
        return _text(words)
    return f"{_text(number)}<small>{_text(interval.removesuffix(')'))}</small>"


def _entry(row: dict[str, str], name: str) -> str:
    """A number in three digits, a share with its interval."""
    try:
        value = float(row.get(name, ""))
    except ValueError:
        return row.get(name, "")
    words = f"{value:,.0f}" if 1000 <= abs(value) < 10**9 else f"{value:.3g}"
    if row.get(f"{name}_low") and row.get(f"{name}_high"):
        words += f" ({float(row[f'{name}_low']):.2f} to {float(row[f'{name}_high']):.2f})"
    return words


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
