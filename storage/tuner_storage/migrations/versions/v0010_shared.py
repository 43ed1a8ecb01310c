"""Let several coordinators share a study: a lease for each, turns, and the last change of each trial."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_LEASE = (
    ("since", sa.DateTime),
    ("expires", sa.DateTime),
    ("stop_requested", sa.Boolean),
)


def upgrade() -> None:
    """Make the owner a part of the key of a lease, and create the other tables."""
    leases = _remove_leases()
    table = op.create_table(
        "tuner_lease",
        _study(),
        sa.Column("owner", sa.String(200), primary_key=True),
        *(sa.Column(name, kind, nullable=False) for name, kind in _LEASE),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("role", sa.String(20), nullable=True),
    )
    op.bulk_insert(table, [{**lease, "shared": False, "role": None} for lease in leases])
    op.create_table("tuner_turn", _study(), sa.Column("number", sa.Integer, nullable=False))
    op.create_table(
        "tuner_change",
        _study(),
        sa.Column("trial_number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
    )
    op.create_index("ix_tuner_change_turn", "tuner_change", ["study_id", "turn"])


def downgrade() -> None:
    """Bring back a table with one lease for each study."""
    op.drop_table("tuner_change")
    op.drop_table("tuner_turn")
    leases = {lease["study_id"]: lease for lease in _remove_leases()}
    table = op.create_table(
        "tuner_lease",
        _study(),
        sa.Column("owner", sa.String(200), nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in _LEASE),
    )
    op.bulk_insert(table, list(leases.values()))


def _remove_leases() -> list[dict[str, Any]]:
    """Remove the table and return its rows, as far as both schemas have their columns."""
    columns = [sa.column("study_id"), sa.column("owner"), *(sa.column(name, kind()) for name, kind in _LEASE)]
    rows = op.get_bind().execute(sa.select(*columns).select_from(sa.table("tuner_lease"))).mappings()
    leases = [dict(row) for row in rows]
    op.drop_table("tuner_lease")
    return leases


def _study() -> sa.Column[int]:
    return sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
