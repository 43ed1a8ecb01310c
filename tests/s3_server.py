"""Serves S3 on 127.0.0.1 with moto, for tests of artifacts in S3."""

from __future__ import annotations

import itertools
import logging
from functools import cached_property
from typing import Any

import pytest
from tuner_storage.s3_address import S3Address

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "s3cret/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - any key opens the server, which ends with the tests

_buckets = itertools.count()


class S3Server:
    """A server of S3. Its objects outlive a stop. It accepts any credentials."""

    def __init__(self) -> None:
        moto = pytest.importorskip("moto.server", reason="needs moto of the extra 'test'")
        pytest.importorskip("boto3", reason="needs the extra 's3'")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request to stderr
        self._make = moto.ThreadedMotoServer
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start, or start again at the same address."""
        self._server = self._make("127.0.0.1", self._port, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Stop: connections are refused."""
        self._server.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which the SDK finds the server."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def address(self) -> S3Address:
        """Return an address in a new bucket."""
        address = S3Address(f"models-{next(_buckets)}", "team/tuner")
        self.client.create_bucket(Bucket=address.bucket)
        return address

    def objects(self, address: S3Address) -> dict[str, bytes]:
        """Return the objects of a bucket by their keys below the prefix and the identity of a database."""
        entries = self.client.list_objects_v2(Bucket=address.bucket).get("Contents", ())
        return {
            entry["Key"].removeprefix(f"{address.prefix}/").partition("/")[2]: self._content(address, entry["Key"])
            for entry in entries
        }

    def change(self, address: S3Address, relative: str, content: bytes | None) -> None:
        """Replace an object as another program would, or delete it if ``content`` is ``None``."""
        for entry in self.client.list_objects_v2(Bucket=address.bucket).get("Contents", ()):
            if entry["Key"].endswith(relative) and content is None:
                self.client.delete_object(Bucket=address.bucket, Key=entry["Key"])
            elif entry["Key"].endswith(relative):
                self.client.put_object(Bucket=address.bucket, Key=entry["Key"], Body=content)

    @cached_property
    def client(self) -> Any:
        """A client that does not depend on the environment."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="other",
            aws_secret_access_key="other",  # noqa: S106 - no secret
            region_name="us-east-1",
        )

    def _content(self, address: S3Address, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=address.bucket, Key=key)["Body"].read()
        return content
