"""What the rows of the E-CDCTR experiment are made of: levels over the same periods."""

import dataclasses
import functools
import pathlib
import shutil

import keras

from pipelines.ecdctr.data import LevelData
from pipelines.harness.options import ModelSettings
from pipelines.harness.periods import DOMAIN
from tf_ctr.backbones import BACKBONES, dnn
from tf_ctr.continual import Level, Refresh, run, run_levels
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr import a_ctr_level, cpm_level, tpm_level
from tf_ctr.joint import JOINT
from tf_ctr.transfer import add_historical


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(ModelSettings):
    """Sizes and training, the same for all rows; the backbone is of CPM and A-CTR.

    Attributes:
        tpm_dim: Embedding dim of TPM.
        tpm_units: Width of its one hidden layer.
        tpm_window: Months that TPM is trained on.
        ad_window: Periods of ads that A-CTR is trained on, where it starts again.
            Where it goes on it passes over each ad once, as all other rows do.
    """

    tpm_dim: int
    tpm_units: int
    tpm_window: int
    ad_window: int


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All rows of one seed; levels that several rows read are run once.

    Attributes:
        data: The `LevelData`.
        settings: The `Settings`.
        folder: Where the runs are; one that was killed goes on.
        seed: Of weights, noise and order.
        verbose: As of `tf_ctr.continual.run_levels`.
    """

    data: LevelData
    settings: Settings
    folder: pathlib.Path
    seed: int
    verbose: int = 1

    def ad_only(self):
        """The model of advertisements alone."""
        return self._run(self._alone("ad_only", self._plain()))

    def validation_auc(self):
        """Of CPM, on its newest week before the start: there are few ads by then."""
        weeks = self.data.weeks_before_start()
        data = dataclasses.replace(self.data, weeks=weeks)
        cpm = dataclasses.replace(self, data=data)._cpm()
        self._run(cpm)
        tests = [r["test"]["auc"] for r in Store(cpm.directory).records() if r["test"]]
        return tests[-1] if tests else None

    def tpm_only(self):
        """The model of advertisements alone, with historical embeddings."""
        tpm = self._tpm()
        model = self._with_historical("self_attention", 3, False)
        snapshots = self.folder / "snapshots"
        return self._run(tpm, self._alone("tpm_only", model, snapshots, tpm))

    def cpm_only(self):
        """Fine-tuned from a CPM without historical embeddings."""
        cpm = self._cpm()
        return self._run(cpm, self._a_ctr("cpm_only", cpm))

    def ecdctr(
        self,
        name,
        aggregation="self_attention",
        num_snapshots=3,
        time_embedding=False,
        batch_normalisation=True,
        cpm_window=None,
        **options,
    ):
        """All three levels.

        Args:
            name: Of the row.
            aggregation: As of `tf_ctr.transfer.add_historical`.
            num_snapshots: Likewise.
            time_embedding: Likewise.
            batch_normalisation: Whether CPM and A-CTR have BatchNorm.
            cpm_window: Weeks that CPM is trained on; a month by default.
            **options: `batch_norm` of `a_ctr_level`, and `every` and `window_when` of
                its `Refresh`.
        """
        tpm = self._tpm()
        model = self._with_historical(
            aggregation, num_snapshots, time_embedding, batch_normalisation
        )
        kind = (aggregation, num_snapshots, time_embedding)
        kind += () if batch_normalisation else ("no_batch_norm",)
        kind += () if cpm_window is None else (f"window_{cpm_window}",)
        name_of_cpm = "_".join(["cpm", *map(str, kind)])
        cpm = self._cpm(name_of_cpm, model, self.folder / "snapshots", tpm, cpm_window)
        return self._run(
            tpm, cpm, self._a_ctr(name, cpm, self.folder / "snapshots", **options)
        )

    def ctnet(self):
        """CTNet from the CPM without historical embeddings and the ads' own model."""
        cpm, own = self._cpm(), self._alone("ad_only", self._plain())
        level = functools.partial(
            run,
            directory=self.folder / "ctnet",
            target=own.directory,
            source=cpm.directory,
            method="ctnet",
            training=self._training(),
        )
        days = self.data.days[1:]
        return self._run(
            cpm, own, Level("CTNet", days, self.folder / "ctnet", level, (cpm, own))
        )

    def joint(self, name):
        """A model of `tf_ctr.joint`, over all periods of both kinds of data."""
        schema = self.data.schemas["joint"]
        model = joint_model(name, schema, self.settings, self.seed)
        level = functools.partial(
            run,
            directory=self.folder / name,
            target=model,
            schema=schema,
            method="target_only",
            training=self._training(),
        )
        return self._run(Level(name, self.data.joint, self.folder / name, level))

    def slim(self, name):
        """Removes the models of a row that no other row starts from."""
        if name != "ad_only":
            for folder in (self.folder / name).glob("[0-9]*"):
                shutil.rmtree(folder)

    def _run(self, *levels):
        """Runs the levels, and returns the folder of the last one."""
        run_levels(levels, self.folder, strict=True, verbose=self.verbose)
        return levels[-1].directory

    def _tpm(self):
        settings, schema = self.settings, self.data.schemas["basic"]
        keras.utils.set_random_seed(self.seed)
        model = dnn(schema, settings.tpm_dim, (settings.tpm_units,))
        return tpm_level(
            self.data.months,
            self.folder / "tpm",
            model,
            schema,
            self.folder / "snapshots",
            self.data.historical,
            refresh=Refresh(window=settings.tpm_window),
            training=self._training(),
        )

    def _cpm(self, name="cpm", model=None, snapshots=None, tpm=None, window=None):
        month = self.data.month_days // self.data.week_days
        return cpm_level(
            self.data.weeks,
            self.folder / name,
            self._plain() if model is None else model,
            self.data.schemas["plain"],
            snapshots,
            tpm,
            refresh=Refresh(window=window or month),
            training=self._training(),
        )

    def _a_ctr(self, name, cpm, snapshots=None, batch_norm="reset", **refresh):
        training = self._training()
        if batch_norm == "keep":  # Its statistics follow by momentum.
            training = dataclasses.replace(training, measure_batch_norm=False)
        when = {"every": "arrival", "window_when": "restart", **refresh}
        return a_ctr_level(
            self.data.days,
            self.folder / name,
            cpm,
            snapshots,
            refresh=Refresh(restart=True, window=self.settings.ad_window, **when),
            batch_norm=batch_norm,
            training=training,
        )

    def _alone(self, name, model, snapshots=None, tpm=None):
        level = cpm_level(
            self.data.days,
            self.folder / name,
            model,
            self.data.schemas["plain"],
            snapshots,
            tpm,
            # It never restarts: each ad once, as for CTNet and joint models.
            refresh=Refresh(window=1),
            training=self._training(),
        )
        return dataclasses.replace(level, name=name)

    def _plain(self):
        return backbone(self.data.schemas["plain"], self.settings, self.seed)

    def _with_historical(self, *choices):
        return with_historical(self.data, self.settings, self.seed, *choices)

    def _training(self):
        training = self.settings.training()
        return dataclasses.replace(training, seed=self.seed, verbose=0)


def backbone(schema, settings, seed, batch_norm=True):
    """Returns a model of CPM's and A-CTR's architecture.

    Args:
        schema: Its `Schema`.
        settings: The `Settings`.
        seed: Of its weights.
        batch_norm: Whether it has BatchNorm.
    """
    keras.utils.set_random_seed(seed)
    return BACKBONES[settings.backbone](
        schema,
        embedding_dim=settings.embedding_dim,
        hidden_units=settings.hidden_units,
        batch_norm=batch_norm,
    )


def with_historical(
    data,
    settings,
    seed,
    aggregation,
    num_snapshots,
    time_embedding,
    batch_norm=True,
):
    """Returns the same with historical embeddings.

    Args:
        data: The `LevelData`.
        settings: The `Settings`.
        seed: Of its weights.
        aggregation: As of `tf_ctr.transfer.add_historical`.
        num_snapshots: Likewise.
        time_embedding: Likewise.
        batch_norm: As of `backbone`.
    """
    build = functools.partial(
        backbone, settings=settings, seed=seed, batch_norm=batch_norm
    )
    return add_historical(
        build,
        data.schemas["plain"],
        data.historical,
        settings.tpm_dim,
        num_snapshots,
        aggregation,
        time_embedding,
    )


def joint_model(name, schema, settings, seed):
    """Returns a model of both kinds of data, without BatchNorm in its towers.

    Args:
        name: Of `tf_ctr.joint.JOINT`.
        schema: A `Schema` with the domain.
        settings: The `Settings`.
        seed: Of its weights.
    """
    units = settings.hidden_units
    if name == "share_bottom":
        widths = {"tower_units": units}
    elif name == "star":
        widths = {"hidden_units": units}
    else:
        widths = {"expert_units": units[:-1] or units, "tower_units": units[-1:]}
    keras.utils.set_random_seed(seed)
    return JOINT[name](schema, DOMAIN, embedding_dim=settings.embedding_dim, **widths)
