"""Everything that touches the database or the artifact folder.

Start with ``open_store``: it opens the database, checks its schema and returns a :class:`storage.store.Store`.
"""

from storage.location import Location, locate
from storage.opening import open_store
from storage.store import Store

__all__ = ["Location", "Store", "locate", "open_store"]
