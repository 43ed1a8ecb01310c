"""Interpret errors of S3 and its SDK: one line of text for people, which never holds a key."""

from __future__ import annotations

from typing import Any

from tuner.errors import StorageError
from tuner_storage.faults import ArtifactsAwayError
from tuner_storage.s3_address import S3Address

_CREDENTIALS = "set them as for the AWS command line: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_RIGHTS = "the credentials need s3:ListBucket for the bucket, and s3:GetObject, PutObject and DeleteObject in it"
_REFUSED = {
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
}  # fmt: skip
_REGION = {"301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_BUSY = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException"}
_FAILED = 500  # an HTTP status from which on the server failed
# Errors of the SDK by name: so this module imports nothing of it.
_NO_CREDENTIALS = {
    "CredentialRetrievalError", "NoAuthTokenError", "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound",
    "SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError",
}  # fmt: skip
_NETWORK = {"ConnectionError", "HTTPClientError", "IncompleteReadError"}  # with the errors derived from them
_LASTING = {"SSLError", "InvalidProxiesConfigError"}


def is_missing(error: BaseException | None) -> bool:
    """Return whether an error says that there is no such object. A bucket that does not exist is another error."""
    return _code(error) in {"404", "NoSuchKey", "NotFound"}


def explain_s3(address: S3Address, error: Exception) -> StorageError:
    """Return an error for an error of S3 or its SDK: an :class:`ArtifactsAwayError` if another try may succeed."""
    code = _code(error)
    if code is not None:
        return _answered(address, code, _status(error))
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _NO_CREDENTIALS:
        return StorageError(f"there are no AWS credentials for {address} ({type(error).__name__})", hint=_CREDENTIALS)
    if names & _NETWORK and not names & _LASTING:
        return ArtifactsAwayError(
            f"{address} cannot be reached ({type(error).__name__})",
            hint="check the network, and AWS_ENDPOINT_URL if the store is not Amazon's",
        )
    return StorageError(f"{address} cannot be used ({type(error).__name__})", hint="check the settings of the AWS SDK")


def _answered(address: S3Address, code: str, status: int) -> StorageError:
    """Return the error for an answer of the server. Its message is not repeated, because it may hold the access key."""
    if code in _BUSY or status >= _FAILED:
        return ArtifactsAwayError(f"{address} cannot be used at the moment ({code})", hint="try it again later")
    if code == "NoSuchBucket":
        return StorageError(
            f"there is no bucket {address.bucket}", hint=f"make it first: aws s3 mb s3://{address.bucket}"
        )
    if code in _REFUSED:
        return StorageError(f"{address} refuses the AWS credentials ({code})", hint=_CREDENTIALS)
    if code in {"403", "AccessDenied"}:
        return StorageError(f"access to {address} is denied ({code})", hint=_RIGHTS)
    if code in _REGION:
        return StorageError(f"{address} is in another region ({code})", hint="name it: export AWS_REGION=REGION")
    return StorageError(f"{address} cannot be used ({code})")


def _code(error: BaseException | None) -> str | None:
    """Return the code of an answer, such as ``NoSuchBucket``; ``None`` if the server did not answer."""
    response = _response(error)
    return None if response is None else str(response.get("Error", {}).get("Code", "unknown"))


def _status(error: BaseException | None) -> int:
    metadata = (_response(error) or {}).get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def _response(error: BaseException | None) -> dict[str, Any] | None:
    response: dict[str, Any] | None = getattr(error, "response", None)
    return response if isinstance(response, dict) else None
