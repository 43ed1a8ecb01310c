"""What several tests of killing share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from tuner_storage import Location
from tuner_storage.engine import engine_arguments

from tests.chaos.audit import Audit


@pytest.fixture
def audit(postgres_location: Location) -> Iterator[Audit]:
    """Checks the study on a server."""
    # Without a pool, because pooled connections break when the server restarts.
    arguments = engine_arguments(postgres_location) | {"pool_pre_ping": False, "poolclass": NullPool}
    engine = create_engine(postgres_location.url, **arguments)
    yield Audit(engine, postgres_location.artifacts)
    engine.dispose()
