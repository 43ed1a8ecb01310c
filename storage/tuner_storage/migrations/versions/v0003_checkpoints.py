"""Record checkpoints, and more about attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of checkpoints, and add device, first epoch and traceback to attempts."""
    op.create_table(
        "tuner_checkpoint",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), nullable=False),
        sa.Column("trial_number", sa.Integer, nullable=False),
        sa.Column("epochs", sa.Integer, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.UniqueConstraint("study_id", "trial_number", "epochs"),
    )
    op.add_column("tuner_attempt", sa.Column("device", sa.String(200), nullable=True))
    op.add_column("tuner_attempt", sa.Column("first_epoch", sa.Integer, nullable=False, server_default="0"))
    op.add_column("tuner_attempt", sa.Column("traceback", sa.String, nullable=True))


def downgrade() -> None:
    """Remove the table and the columns."""
    for column in ("device", "first_epoch", "traceback"):
        op.drop_column("tuner_attempt", column)
    op.drop_table("tuner_checkpoint")
