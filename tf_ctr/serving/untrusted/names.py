"""Names of a version that would be paths of files."""

from collections.abc import Iterator

from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import explain


def check_file_name(name: str) -> None:
    """Raises if a name of a signature, an input or an output could be a path.

    Raises:
        ValueError: With the name.

    Example:

    >>> check_file_name("../../x")
    Traceback (most recent call last):
    ValueError: Expected a name that is no path.
    Received: '../../x'.
    Fix: do not run this version; it would write outside of its folder.
    """
    if _is_path(name):
        raise ValueError(
            explain(
                "a name that is no path",
                repr(name),
                "do not run this version; it would write outside of its folder",
            )
        )


def _is_path(name):
    # 200, as a suffix and the limit of file systems (255 bytes) need room.
    odd = "/" in name or "\\" in name or "\0" in name or name in ("", ".", "..")
    return odd or len(name.encode()) > 200


def path_names(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[str]:
    """Yields the names of a graph's signatures and assets that could be paths."""
    names = [each.filename for each in meta_graph.asset_file_def]
    for key, signature in meta_graph.signature_def.items():
        names += [key, *signature.inputs, *signature.outputs]
    for name in sorted(set(filter(_is_path, names))):
        yield f"the name {name!r}, which could be a path"
