"""The requests to S3 that artifacts need. Credentials are found by the AWS SDK; nothing here sees them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar

from tuner.distribution import install
from tuner.errors import StorageError
from tuner_storage.s3_address import S3Address
from tuner_storage.s3_errors import explain_s3, is_missing

Result = TypeVar("Result")

LARGEST = 5 * 1000**3  # bytes of one upload, S3's limit
_CHUNK = 2**20  # bytes
_CONNECT, _READ = 5, 30  # seconds
_TRIES = 3  # of one request; tuner_storage.retry decides how long a run waits


class Bucket:
    """Objects in one bucket.

    Args:
        address: The bucket. Its prefix is only part of messages: keys are complete.
    """

    def __init__(self, address: S3Address) -> None:
        self.address = address

    def put(self, key: str, file: Path, *, size: int, sha256: str) -> None:
        """Store a file, in place of an earlier object.

        It is one upload, so that there is never half an object. S3 refuses it if what arrives has another checksum.

        Raises:
            StorageError: If it cannot be stored.
            OSError: If the file cannot be read.
        """
        if size > LARGEST:
            raise StorageError(f"{file} has {size} bytes, S3 takes at most {LARGEST} in one upload")
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with file.open("rb") as body:
            self._call(lambda s3, bucket: s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=checksum))
        if self.size(key) != size:  # a store that is not Amazon's may ignore the checksum
            raise StorageError(f"{self.address} did not store all of {file}")

    def get(self, key: str, target: IO[bytes], *, most: int) -> str | None:
        """Copy an object to a file, at most ``most + 1`` bytes, and return the SHA-256 of the copy in hexadecimal.

        Returns:
            The checksum, or ``None`` if there is no such object.

        Raises:
            StorageError: If it cannot be read.
            OSError: If the copy cannot be written.
        """

        def copy(s3: Any, bucket: str) -> str:
            digest, left = hashlib.sha256(), most + 1
            with s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
                while chunk := body.read(min(left, _CHUNK)):
                    digest.update(chunk)
                    left -= len(chunk)
                    target.write(chunk)
            return digest.hexdigest()

        return self._unless_missing(copy)

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or ``None`` if there is no such object.

        Raises:
            StorageError: If the bucket cannot be read.
        """
        return self._unless_missing(lambda s3, bucket: int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"]))

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield key and size in bytes of each object whose key begins with ``prefix``, sorted by key.

        Raises:
            StorageError: If the bucket cannot be read.
        """
        token: dict[str, str] = {}
        while True:
            page = self._call(lambda s3, bucket: s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **token))  # noqa: B023
            yield from ((entry["Key"], int(entry["Size"])) for entry in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Delete an object, if it exists.

        Raises:
            StorageError: If it cannot be deleted.
        """
        self._call(lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=key))

    def check_writable(self, key: str) -> None:
        """Write an empty object, and delete it.

        Raises:
            StorageError: If the bucket is missing, or the credentials do not allow it.
        """
        self._call(lambda s3, bucket: s3.put_object(Bucket=bucket, Key=key, Body=b""))
        self.delete(key)

    def _unless_missing(self, call: Callable[[Any, str], Result]) -> Result | None:
        """Return the result of a request about one object, or ``None`` if there is no such object."""
        try:
            return self._call(call)
        except StorageError as error:
            if is_missing(error.__cause__):
                return None
            raise

    def _call(self, call: Callable[[Any, str], Result]) -> Result:
        """Make a request with the client and the name of the bucket."""
        client = self._client
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(client, self.address.bucket)
        except (BotoCoreError, ClientError) as error:
            raise explain_s3(self.address, error) from error

    @cached_property
    def _client(self) -> Any:
        """The client of the SDK, which finds credentials, region and endpoint as the AWS command line does."""
        try:
            from boto3 import Session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
            raise StorageError(
                f"artifacts in {self.address} need a package that is not installed: {error}", hint=install("s3")
            ) from None
        config = Config(
            connect_timeout=_CONNECT, read_timeout=_READ, retries={"mode": "standard", "total_max_attempts": _TRIES}
        )
        try:
            session = Session()
            client = session.client("s3", config=config)
            if "amazonaws.com" in client.meta.endpoint_url or (client.meta.config.s3 or {}).get("addressing_style"):
                return client
            # Other stores rarely have a host name for each bucket.
            return session.client("s3", config=config.merge(Config(s3={"addressing_style": "path"})))
        except (BotoCoreError, ValueError) as error:  # such as an unknown profile, or an endpoint without http://
            raise explain_s3(self.address, error) from error
