"""The embedding dim of each field: one number for all, one per field, or by a rule."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

from tf_ctr.errors import check_name, check_positive, explain
from tf_ctr.features import Schema

# One number for all fields, `{field: number}`, or "auto".
EmbeddingDim: TypeAlias = int | Mapping[str, int] | Literal["auto"]

# Of fields that a mapping leaves out.
DEFAULT_DIM = 16


def field_dims(schema: Schema, embedding_dim: EmbeddingDim) -> dict[str, int]:
    """Returns the width of the embedding of each field, before any projection.

    `"auto"` takes `6 * floor(rows ** (1 / 4))` for a table, as DeepCTR does: 18 for 100
    rows, 60 for 10,000, 186 for a million. A vector keeps its `dim`, but has at most as
    many as the widest table.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        embedding_dim: A number for all fields; `{field: number}`, where fields that are
            left out have 16; or `"auto"`.

    Returns:
        `{field: D_f}` of the fields with a table and of vectors, not of numbers. Fields
        that share a table have its dim. A table of pretrained vectors is as wide as
        they are, and not among these.

    Raises:
        ValueError: For a number below 1, an unknown field, or a field whose dim is that
            of another one or of pretrained vectors.

    Example:

    >>> from tf_ctr import Categorical, Sequence
    >>> fields = [Categorical("item", list(range(98))), Sequence("history", of="item")]
    >>> field_dims(Schema(fields), "auto")
    {'item': 18, 'history': 18}
    """
    owners = {
        f.name: f.table or f.name
        for f in schema.fields
        if (f.table or f.projected) and f.owner.pretrained is None
    }
    if isinstance(embedding_dim, Mapping):
        dims = dict.fromkeys(owners.values(), DEFAULT_DIM)
        for name, dim in embedding_dim.items():
            check_name(
                "field with a table or a vector, none of them pretrained", name, owners
            )
            if owners[name] != name:
                raise ValueError(
                    explain(
                        f"the dim of {owners[name]!r}, whose table {name!r} shares",
                        f"embedding_dim={{{name!r}: {dim}}}",
                        f"give it as embedding_dim={{{owners[name]!r}: {dim}}}",
                    )
                )
            check_positive(**{f"embedding_dim of {name}": dim})
            dims[name] = dim
    elif embedding_dim == "auto":
        dims = _by_rows(schema)
    else:
        check_positive(embedding_dim=embedding_dim)
        dims = dict.fromkeys(owners.values(), embedding_dim)
    return {name: dims[owner] for name, owner in owners.items()}


def common_dim(schema: Schema, embedding_dim: EmbeddingDim) -> int:
    """Returns the dim of backbones whose embeddings are all equally wide: the largest.

    They multiply narrower embeddings by a matrix, the layer `{field}_projection`
    (Ginart et al., Mixed Dimension Embeddings, arXiv 1909.11810, section 3).

    Args:
        schema: See `field_dims`.
        embedding_dim: See `field_dims`.

    Raises:
        ValueError: See `field_dims`.
    """
    if isinstance(embedding_dim, int):
        return embedding_dim
    return max(field_dims(schema, embedding_dim).values(), default=DEFAULT_DIM)


def _by_rows(schema: Schema) -> dict[str, int]:
    dims = {
        f.name: 6 * int(cast(int, f.table_size) ** 0.25)
        for f in schema.fields
        if f.table == f.name and f.pretrained is None
    }
    widest = max(dims.values(), default=DEFAULT_DIM)
    vectors = {f.name: min(f.width, widest) for f in schema.fields if f.projected}
    return {**dims, **vectors}
