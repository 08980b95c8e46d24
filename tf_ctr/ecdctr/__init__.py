"""E-CDCTR: three levels of models, trained asynchronously.

A tiny pre-training model (*TPM*) on long-term natural data writes dated *snapshots* of
its embeddings. A complete pre-training model (*CPM*) on recent natural data has the
newest snapshots as further features, its *historical embeddings*. The advertisement
model (*A-CTR*) starts from CPM. `tpm_level`, `cpm_level` and `a_ctr_level` describe
them; `tf_ctr.continual.run_levels` runs them. `SnapshotStore` is the folder of
snapshots; `ExportSnapshots` and `ImportSnapshots` are the callbacks that write and read
it.

Source: E-CDCTR (arXiv 2408.16238). Only its abstract is public here; each argument that
we inferred or chose says so.
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
