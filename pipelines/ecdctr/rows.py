"""The rows of the E-CDCTR experiment, and the tables that they are in."""

import functools

from pipelines.ecdctr.experiment import Experiment
from pipelines.harness.periods import Row


def _ecdctr(name, title, **options):
    return Row(title, functools.partial(Experiment.ecdctr, name=name, **options))


def _joint(name, title):
    return Row(title, functools.partial(Experiment.joint, name=name))


# Each returns the folder of its run.
ROWS = {
    "ad_only": Row("Ads only", Experiment.ad_only),
    "tpm_only": Row("TPM features, no CPM", Experiment.tpm_only),
    "cpm_only": Row("Fine-tuned from CPM, no TPM", Experiment.cpm_only),
    "ecdctr": _ecdctr("ecdctr", "E-CDCTR"),
    "bn_statistics": _ecdctr(
        "bn_statistics", "gamma and beta of CPM", batch_norm="reset_statistics"
    ),
    "bn_kept": _ecdctr(
        "bn_kept", "BatchNorm of CPM, with its statistics", batch_norm="keep"
    ),
    "no_batch_norm": _ecdctr(
        "no_batch_norm", "without BatchNorm", batch_normalisation=False
    ),
    "snapshots_1": _ecdctr("snapshots_1", "1 snapshot", num_snapshots=1),
    "snapshots_2": _ecdctr("snapshots_2", "2 snapshots", num_snapshots=2),
    "mean": _ecdctr("mean", "mean", aggregation="mean"),
    "concatenation": _ecdctr(
        "concatenation", "concatenation", aggregation="concatenation"
    ),
    "attention_pooling": _ecdctr(
        "attention_pooling", "attention pooling", aggregation="attention_pooling"
    ),
    "times": _ecdctr("times", "with time embedding", time_embedding=True),
    "never": _ecdctr("never", "never restarted", every="never"),
    "always": _ecdctr("always", "restarted every day", every="period"),
    "every_window": _ecdctr(
        "every_window", "all ads of the last week every day", window_when="always"
    ),
    "cpm_once": _ecdctr("cpm_once", "CPM on each week once", cpm_window=1),
    "ctnet": Row("CTNet", Experiment.ctnet),
    "share_bottom": _joint("share_bottom", "Share-bottom"),
    "mmoe": _joint("mmoe", "MMoE"),
    "ple": _joint("ple", "PLE"),
    "star": _joint("star", "STAR"),
}
TABLES = {
    "levels": ("ad_only", "tpm_only", "cpm_only", "ecdctr"),
    "batch_norm": ("ecdctr", "bn_statistics", "bn_kept", "no_batch_norm"),
    "snapshots": ("snapshots_1", "snapshots_2", "ecdctr"),
    "aggregation": ("ecdctr", "mean", "concatenation", "attention_pooling", "times"),
    "restart": ("ecdctr", "never", "always", "every_window", "cpm_once"),
    "others": (
        "ad_only",
        "ctnet",
        "share_bottom",
        "mmoe",
        "ple",
        "star",
        "no_batch_norm",
        "ecdctr",
    ),
    "forgetting": ("ad_only", "tpm_only", "cpm_only", "ecdctr"),
}
