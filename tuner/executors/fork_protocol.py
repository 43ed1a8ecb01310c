"""What the coordinator and its fork server send each other. It imports nothing, so that the server starts early."""

from __future__ import annotations

import struct

READY = b"r"  # sent to the coordinator after the imports
FORK = b"f"  # a request for a worker; three file descriptors come with it: connection, status and output
STATUS = struct.Struct("<Bi")  # written to a worker's status pipe
BEGUN, ENDED = 0, 1  # what it says: BEGUN and the process id, later ENDED and the exit code
