"""Record the runs of a study."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of runs."""
    op.create_table(
        "tuner_run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("workers", sa.Integer, nullable=False),
        sa.Column("device", sa.String(200), nullable=True),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime, nullable=True),
        sa.Column("stopped_by", sa.String(20), nullable=True),
        sa.Column("timing", sa.JSON, nullable=True),
    )


def downgrade() -> None:
    """Remove the table of runs."""
    op.drop_table("tuner_run")
