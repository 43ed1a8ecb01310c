"""Record what a study stores of its data, and the outputs of its models."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of data, and add the outputs to models and refits."""
    op.create_table(
        "tuner_data",
        sa.Column("study_id", sa.Integer, sa.ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("description", sa.JSON, nullable=False),
        sa.Column("sample", sa.String, nullable=False),
    )
    op.add_column("tuner_model", sa.Column("outputs", sa.String, nullable=True))
    op.add_column("tuner_refit", sa.Column("outputs", sa.String, nullable=True))


def downgrade() -> None:
    """Remove the table and the columns."""
    op.drop_column("tuner_refit", "outputs")
    op.drop_column("tuner_model", "outputs")
    op.drop_table("tuner_data")
