"""The exceptions for calls that fail, each with its explanation.

Sources: TensorFlow Serving, `http_server.cc` (`ToHTTPStatusCode`), `server_core.cc`
(`GetModelVersionForLabel`), `batching_session.cc` (`BatchingSession::ProcessBatch`);
TensorFlow, `shared_batch_scheduler.h` (`Queue::ValidateBatchTaskQueueCapacity`).
"""

from typing import Any, NamedTuple

from tf_ctr.errors import explain


class Overloaded(ConnectionError):  # noqa: N818
    """The server has too much to do, and says so; the same call may succeed later."""


class Kind(NamedTuple):
    """How a failure is told.

    Attributes:
        error: The class of the exception.
        expected: What the call expected of the server.
        fix: What to do about it.
    """

    error: type[Exception]
    expected: str
    fix: str


REFUSED = Kind(
    ValueError,
    "a request that {model!r} takes",
    "look at client.signatures() for names, dtypes and shapes",
)
NOT_SERVED = Kind(
    LookupError,
    "a version of {model!r} that {address} serves",
    "look at client.status() for the versions, and at models.config for the labels",
)
OVERLOADED = Kind(
    Overloaded,
    "{address} to have room for the request",
    "try again later, or raise max_enqueued_batches",
)
# A larger queue would make requests wait even longer.
WAITED = Kind(
    Overloaded,
    "{address} to take the request out of its queue in time",
    "try again later, or serve with more cores or servers",
)
NOT_JOINED = Kind(
    RuntimeError,
    "the requests of all clients in a batch to have inputs of one shape and dtype",
    "pass ask_by='examples', or schema= to pad lists, in every client of {model!r}",
)
TOO_LARGE = Kind(
    ValueError, "an answer or request of a size that is let through", "send fewer rows"
)
NOT_ALLOWED = Kind(
    PermissionError, "{address} to let the call through", "pass token= to the client"
)
# By the name of a gRPC status code.
KINDS = {
    "UNAVAILABLE": Kind(
        ConnectionError,
        "TF Serving to answer at {address}",
        "start the server or correct the address; 8500 is the port of gRPC, 8501 the "
        "port of REST",
    ),
    "DEADLINE_EXCEEDED": Kind(
        TimeoutError,
        "an answer of {address} within {timeout} s",
        "send fewer rows, pass a larger timeout, or have the server warm up",
    ),
    "NOT_FOUND": NOT_SERVED,
    "RESOURCE_EXHAUSTED": OVERLOADED,
    "INVALID_ARGUMENT": REFUSED,
    "FAILED_PRECONDITION": REFUSED,
    "OUT_OF_RANGE": REFUSED,
    "UNAUTHENTICATED": NOT_ALLOWED,
    "PERMISSION_DENIED": NOT_ALLOWED,
    "REQUEST TOO LARGE": TOO_LARGE,
    "REDIRECT": Kind(
        ConnectionError,
        "TF Serving to answer at {address}, as a client follows no redirect",
        "pass the address that it points to",
    ),
}
OTHER = Kind(
    RuntimeError,
    "{model!r} to answer without an error",
    "look at the log of the server",
)
# Status codes of the REST API that stand for codes of gRPC. 400 is also that of
# FAILED_PRECONDITION and OUT_OF_RANGE.
HTTP = {
    **dict.fromkeys((301, 302, 303, 307, 308), "REDIRECT"),
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "REQUEST TOO LARGE",  # Of a proxy; the server has no limit of its own.
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# The words of the server, and of gRPC, that tell failures of one code apart.
WORDS = {
    "Unrecognized servable version label": NOT_SERVED,
    "batch scheduling queue": OVERLOADED,
    "waiting in batching queue": WAITED,
    "message larger than max": TOO_LARGE,
    "larger than maximum input batch size": TOO_LARGE,
    "from different tasks have different shapes": NOT_JOINED,
    "Cannot concatenate tensors that have different data types": NOT_JOINED,
}


def failure(
    code: str,
    details: Any,
    address: str,
    model: str,
    timeout: float,
    answered: bool = False,
) -> Exception:
    """Returns the exception for a failed call.

    Args:
        code: Name of a gRPC status code, e.g. `"NOT_FOUND"`.
        details: What the server or the network said; shown as text.
        address: Where the call went.
        model: The name of the model.
        timeout: Seconds that the call had.
        answered: Whether it is known that the server answered, so that `"UNAVAILABLE"`
            cannot mean that there is none.

    Example:

    >>> raise failure("NOT_FOUND", "no version 9", "localhost:8500", "dcn", 5)
    Traceback (most recent call last):
    LookupError: Expected a version of 'dcn' that localhost:8500 serves.
    Received: NOT_FOUND: no version 9.
    Fix: look at client.status() for the versions, and at models.config for the labels.
    """
    kind = KINDS.get(code, OTHER)
    if code == "UNAVAILABLE" and answered:
        kind = OVERLOADED
    kind = next((k for words, k in WORDS.items() if words in str(details)), kind)
    names = {"address": address, "model": model, "timeout": timeout}
    received = f"{code}: {details}".rstrip(".")
    return kind.error(
        explain(kind.expected.format(**names), received, kind.fix.format(**names))
    )
