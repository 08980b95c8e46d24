"""Rows of files, frames and streams behind one object, which every function takes.

`rows(source)` opens them; `tf_ctr.data` exports it for users. A *part* is what is read
at a time and named in errors: a row group, a file, a frame. In reading order:
`opening.py` decides what a source is; `table.py` has `Rows`; `parts.py` the parts in
memory; `listing.py` finds files on any file system; `files.py` makes their parts, which
`fragments.py` reads; `cells.py` reads the text of CSV cells; `retrying.py` reads on
after a lost connection.
"""

from tf_ctr.rows.opening import Source, rows
from tf_ctr.rows.table import Rows

__all__ = ["Rows", "Source", "rows"]


def __dir__() -> list[str]:
    return [*__all__]
