"""Give each study an identity, in our row and as a user attribute of Optuna's study."""

import json
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = "tuner-identity"
_ROWS = sa.table("tuner_study", sa.column("id"), sa.column("optuna_id"), sa.column("identity"))
_STUDIES = sa.table("studies", sa.column("study_id"))
_ATTRIBUTES = sa.table("study_user_attributes", sa.column("study_id"), sa.column("key"), sa.column("value_json"))


def upgrade() -> None:
    """Add the column and fill it. A row whose study is gone gets an identity that no study of Optuna has."""
    op.add_column("tuner_study", sa.Column("identity", sa.String(32), nullable=False, server_default="none"))
    connection = op.get_bind()
    has_optuna = sa.inspect(connection).has_table("study_user_attributes")
    present = set(connection.scalars(sa.select(_STUDIES.c.study_id))) if has_optuna else set()
    for row_id, optuna_id in connection.execute(sa.select(_ROWS.c.id, _ROWS.c.optuna_id)).all():
        identity = uuid.uuid4().hex
        connection.execute(sa.update(_ROWS).where(_ROWS.c.id == row_id).values(identity=identity))
        if optuna_id in present:
            row = {"study_id": optuna_id, "key": _KEY, "value_json": json.dumps(identity)}
            connection.execute(sa.insert(_ATTRIBUTES).values(row))
    op.create_index("ix_tuner_study_identity", "tuner_study", ["identity"], unique=True)


def downgrade() -> None:
    """Remove the identities again."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table("study_user_attributes"):
        connection.execute(sa.delete(_ATTRIBUTES).where(_ATTRIBUTES.c.key == _KEY))
    op.drop_index("ix_tuner_study_identity", "tuner_study")
    op.drop_column("tuner_study", "identity")
