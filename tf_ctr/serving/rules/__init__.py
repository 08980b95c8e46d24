"""The rules of TF Serving for a version, checked without the server.

`check` returns a list of *findings*. A finding of severity `"error"` means that the
server refuses the version or answers wrongly; a `"note"`, that it serves with a limit.

One file per group of rules: files, signatures, graph, batching, warmup, requests, rows.
Each has functions `check_...` that yield the findings of their group.
"""

from tf_ctr.serving.rules.conformance import check, require_conformant
from tf_ctr.serving.rules.findings import Finding, errors

__all__ = ["Finding", "check", "errors", "require_conformant"]


def __dir__() -> list[str]:
    return [*__all__]
