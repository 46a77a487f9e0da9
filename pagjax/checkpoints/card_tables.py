"""A network's card as a table for people, ``card.md`` in its folder."""

from __future__ import annotations

from pathlib import Path

from pagjax.checkpoints.cards import CARD, Card, Certified
from pagjax.io.files import atomic

TABLE = "card.md"
_FROM_OTHERS = {
    "init": "started from",
    "teacher": "targets from",
    "statistics": "class statistics",
}


def markdown(card: Card) -> str:
    """A card as a table in Markdown."""
    reached, settings = card.accuracies, card.settings
    kind = "training" if settings.get("evaluate_on_training") else "test"
    images, sigma = f"{reached.images:,} {kind} images", f"sigma {reached.sigma:g}"
    rows = [
        ("for", card.purpose),
        ("base network, clean", f"{_percent(reached.clean)} of {images}"),
    ]
    if reached.under_noise is not None:
        sure = f"{_percent(reached.smoothed_sure)} with abstentions counted as wrong"
        rows += [
            (f"base network, one draw at {sigma}", _percent(reached.under_noise)),
            (
                f"smoothed, majority of {reached.draws} draws at {sigma}",
                f"{_percent(reached.smoothed)}; {sure}, "
                f"abstains on {_percent(reached.abstained)} "
                f"at level {card.abstention_level:g}",
            ),
        ]
    if reached.attacked is not None:
        attack = f"20-step l2 PGD, epsilon {reached.epsilon:g}"
        rows.append((f"base network, {attack}", _percent(reached.attacked)))
    rows += map(_certified_row, card.certified or ())
    if card.rounding is not None:
        changes = [
            f"{by:+.2%} {name.replace('_', ' ')}"
            for name, by in card.rounding._asdict().items()
            if by is not None
        ]
        rows.append(("half precision on disk", ", ".join(changes)))
    rows += [
        ("data", f"{settings['data']}, {settings['image_size']} pixels{_skipped(card)}"),
        ("procedure", f"{settings['procedure']}, seed {settings['seed']}"),
        *[(told, settings[n]) for n, told in _FROM_OTHERS.items() if settings.get(n)],
        ("precision of products", settings["precision"]),
        ("parameters", f"{card.parameters:,}"),
        (
            "training time",
            f"{card.training_seconds / 3600:.1f} hours, pauses included; "
            f"{card.training_cpu_seconds / 3600:.1f} core-hours",
        ),
        ("trained on", ", ".join(card.environment.get("devices", []))),
        ("command", f"`{card.command}`"),
    ]
    title = f"# {card.name}"
    if settings.get("evaluate_on_training"):
        title += ": evaluated on its own training images, which says nothing of others"
    lines = [title, "", "| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {left} | {right} |" for left, right in rows)]) + "\n"


def _skipped(card: Card) -> str:
    counts = {} if card.skipped_images is None else card.skipped_images._asdict()
    told = [f"{count} {kind} images" for kind, count in counts.items() if count]
    return f"; could not be read and left out: {' and '.join(told)}" if told else ""


def _certified_row(entry: Certified) -> tuple[str, str]:
    """A log of certificates as a row of the table."""
    method = f"{entry.method}, sound" if entry.sound else entry.method
    left = (
        f"certified ({method}) at sigma {entry.sigma:g}, {entry.images:,} images of "
        f"{entry.data} {entry.split}, {entry.draws:,} draws"
        f"{' at most' if entry.staged else ''}, alpha {entry.alpha:g}"
    )
    shares = [
        f"{_percent(share.value)} at radius {radius:g}"
        for radius, share in zip(entry.radii, entry.accuracies, strict=True)
    ]
    average = "-" if entry.average_radius is None else f"{entry.average_radius:.3f}"
    return left, f"{', '.join(shares)}; average certified radius {average}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}%"


def write(folder: Path, card: Card) -> None:
    """Writes a card into a network's folder, as JSON and as a table."""
    atomic.write_json(folder / CARD, card.to_json())
    atomic.write_bytes(folder / TABLE, markdown(card).encode())
