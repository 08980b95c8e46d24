"""E-CDCTR: three levels of models, trained asynchronously.

A tiny pre-training model (*TPM*) is trained on long-term natural data and writes dated
*snapshots* of its embeddings. A complete pre-training model (*CPM*) is trained on
recent natural data, with the newest snapshots as further features: its *historical
embeddings*. The advertisement model (*A-CTR*) starts from CPM. `tpm_level`, `cpm_level`
and `a_ctr_level` describe them; `tf_ctr.continual.run_levels` runs them.
`SnapshotStore` is the folder of snapshots, which the callbacks `ExportSnapshots` and
`ImportSnapshots` write and read.

Source: E-CDCTR (arXiv 2408.16238). We know only its abstract; the documentation of each
argument says if we inferred or chose it.
"""

from tf_ctr.ecdctr.exchange import ExportSnapshots, ImportSnapshots
from tf_ctr.ecdctr.levels import a_ctr_level, cpm_level, tpm_level
from tf_ctr.ecdctr.snapshots import SnapshotStore

__all__ = [
    "ExportSnapshots",
    "ImportSnapshots",
    "SnapshotStore",
    "a_ctr_level",
    "cpm_level",
    "tpm_level",
]


def __dir__() -> list[str]:
    return [*__all__]
