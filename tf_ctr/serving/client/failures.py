"""What went wrong between a client and the server, as exceptions that explain it."""

from tf_ctr.errors import explain

KINDS = {
    "UNAVAILABLE": ConnectionError,
    "DEADLINE_EXCEEDED": TimeoutError,
    "NOT_FOUND": LookupError,
    "INVALID_ARGUMENT": ValueError,
    "FAILED_PRECONDITION": ValueError,
    "OUT_OF_RANGE": ValueError,
}
# Status codes of the REST API that stand for codes of gRPC.
HTTP = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    412: "FAILED_PRECONDITION",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
EXPECTED = {
    ConnectionError: "TF Serving to answer at {address}",
    TimeoutError: "an answer of {address} within {timeout} s",
    LookupError: "a version of {model!r} that {address} serves",
    ValueError: "a request that {model!r} takes",
    RuntimeError: "{model!r} to answer without an error",
}
FIX = {
    ConnectionError: "start the server or mend the address; 8500 is the port of gRPC, "
    "8501 that of REST",
    TimeoutError: "send fewer rows, pass a larger timeout, or have the server warm up",
    LookupError: "look at client.status() for the versions, and at models.config for "
    "the labels",
    ValueError: "look at client.signatures() for names, dtypes and shapes",
    RuntimeError: "look at the log of the server",
}


def failure(code, details, address, model, timeout):
    """Returns the exception for a failed call.

    Args:
        code: Name of a gRPC status code, e.g. `"NOT_FOUND"`.
        details: What the server or the network said.
        address: Where the call went.
        model: The name of the model.
        timeout: Seconds that the call had.

    Example:

    >>> raise failure("NOT_FOUND", "no version 9", "localhost:8500", "dcn", 5)
    Traceback (most recent call last):
    LookupError: Expected a version of 'dcn' that localhost:8500 serves.
    Received: NOT_FOUND: no version 9.
    Fix: look at client.status() for the versions, and at models.config for the labels.
    """
    kind = KINDS.get(code, RuntimeError)
    expected = EXPECTED[kind].format(address=address, model=model, timeout=timeout)
    return kind(explain(expected, f"{code}: {details}".rstrip("."), FIX[kind]))


def check_choice(version, label):
    """Raises if both a version and a label are given."""
    if version is not None and label is not None:
        raise ValueError(
            explain(
                "a version or a label",
                f"version={version} and label={label!r}",
                "pass one of them, or none for the newest version",
            )
        )
