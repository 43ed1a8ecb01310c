"""Parameters as rich tables: what each is worth, and where the best trials lie."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tuner.report.tables import new_table
from tuner.report.text import number, rough
from tuner.results.best_regions import Interval, Region
from tuner.results.importance import MIN_FOR_IMPORTANCE, Importances

_CELLS = 12  # of the picture of a searched range
_BAR = 24


def importance_table(worth: Importances) -> Table:
    """Return both shares of each parameter, the most important by PED-ANOVA first, and a bar of that one."""
    table = new_table("What each parameter is worth")
    table.add_column("parameter")
    table.add_column("PED-ANOVA", justify="right")
    table.add_column("fANOVA", justify="right")
    table.add_column("")
    for name, share in worth.ped_anova.items():
        bar = Text("█" * round(_BAR * share / max(worth.ped_anova.values())), style="cyan")
        other = f"{100 * worth.fanova[name]:.0f} %" if name in worth.fanova else "-"
        table.add_row(name, f"{100 * share:.0f} %", other, bar)
    return table


def importance_notes(worth: Importances) -> list[str]:
    """Return the lines that stand below the table: what the shares are shares of, and which parameters are left out."""
    lines = ["PED-ANOVA: its share in being among the best; fANOVA: in the differences between complete trials."]
    if not worth.fanova:
        lines.append(f"fANOVA takes {MIN_FOR_IMPORTANCE} complete trials that differ.")
    if worth.partial:
        lines.append(f"Left out, for not every trial has it: {', '.join(worth.partial)}.")
    if worth.constant:
        lines.append(f"Left out, for it is the same in every trial: {', '.join(worth.constant)}.")
    return lines


def regions_table(regions: Sequence[Region]) -> Table:
    """Return one row per parameter: what was searched, where in it the best trials lie, and which end they press."""
    top = regions[0].top
    table = new_table(f"Where the best {top} trials lie")
    for name in ("parameter", "searched", f"best {top}", "", ""):
        table.add_column(name, overflow="fold")
    for region in regions:
        some = "" if region.trials == top else f" (in {region.trials})"
        if isinstance(region, Interval):
            searched = " to ".join(rough(end) for end in region.searched)
            found = rough(region.low) + (f" to {rough(region.high)}" if region.high > region.low else "")
            table.add_row(region.name, searched, found + some, _picture(region), _remark(region))
        else:
            counts = ", ".join(f"{number(value)} {count}x" for value, count in region.values)
            table.add_row(region.name, f"{len(region.searched)} choices", counts + some)
    return table


def _picture(region: Interval) -> Text:
    """Draw the searched range as dots, with blocks where the best trials are."""
    first, last = (min(int(share * _CELLS), _CELLS - 1) for share in region.extent)
    return Text.assemble("·" * first, ("█" * (last - first + 1), "cyan"), "·" * (_CELLS - 1 - last))


def _remark(region: Interval) -> str:
    if region.end is None:
        return ""
    return f"at its {region.end} limit" if region.limit else f"at the {region.end} end: consider a wider range"
