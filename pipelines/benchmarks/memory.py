"""Memory of processes, as Linux counts it."""

import pathlib
import resource


def own_memory(pid: int | str = "self") -> int:
    """Returns the bytes of memory of a process, without those of files.

    TensorFlow's libraries are files; how much of them is in memory depends on others.

    Args:
        pid: The number of the process; this one for `"self"`.

    Raises:
        OSError: If it has ended.
    """
    counts = pathlib.Path("/proc", str(pid), "statm").read_text().split()
    resident, shared = map(int, counts[1:3])
    return (resident - shared) * resource.getpagesize()
