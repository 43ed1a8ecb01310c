"""Record what figures show of the predictions on the test rows."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the evaluation to models and refits."""
    op.add_column("tuner_model", sa.Column("evaluation", sa.JSON, nullable=True))
    op.add_column("tuner_refit", sa.Column("evaluation", sa.JSON, nullable=True))


def downgrade() -> None:
    """Remove the columns."""
    op.drop_column("tuner_refit", "evaluation")
    op.drop_column("tuner_model", "evaluation")
