"""The pieces of models that multiply the vectors of fields with each other."""

import itertools
from collections.abc import Mapping

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim, common_dim
from tf_ctr.backbones.pieces import (
    concatenate,
    embed,
    features_of,
    penalty,
    pool,
)
from tf_ctr.backbones.tables import projection, table
from tf_ctr.errors import explain
from tf_ctr.features import Schema


def embed_alike(
    schema: Schema,
    inputs: Mapping[str, keras.KerasTensor],
    embedding_dim: EmbeddingDim,
    l2: float = 0.0,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Turns each field, numbers included, into one vector of the same dim per example.

    A standardised number becomes its value times a learned vector (AutoInt, arXiv
    1810.11921, Eq. 4). Its layer `{field}_embedding` is a `Dense` without bias. AutoFT
    recognises it by this name as the embedding of a field, like a table.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, from `schema.inputs()`.
        embedding_dim: Embedding dim D. If it differs between fields, D is the largest;
            see `tf_ctr.backbones.dims.common_dim`.
        l2: Penalty on the rows in the batch and on the vectors of numbers.

    Returns:
        One tensor in two shapes, fields in the order of the schema: `[B, F * D]` and
        `[B, F, D]`.
    """
    vectors = embed(schema, inputs, embedding_dim, l2)
    dim = common_dim(schema, embedding_dim)
    for field in features_of(schema):
        vector = vectors[field.name]
        if field.table is None and not field.projected:
            weights = _weights_of_number(dim, l2, name=f"{field.name}_embedding")
            vectors[field.name] = weights(vector)
        elif vector.shape[1] != dim:
            vectors[field.name] = projection(field, dim, l2, "projection")(vector)
    flat = concatenate(vectors.values())
    shape = (len(vectors), dim)
    return flat, keras.layers.Reshape(shape, name="field_matrix")(flat)


def first_order(
    schema: Schema, inputs: Mapping[str, keras.KerasTensor], l2: float = 0.0
) -> list[keras.KerasTensor]:
    """Returns the terms of a linear model, one weight per value of a field.

    Each field has its own table, even where embeddings are shared: an item in the
    history is another feature than the item itself. `tf_ctr.transfer` does not count
    tables of output dim 1 as embeddings, and trains them with the prediction layer.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, from `schema.inputs()`.
        l2: Penalty on the weights in the batch.

    Returns:
        List of `[B, 1]` in the order of the schema, from layers `{field}_linear`.
    """
    terms = []
    for field in features_of(schema):
        x, name = inputs[field.name], f"{field.name}_linear"
        if field.table is None:
            terms.append(_weights_of_number(1, l2, name)(x))
        else:
            weights = table(field, 1, l2=l2, name=name)(x)
            terms.append(pool(field, weights, inputs, f"{name}_pooling"))
    return terms


def _weights_of_number(width: int, l2: float, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(
        width,
        use_bias=False,
        # The initializer of our tables.
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-4),
        kernel_regularizer=penalty(l2),
        name=name,
    )


def factorization_machine(x: keras.KerasTensor) -> keras.KerasTensor:
    """Sums the inner products of all pairs of fields, in time linear in F.

    `sum_{i < j} <v_i, v_j> = (|sum_i v_i|^2 - sum_i |v_i|^2) / 2`.

    Source: Rendle, Factorization Machines (ICDM 2010), Lemma 3.1.

    Args:
        x: `[B, F, D]`.

    Returns:
        `[B, 1]`.

    Example:

    >>> import numpy as np
    >>> factorization_machine(np.array([[[1.0], [2.0], [3.0]]])).numpy()  # 2 + 3 + 6
    array([[11.]])
    """
    return ops.sum(bi_interaction(x), axis=1, keepdims=True)


def bi_interaction(x: keras.KerasTensor) -> keras.KerasTensor:
    """Sums the products of all pairs of fields, coordinate by coordinate.

    `sum_{i < j} v_i * v_j = ((sum_i v_i)^2 - sum_i v_i^2) / 2`, in time linear in F.

    Source: He and Chua, Neural Factorization Machines (arXiv 1708.05027), Eqs. 3 and 4.

    Args:
        x: `[B, F, D]`.

    Returns:
        `[B, D]`.

    Example:

    >>> import numpy as np
    >>> bi_interaction(np.array([[[1.0, 0.0], [2.0, 1.0], [3.0, 5.0]]])).numpy()
    array([[11.,  5.]])
    """
    square_of_sum = ops.square(ops.sum(x, axis=1))
    sum_of_squares = ops.sum(ops.square(x), axis=1)
    return (square_of_sum - sum_of_squares) / 2


def inner_products(
    x: keras.KerasTensor, self_interaction: bool = False
) -> keras.KerasTensor:
    """Returns the inner product of every pair of fields.

    Args:
        x: `[B, F, D]`.
        self_interaction: Whether a field is also paired with itself.

    Returns:
        `[B, F (F - 1) / 2]`, the pairs in the order (0, 1), (0, 2), ...; or
        `[B, F (F + 1) / 2]` in the order (0, 0), (0, 1), ...

    Raises:
        ValueError: If there is no pair.

    Example:

    >>> import numpy as np
    >>> x = np.array([[[1.0], [2.0], [3.0]]])
    >>> inner_products(x).numpy()
    array([[2., 3., 6.]])
    >>> inner_products(x, self_interaction=True).numpy()
    array([[1., 2., 3., 4., 6., 9.]])
    """
    fields = x.shape[1]
    if fields < 2 and not self_interaction:
        raise ValueError(
            explain("at least 2 fields to multiply", fields, "use another backbone")
        )
    products = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
    combinations = (
        itertools.combinations_with_replacement
        if self_interaction
        else itertools.combinations
    )
    pairs = [i * fields + j for i, j in combinations(range(fields), 2)]
    return ops.take(ops.reshape(products, (-1, fields**2)), pairs, axis=1)


def outer_product(x: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the outer product of the sum of the fields' vectors with itself.

    It is the sum over all pairs of fields of their outer products.

    Args:
        x: `[B, F, D]`.

    Returns:
        `[B, D * D]`.

    Example:

    >>> import numpy as np
    >>> outer_product(np.array([[[1.0, 0.0], [0.0, 2.0]]])).numpy()
    array([[1., 2., 2., 4.]])
    """
    total = ops.sum(x, axis=1)
    product = ops.expand_dims(total, 2) * ops.expand_dims(total, 1)
    return ops.reshape(product, (-1, x.shape[2] ** 2))
