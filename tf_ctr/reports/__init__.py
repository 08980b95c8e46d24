"""Pages that people look at: of a run, a comparison, periods, or an export.

`tf_ctr.report` writes one; `tf_ctr report PATH` is the command.
"""

from tf_ctr.reports.report import report

__all__ = ["report"]


def __dir__() -> list[str]:
    return [*__all__]
