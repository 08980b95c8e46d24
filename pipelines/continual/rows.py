"""The rows of CTNet's tables, each a run over the same periods."""

import functools

from pipelines.continual.experiment import Experiment
from pipelines.harness.periods import Row
from tf_ctr import transfer
from tf_ctr.continual import Refresh


def _fine_tuned(name, which="all", window=None):
    def run(experiment):
        fields = experiment.data.ids if which == "ids" else which
        return experiment.fine_tuned(name, fields, window)

    return run


def _ctnet(name, adapter="glu", every="arrival"):
    def run(experiment):
        method = functools.partial(transfer.ctnet, adapter=adapter)
        return experiment.transferred(name, method, Refresh(every=every))

    return run


JOINT_TITLES = {
    "mlp_plus_plus": "MLP++",
    "share_bottom": "Share-bottom",
    "mmoe": "MMoE",
    "ple": "PLE",
    "star": "STAR",
    "minet": "MiNet",
    "ddtcdr": "DDTCDR",
    "dasl": "DASL",
}

ROWS = {
    "base": Row("Base (without transfer)", Experiment.base),
    "source": Row("Source model as it is", Experiment.source_as_it_is),
    "din": Row("DIN", Experiment.din),
    "ft_ids": Row("Fine-tune (ID embeddings)", _fine_tuned("ft_ids", "ids")),
    "ft_embeddings": Row(
        "Fine-tune (all embeddings)", _fine_tuned("ft_embeddings", "embeddings")
    ),
    "ft_all": Row("Fine-tune (all parameters)", _fine_tuned("ft_all")),
    "dual_embedding": Row("Dual embedding", Experiment.dual_embedding),
    **{
        name: Row(title, functools.partial(Experiment.joint, name=name))
        for name, title in JOINT_TITLES.items()
    },
    "ctnet_linear": Row("CTNet without GLU", _ctnet("ctnet_linear", "linear")),
    "ctnet": Row("CTNet", _ctnet("ctnet")),
    "ctnet_once": Row("CTNet (transfer once)", _ctnet("ctnet_once", every="never")),
    "ft_last_1": Row("Fine-tune (newest period)", _fine_tuned("ft_last_1", window=1)),
    "ft_last_2": Row(
        "Fine-tune (newest 2 periods)", _fine_tuned("ft_last_2", window=2)
    ),
    "ft_last_4": Row(
        "Fine-tune (newest 4 periods)", _fine_tuned("ft_last_4", window=4)
    ),
}

NEWEST = ("ft_last_1", "ft_last_2", "ft_last_4")

TABLES = {
    "2": tuple(name for name in ROWS if name not in ("ctnet_once", *NEWEST)),
    "3": ("base", "ctnet_once", "ctnet"),
    "4": ("base", *NEWEST, "ft_all", "ctnet"),
    "5": ("base", "ctnet"),
}
