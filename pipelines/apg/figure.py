"""Shows what APG generates for each value of a field: figure 6 of its paper.

    python -m pipelines.apg_figure --data-dir ../shared/data

Trains Wide & Deep with APG, whose condition is one field of MovieLens-1M. Then takes
the matrix S that a layer generates for each value of the field, draws its first two
principal components as a PNG, and writes all K * K numbers for TensorBoard's projector.
Source: APG (arXiv 2203.16218), section 4.6.
"""

import argparse
import pathlib
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorboard.plugins import projector

from pipelines.apg.rows import SETTINGS
from pipelines.harness import options
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.extras import require
from pipelines.harness.runs import train
from tf_ctr import backbones, data, plots, transfer
from tf_ctr.datasets import movielens
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.files import replacing
from tf_ctr.layers import APGDense

FIELDS = ("genres", "occupation", "gender")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.apg_figure", __doc__)
    add_folders(
        program,
        "the folder that holds ml-1m/",
        "where the model, the PNG and the projector go; default: runs/apg_figure",
    )
    add = program.add_argument
    add(
        "--field",
        choices=FIELDS,
        default="genres",
        help="the condition; default: genres",
    )
    add("--layer", default="deep_0", help="the layer to show S of; default: deep_0")
    add_numbers(program, [("rank", 4, "rank K")])
    options.add_settings(program, {"movielens": SETTINGS})
    arguments = program.parse_args(argv)
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "apg_figure")
    arguments.settings = options.settings(arguments, SETTINGS)
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Trains the model, unless it is already trained, and draws."""
    arguments = parse(argv)
    require("matplotlib", "sklearn")
    splits, schema = movielens.load_whole(arguments.data_dir)
    settings = arguments.settings

    def build():
        base = backbones.wide_deep(
            schema, settings.embedding_dim, settings.hidden_units
        )
        return transfer.apg(base, arguments.field, arguments.rank)

    own = {"field": arguments.field, "rank": arguments.rank}
    rate, *_ = settings.learning_rates
    run_dir = arguments.run_dir / arguments.field
    model, record = train(build, splits, schema, settings, rate, 0, run_dir, 2, own)
    print(f"validation AUC {record['validation_auc']:.4f}")
    values = schema.field(arguments.field).vocabulary
    rows = rows_of_values(splits.train, arguments.field, values)
    matrices = generated(model, schema, rows, arguments.layer)
    title = f"S of {arguments.layer}, generated from {arguments.field}"
    figure(matrices, values, title, run_dir / "generated.png")
    write_projector(matrices, values, run_dir / "projector")
    print(f"Figure: {run_dir / 'generated.png'}")
    print(f"Look:   tensorboard --logdir {run_dir / 'projector'}")


def rows_of_values(
    frame: pd.DataFrame, field: str, values: Sequence[str]
) -> pd.DataFrame:
    """Returns one row for each value of a field, equal in all other fields."""
    rows = frame.iloc[[0] * len(values)].reset_index(drop=True)
    many = isinstance(frame[field].iloc[0], list | np.ndarray)
    rows[field] = [[value] for value in values] if many else list(values)
    return rows


def generated(
    model: keras.Model, schema: Schema, rows: pd.DataFrame, layer: str
) -> np.ndarray:
    """Returns the S that a layer generates for each row.

    Args:
        model: A model made by `tf_ctr.transfer.apg`, version v4 or v5.
        schema: The fitted schema of the model.
        rows: A frame, N rows.
        layer: Name of an `APGDense`.

    Returns:
        S of every row, flat, `[N, K * K]`.

    Raises:
        ValueError: If the model has no such layer, or the layer is not adaptive.
    """
    adaptive = model.get_layer(layer)
    if not isinstance(adaptive, APGDense):
        raise ValueError(
            explain(
                "an adaptive layer",
                f"'{layer}', {type(adaptive).__name__}",
                "name a hidden layer of a model made by tf_ctr.transfer.apg",
            )
        )
    _, condition = adaptive.input
    conditions = keras.Model(model.input, condition).predict(
        data.from_frame(rows, schema, len(rows), labelled=False), verbose=0
    )
    return np.reshape(adaptive.generate(conditions)["s"], (len(rows), -1))


def figure(
    matrices: np.ndarray, values: Sequence[str], title: str, path: pathlib.Path
) -> None:
    """Draws the first two principal components of what each value generates.

    Args:
        matrices: S of every value, `[N, K * K]`.
        values: Names of the points.
        title: Title of the figure.
        path: The PNG.
    """
    from sklearn.decomposition import PCA

    pca = PCA(n_components=2)
    points = pca.fit_transform(matrices)
    figure = plots.drawing(7, 5)
    axes = figure.add_subplot()
    axes.scatter(*points.T, s=14, color="black")
    axes.margins(x=0.12)  # Room for the names.
    for point, value in zip(points, values, strict=True):
        axes.annotate(str(value), point, (4, 2), textcoords="offset points", fontsize=8)
    for which, share in zip("xy", pca.explained_variance_ratio_, strict=True):
        axes.set(**{f"{which}label": f"{share:.0%} of the variance"})
    axes.set_title(title)
    with replacing(path) as partial:
        figure.savefig(partial, format="png")


def write_projector(
    matrices: np.ndarray, values: Sequence[str], folder: pathlib.Path
) -> None:
    """Writes the matrices for TensorBoard's projector.

    Args:
        matrices: S of every value, `[N, K * K]`.
        values: Names of the points.
        folder: The log folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "values.tsv").write_text("".join(f"{value}\n" for value in values))
    generated = tf.Variable(matrices, name="generated")
    tf.train.Checkpoint(generated=generated).save(str(folder / "generated.ckpt"))
    config = projector.ProjectorConfig()
    config.embeddings.add(
        tensor_name="generated/.ATTRIBUTES/VARIABLE_VALUE", metadata_path="values.tsv"
    )
    projector.visualize_embeddings(str(folder), config)


if __name__ == "__main__":
    main()
