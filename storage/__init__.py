"""Everything that touches the database or the artifact folder.

``open_store`` is the door: it finds the database, checks its schema and hands out a :class:`storage.store.Store`.
"""

from storage.location import Location, locate
from storage.opening import open_store
from storage.store import Store

__all__ = ["Location", "Store", "locate", "open_store"]
