"""E-CDCTR: three levels of models, trained asynchronously.

A tiny pre-training model (TPM) on long-term natural data leaves snapshots of its
embeddings; a complete one (CPM) on recent natural data has them as extra features;
the advertisement model (A-CTR) starts from CPM. `tf_ctr.continual.run_levels` runs all.

Source: E-CDCTR (arXiv 2408.16238). Its abstract alone is public here: what is inferred
or free is said with every argument.
"""

from tf_ctr.ecdctr.levels import a_ctr_level, cpm_level, tpm_level
from tf_ctr.ecdctr.snapshots import SnapshotStore

__all__ = ["SnapshotStore", "a_ctr_level", "cpm_level", "tpm_level"]
