"""TensorBoard's HPARAMS view of every trial of a comparison."""

import shutil

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

METRIC = "validation_auc"


def write(records, folder):
    """Writes a session per trial: what it tried, and the validation AUC it got.

    No test number is in it: nothing is to be chosen by one.

    Args:
        records: The records of `pipelines.compare.comparison`.
        folder: Its content is replaced. See it by `tensorboard --logdir FOLDER`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    choices = [record for record in records if record["kind"] == "choice"]
    sessions = {
        f"{choice['backbone']}/{choice['row']}/{i}": (
            {"backbone": choice["backbone"], "row": choice["row"], **trial["chosen"]},
            trial["validation_auc"],
        )
        for choice in choices
        for i, trial in enumerate(choice["tried"])
    }
    names = dict.fromkeys(name for tried, _ in sessions.values() for name in tried)
    with _writer(folder):
        hp.hparams_config(
            hparams=[hp.HParam(name) for name in names],
            metrics=[hp.Metric(METRIC, display_name="validation AUC")],
        )
    for name, (tried, auc) in sessions.items():
        with _writer(folder / name):
            hp.hparams(tried, trial_id=name)
            tf.summary.scalar(METRIC, auc, step=0)


def _writer(folder):
    return tf.summary.create_file_writer(str(folder)).as_default()
