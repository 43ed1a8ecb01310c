"""Tables of the parameters: their importance, and where the best trials lie."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tuner.report.tables import new_table
from tuner.report.text import number, rough
from tuner.results.best_regions import Interval, Region
from tuner.results.importance import MIN_FOR_IMPORTANCE, Importances

_CELLS = 12  # characters of the picture of a searched range
_BAR = 24  # characters of the longest bar


def importance_table(importances: Importances) -> Table:
    """Return one row per parameter, the largest PED-ANOVA share first, with a bar of that share."""
    table = new_table("Importance of each parameter")
    table.add_column("parameter")
    table.add_column("PED-ANOVA", justify="right")
    table.add_column("fANOVA", justify="right")
    table.add_column("")
    for name, share in importances.ped_anova.items():
        bar = Text("█" * round(_BAR * share / max(importances.ped_anova.values())), style="cyan")
        other = f"{100 * importances.fanova[name]:.0f} %" if name in importances.fanova else "-"
        table.add_row(name, f"{100 * share:.0f} %", other, bar)
    return table


def importance_notes(importances: Importances) -> list[str]:
    """Return the lines below the table: what the shares mean, and which parameters are left out."""
    lines = [
        "PED-ANOVA: how much the parameter decides whether a trial is among the best.",
        "fANOVA: its share of the differences between complete trials.",
    ]
    if not importances.fanova:
        lines.append(f"fANOVA needs {MIN_FOR_IMPORTANCE} complete trials that differ.")
    if importances.sampled:
        lines.append(f"fANOVA was computed from {importances.sampled:,} of the complete trials, evenly over the study.")
    if importances.partial:
        lines.append(f"Left out, because not every trial has it: {', '.join(importances.partial)}.")
    if importances.constant:
        lines.append(f"Left out, because it is the same in every trial: {', '.join(importances.constant)}.")
    return lines


def regions_table(regions: Sequence[Region]) -> Table:
    """Return one row per parameter: the searched range, and where in it the best trials lie."""
    top = regions[0].top
    table = new_table(f"Where the best {top} trials lie")
    for name in ("parameter", "searched", f"best {top}", "", ""):
        table.add_column(name, overflow="fold")
    for region in regions:
        some = "" if region.trials == top else f" (in {region.trials})"
        if isinstance(region, Interval):
            searched = " to ".join(rough(end) for end in region.searched)
            best = rough(region.low) + (f" to {rough(region.high)}" if region.high > region.low else "")
            table.add_row(region.name, searched, best + some, _picture(region), _remark(region))
        else:
            counts = ", ".join(f"{number(value)} {count}x" for value, count in region.values)
            table.add_row(region.name, f"{len(region.searched)} choices", counts + some)
    return table


def _picture(region: Interval) -> Text:
    """Return the searched range as dots, with blocks where the best trials lie."""
    first, last = (min(int(share * _CELLS), _CELLS - 1) for share in region.extent)
    return Text.assemble("·" * first, ("█" * (last - first + 1), "cyan"), "·" * (_CELLS - 1 - last))


def _remark(region: Interval) -> str:
    """Return which end of the range the best trials reach; empty if they reach none."""
    if region.end is None:
        return ""
    return f"at its {region.end} limit" if region.limit else f"at the {region.end} end: consider a wider range"
