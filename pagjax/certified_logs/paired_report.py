"""What two logs say of each other, as a table."""

from __future__ import annotations

import csv
import io

from pagjax.certified_logs.pairing import Comparison
from pagjax.certified_logs.tables import Cell, Measured, Table

NOTE = (
    "percent of images; A - B with 95% intervals, each by itself: score intervals of paired "
    "shares (Tango 1998)",
    "ACR: average certified radius in pixel units, its difference with Student's paired interval",
    "only A, only B: images certified by one alone; p: McNemar's exact two-sided test",
)


def table_of(found: Comparison) -> Table:
    """A row per radius and one of the average certified radius."""
    rows: list[list[Cell]] = []
    for radius, shares, difference in zip(
        found.radii, found.shares, found.differences, strict=True
    ):
        value, low, high, only_first, only_second, p_value = difference
        rows.append(
            [
                f"r = {radius:g}",
                *(Measured(float(share)) for share in shares),
                Measured(value, low, high, signed=True),
                f"{only_first:,}",
                f"{only_second:,}",
                f"{p_value:.2g}",
            ]
        )
    if found.average_radii is not None and found.radius_difference is not None:
        average = [Measured(radius, percent=False) for radius in found.average_radii]
        known = Measured(*found.radius_difference, percent=False, signed=True)
        rows.append(["ACR", *average, known, "-", "-", "-"])
    return Table(["", "A", "B", "A - B", "only A", "only B", "p"], rows)


def csv_table(found: Comparison) -> str:
    """The same at full precision, radii in pixel units; the last row is of the average radius."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ["images", "radius", "a", "b", "difference", "low", "high", "only_a", "only_b"]
    writer.writerow([*head, "mcnemar_p_value"])
    for radius, shares, difference in zip(
        found.radii, found.shares, found.differences, strict=True
    ):
        writer.writerow([found.images, radius, *map(float, shares), *difference])
    if found.average_radii is not None and found.radius_difference is not None:
        row = [found.images, "average", *found.average_radii, *found.radius_difference]
        writer.writerow([*row, "", "", ""])
    return buffer.getvalue().rstrip("\n")
