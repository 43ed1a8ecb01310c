"""Record the refit of a study."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of refits."""
    op.create_table(
        "tuner_refit",
        sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("trial_number", sa.Integer, nullable=False),
        sa.Column("epochs", sa.Integer, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("test", sa.JSON, nullable=True),
    )


def downgrade() -> None:
    """Remove the table of refits."""
    op.drop_table("tuner_refit")
