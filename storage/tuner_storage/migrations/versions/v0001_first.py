"""Create the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _study() -> sa.Column[int]:
    return sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Create every table of version 0.1."""
    op.create_table(
        "tuner_study",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("optuna_id", sa.Integer, nullable=False, unique=True),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("data_fingerprint", sa.String(64), nullable=False),
        sa.Column("environment", sa.JSON, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_table(
        "tuner_lease",
        sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("expires", sa.DateTime, nullable=False),
        sa.Column("stop_requested", sa.Boolean, nullable=False),
    )
    op.create_table(
        "tuner_epoch",
        sa.Column("id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("trial_number", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.UniqueConstraint("study_id", "trial_number", "epoch"),
    )
    op.create_table(
        "tuner_attempt",
        sa.Column("id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("trial_number", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime, nullable=True),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.Column("reason", sa.String, nullable=True),
        sa.UniqueConstraint("study_id", "trial_number", "attempt"),
    )
    op.create_table(
        "tuner_model",
        sa.Column("id", sa.Integer, primary_key=True),
        _study(),
        sa.Column("trial_number", sa.Integer, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("test", sa.JSON, nullable=True),
        sa.UniqueConstraint("study_id", "trial_number"),
    )


def downgrade() -> None:
    """Remove them again."""
    for table in ("tuner_model", "tuner_attempt", "tuner_epoch", "tuner_lease", "tuner_study"):
        op.drop_table(table)
