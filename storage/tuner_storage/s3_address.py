"""The address of artifacts in S3: ``s3://bucket/prefix``. It holds no credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tuner.errors import UsageError

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # Amazon's rules; other stores follow them
_PREFIX = re.compile(r"[\w!.*'()-]+(?:/[\w!.*'()-]+)*", re.ASCII)  # the characters that Amazon calls safe
_LONGEST = 512  # characters; a key has at most 1024 bytes
_HINT = "write s3://bucket/prefix; credentials come from AWS_PROFILE or the AWS_ variables"


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket, and the prefix of the keys in it, which may be empty."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        """Return the address as users write it."""
        return f"{SCHEME}{self.bucket}/{self.prefix}".removesuffix("/")


def parse_address(text: str) -> S3Address:
    """Return the address in ``s3://bucket/prefix``.

    Raises:
        UsageError: If it is no such address. The message does not repeat what may hold a secret.
    """
    if not text.startswith(SCHEME):
        kind = f"got {text.partition(':')[0]}://…" if "://" in text else "got a path"
        raise UsageError(
            f"artifacts must be at s3://bucket/prefix, {kind}", hint="a local folder is chosen with --home FOLDER"
        )
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError("the address of the artifacts has no valid bucket name", hint=_HINT)
    names = prefix.split("/") if prefix else []
    if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(names) or len(prefix) > _LONGEST):
        raise UsageError(
            "the address of the artifacts has a prefix that is too long, or has other characters than letters, digits "
            "and !-_.*'()",
            hint=_HINT,
        )
    return S3Address(bucket, prefix)
