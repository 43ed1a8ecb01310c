"""Which texts mean that a value is missing."""

from __future__ import annotations

import polars as pl

# As pandas' `read_csv` has them, with "?" (the UCI repository), "-" and "." (SAS), and what SQL programs write.
MISSING = frozenset({
    "", "#n/a", "#n/a n/a", "#na", "-", "--", "-nan", ".", "?", "<na>", "\\n", "n/a", "n.a.", "na", "nan", "nat", "nil",
    "none", "null",
})  # fmt: skip

NAMIBIA = "NA"

# ISO 3166-1 alpha-2, and EL, EU, UK, XK, which statistics offices use.
_COUNTRIES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK
FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR
IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK
ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW EL EU UK
XK
"""
_FEW_COUNTRIES = 3  # other codes; with fewer, NE and NO may be anything


def is_missing(text: str) -> bool:
    """Return whether a text means that the value is missing."""
    return text.strip().lower() in MISSING


def missing_mask(values: pl.Series) -> pl.Series:
    """Return which texts mean a missing value. Nulls do, and blanks around a text do not count."""
    return values.is_null() | values.str.strip_chars().str.to_lowercase().is_in(list(MISSING))


def are_countries(values: pl.Series) -> bool:
    """Return whether the distinct texts of a column are country codes, ``NA`` among them: there it is Namibia."""
    others = values.filter(~missing_mask(values))
    return (
        NAMIBIA in values and len(others) >= _FEW_COUNTRIES and others.str.strip_chars().is_in(_COUNTRIES.split()).all()
    )
