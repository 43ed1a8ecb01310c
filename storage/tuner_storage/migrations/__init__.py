"""The migrations of our tables. Alembic runs them separately from Optuna's own."""
