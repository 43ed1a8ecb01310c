"""Remember where the artifacts are, if not in a folder."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "tuner_artifacts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("identity", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("tuner_artifacts")
