"""Reads on after a connection was lost, and says what failed in the end."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pyarrow as pa

from tf_ctr.errors import explain

Result = TypeVar("Result")

ATTEMPTS = 4
# Seconds before the second attempt; each further pause is twice as long.
FIRST_PAUSE = 0.25

# What no second attempt mends, as pyarrow's S3 file system words it:
# cpp/src/arrow/filesystem/s3_internal.h, `ErrorToStatus`, prints "AWS Error CODE".
REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY",
    "SIGNATURE",
    "HTTP response code: 403",
)
ABSENT = ("NO_SUCH_BUCKET", "NO_SUCH_KEY", "HTTP response code: 404")


def retried(call: Callable[[], Result], path: str, remote: bool) -> Result:
    """Returns the result of a call, made again if the connection fails.

    Args:
        call: The call, of which a part may have been done already.
        path: What it reads, for errors.
        remote: Whether there is a connection to lose; errors of a local file are
            raised as they are.

    Raises:
        ValueError: If there is no such file or bucket.
        PermissionError: If the server refuses the key.
        ConnectionError: If the last attempt fails, too.
    """
    return next(retried_rows(lambda _: iter([call()]), path, remote))


def retried_rows(
    read: Callable[[int], Iterator[Result]], path: str, remote: bool
) -> Iterator[Result]:
    """Yields what a reader yields, which starts again where a connection was lost.

    Args:
        read: A function of the number of items already yielded, which must yield the
            items after these.
        path: What it reads, for errors.
        remote: As for `retried`.

    Raises:
        ValueError: As `retried`.
        PermissionError: As `retried`.
        ConnectionError: As `retried`.
    """
    given = failures = 0
    while True:
        try:
            for item in read(given):
                given, failures = given + 1, 0
                yield item
            return
        except (pa.ArrowException, FileNotFoundError, PermissionError):
            raise  # The content, not the connection.
        except OSError as error:
            if not remote:
                raise
            if (final := _final(error, path)) is not None:
                raise final from error
            failures += 1
            if failures == ATTEMPTS:
                raise ConnectionError(
                    explain(
                        f"to read {path}",
                        f"{str(error).rstrip('.')}, {ATTEMPTS} times",
                        "check the connection and the address, then start again; "
                        "a damaged file must be written again",
                    )
                ) from error
            time.sleep(FIRST_PAUSE * 2 ** (failures - 1))


def _final(error: OSError, path: str) -> Exception | None:
    text = str(error)
    if any(each in text for each in REFUSED):
        return PermissionError(
            explain(
                f"a key that may read {path}",
                text.rstrip("."),
                "check the credentials and the policy of the bucket",
            )
        )
    if any(each in text for each in ABSENT):
        return ValueError(
            explain(
                f"{path} to exist", text.rstrip("."), "check the bucket and the path"
            )
        )
    return None
