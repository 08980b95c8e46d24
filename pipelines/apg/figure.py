"""What APG generates for each value of a field: figure 6 of its paper.

    python -m pipelines.apg_figure --data-dir ../shared/data

Trains Wide & Deep with APG whose condition is one field of MovieLens-1M, takes the
matrix S that a layer generates for each value of the field, and shows its first two
principal components: a PNG, and TensorBoard's projector on all K * K numbers.
Source: APG (arXiv 2203.16218), section 4.6.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from tensorboard.plugins import projector

from pipelines.apg.__main__ import SETTINGS
from pipelines.harness import options
from pipelines.harness.runs import train
from tf_ctr import backbones, data, transfer
from tf_ctr.datasets import movielens
from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.layers import APGDense

FIELDS = ("genres", "occupation", "gender")


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = options.program(
        "pipelines.apg_figure",
        __doc__,
        "folder that holds ml-1m/",
        "the model, the PNG and the projector; default: runs/apg_figure",
    )
    add = parser.add_argument
    add("--field", choices=FIELDS, default="genres", help="the condition")
    add("--layer", default="deep_0", help="the layer whose S is shown")
    add("--rank", type=options.number(int, 1), default=4, metavar="K", help="rank K")
    options.add_settings(parser, {"movielens": SETTINGS})
    arguments = parser.parse_args(argv)
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "apg_figure")
    arguments.settings = options.settings(arguments, SETTINGS)
    return arguments


def main(argv=None):
    """Trains the model unless it is there, and draws."""
    arguments = parse(argv)
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


def rows_of_values(frame, field, values):
    """Returns one row for each value of a field, alike in all other fields."""
    rows = frame.iloc[[0] * len(values)].reset_index(drop=True)
    many = isinstance(frame[field].iloc[0], list | np.ndarray)
    rows[field] = [[value] for value in values] if many else list(values)
    return rows


def generated(model, schema, rows, layer):
    """Returns the S that a layer generates for each row.

    Args:
        model: A model made by `tf_ctr.transfer.apg`, version v4 or v5.
        schema: The fitted schema of the model.
        rows: A frame, `n` rows.
        layer: Name of an `APGDense`.

    Returns:
        Array `[n, K * K]`.

    Raises:
        ValueError: If the model has no such layer, or it is not adaptive.
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


def figure(matrices, values, title, path):
    """Draws the first two principal components of what each value generates.

    Args:
        matrices: `[n, K * K]`.
        values: Names of the points, `[n]`.
        title: Title of the figure.
        path: The PNG.
    """
    pca = PCA(n_components=2)
    points = pca.fit_transform(matrices)
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(*points.T, s=14)
    axes.margins(x=0.12)  # Room for the names.
    for point, value in zip(points, values, strict=True):
        axes.annotate(str(value), point, (4, 2), textcoords="offset points", fontsize=8)
    for which, share in zip("xy", pca.explained_variance_ratio_, strict=True):
        axes.set(**{f"{which}label": f"{share:.0%} of the variance"})
    axes.set_title(title)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=150)


def write_projector(matrices, values, folder):
    """Writes the matrices for TensorBoard's projector.

    Args:
        matrices: `[n, K * K]`.
        values: Labels of the points, `[n]`.
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
