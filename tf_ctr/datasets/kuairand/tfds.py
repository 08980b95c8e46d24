"""KuaiRand-Pure as a TFDS data set; importing this module registers it.

`tfds build kuairand_pure --imports tf_ctr.datasets.kuairand.tfds --manual_dir DIR`
"""

import tensorflow_datasets as tfds

from tf_ctr.datasets import tfds_rows
from tf_ctr.datasets.kuairand import files


class KuairandPure(tfds.core.GeneratorBasedBuilder):
    """Impressions with the features of user and video, in one split `train`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The standard log of 2022-04-25 to 2022-05-08."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "manual_dir is the folder that holds kuairand-pure/ with the files "
        f"{files.LOG}, {files.USERS}, {files.VIDEOS} and "
        f"{files.HISTORY}."
    )

    def _info(self):
        return self.dataset_info_from_configs(
            description="Impressions of short videos in several scenarios of an app, "
            "with the label `is_click` and nothing else from after the impression.",
            features=tfds_rows.features(tfds, files.KINDS),
            supervised_keys=None,
            homepage="https://kuairand.com",
            license="CC BY-SA 4.0",
            citation="Gao et al., KuaiRand: An Unbiased Sequential Recommendation "
            "Dataset with Randomly Exposed Videos, CIKM 2022 (arXiv 2208.08696).",
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "kuairand-pure"
        return {"train": self._generate_examples(folder)}

    def _generate_examples(self, folder):
        yield from tfds_rows.examples(files.from_folder(folder))
