"""Versions of others: read first, and run only if they can do nothing but compute.

A SavedModel is a program. `check`, `parity`, `diff` and `promote` therefore treat each
version as one from a stranger, unless they are told `trust=True` (`--trust`):

1. `graph`: the protos are read as data. Each operation, in the graph and in every
   function of its library, must be on the list of `operations`; files may be read only
   if they are assets of the version. Names must not be paths. By `sizes`, constants,
   variables and arrays of a constant size must be such that memory could hold them.
2. `limits`: what passes is run in a process of its own, with limits of memory and time.
   `check` runs it nowhere else. The others run it in this process, too, but only after
   that one ended well, on the same rows: a `trial`.
"""
