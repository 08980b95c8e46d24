"""The pieces of models that multiply the vectors of fields with each other."""

import itertools

import keras
from keras import ops

from tf_ctr.backbones.pieces import concatenate, embed, penalty, pool
from tf_ctr.errors import explain
from tf_ctr.layers import Embedding


def embed_alike(schema, inputs, embedding_dim, l2=0.0):
    """Turns each field, a number too, into one vector of the same dim per example.

    A standardised number becomes its value times a learned vector (AutoInt, arXiv
    1810.11921, Eq. 4). Its layer `{field}_embedding` is a `Dense` without bias, by
    whose name AutoFT knows it as the embedding of a field, like a row of a table.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, as `schema.inputs()` gives.
        embedding_dim: Embedding dim D.
        l2: Penalty on the rows in the batch and on the vectors of numbers.

    Returns:
        Two forms of one tensor, in the order of the schema: `[B, F * D]` and
        `[B, F, D]`.
    """
    vectors = embed(schema, inputs, embedding_dim, l2)
    for field in schema.fields:
        if field.table is None:
            vector = _weights_of_number(
                embedding_dim, l2, name=f"{field.name}_embedding"
            )
            vectors[field.name] = vector(vectors[field.name])
    flat = concatenate(vectors.values())
    shape = (len(vectors), embedding_dim)
    return flat, keras.layers.Reshape(shape, name="field_matrix")(flat)


def first_order(schema, inputs, l2=0.0):
    """The terms of a linear model, one weight per value of a field.

    Each field has a table of its own, be its embeddings shared: an item in the
    history is another feature than the item itself. Tables of output dim 1 are no
    embeddings to `tf_ctr.transfer`, which trains them as it does the prediction.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, as `schema.inputs()` gives.
        l2: Penalty on the weights in the batch.

    Returns:
        List of `[B, 1]` in the order of the schema, from layers `{field}_linear`.
    """
    terms = []
    for field in schema.fields:
        x, name = inputs[field.name], f"{field.name}_linear"
        if field.table is None:
            terms.append(_weights_of_number(1, l2, name)(x))
        else:
            weights = Embedding(field.table_size, 1, l2=l2, name=name)(x)
            terms.append(pool(field, weights, x, f"{name}_pooling"))
    return terms


def _weights_of_number(width, l2, name):
    return keras.layers.Dense(
        width,
        use_bias=False,
        # As a row of a table starts.
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-4),
        kernel_regularizer=penalty(l2),
        name=name,
    )


def factorization_machine(x):
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
    square_of_sum = ops.square(ops.sum(x, axis=1))
    sum_of_squares = ops.sum(ops.square(x), axis=1)
    return ops.sum(square_of_sum - sum_of_squares, axis=1, keepdims=True) / 2


def inner_products(x):
    """The inner product of every pair of fields.

    Args:
        x: `[B, F, D]`.

    Returns:
        `[B, F (F - 1) / 2]`, the pairs in the order (0, 1), (0, 2), ...

    Raises:
        ValueError: If there is only one field.

    Example:

    >>> import numpy as np
    >>> inner_products(np.array([[[1.0], [2.0], [3.0]]])).numpy()
    array([[2., 3., 6.]])
    """
    fields = x.shape[1]
    if fields < 2:
        raise ValueError(
            explain("at least 2 fields to multiply", fields, "use another backbone")
        )
    products = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
    pairs = [i * fields + j for i, j in itertools.combinations(range(fields), 2)]
    return ops.take(ops.reshape(products, (-1, fields**2)), pairs, axis=1)


def outer_product(x):
    """The outer product of the sum of the fields' vectors with itself.

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
