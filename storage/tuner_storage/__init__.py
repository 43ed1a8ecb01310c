"""Everything that touches the database or the artifact folder.

Start with ``open_store``: it opens the database, checks its schema and returns a :class:`tuner_storage.store.Store`.
"""

from tuner_storage.location import Location, locate, url_of
from tuner_storage.opening import open_store
from tuner_storage.store import Store

__all__ = ["Location", "Store", "locate", "open_store", "url_of"]
