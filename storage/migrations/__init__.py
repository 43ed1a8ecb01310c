"""The history of our tables, run by Alembic beside Optuna's own."""
