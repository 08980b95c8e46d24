"""The runs behind the rows of the E-CDCTR experiment: levels over the same periods."""

import dataclasses
import functools
import pathlib
import shutil
from typing import Any

import keras

from pipelines.ecdctr.data import LevelData
from pipelines.ecdctr.models import backbone, joint_model, with_historical
from pipelines.harness.period_options import ModelSettings
from tf_ctr.backbones import dnn
from tf_ctr.continual import Level, Refresh, run, run_levels
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr import a_ctr_level, cpm_level, tpm_level


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(ModelSettings):
    """Sizes and training, the same for all rows; the backbone is that of CPM and A-CTR.

    Attributes:
        tpm_dim: Width of TPM's embeddings.
        tpm_units: Width of its one hidden layer.
        tpm_window: Months that TPM is trained on.
        ad_window: Periods of ads that A-CTR is trained on when it restarts from CPM.
            When it resumes, it is trained once on each ad, as all other rows are.
    """

    tpm_dim: int
    tpm_units: int
    tpm_window: int
    ad_window: int


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All rows of one seed; a level that several rows read is run once.

    Attributes:
        data: The `LevelData`.
        settings: The `Settings`.
        folder: Where the runs are; a run that was killed resumes there.
        seed: Seed of weights, noise and order.
        verbose: As in `tf_ctr.continual.run_levels`.
    """

    data: LevelData
    settings: Settings
    folder: pathlib.Path
    seed: int
    verbose: int = 1

    def ad_only(self) -> pathlib.Path:
        """Runs a model that is only trained on advertisements."""
        return self._run(self._ads_only("ad_only", self._plain()))

    def validation_auc(self) -> float | None:
        """Returns CPM's AUC on its newest week before the start, when ads are few."""
        weeks = self.data.weeks_before_start()
        data = dataclasses.replace(self.data, weeks=weeks)
        cpm = dataclasses.replace(self, data=data)._cpm()
        self._run(cpm)
        tests = [r["test"]["auc"] for r in Store(cpm.directory).records() if r["test"]]
        return tests[-1] if tests else None

    def tpm_only(self) -> pathlib.Path:
        """Runs a model of advertisements with historical embeddings, without CPM."""
        tpm = self._tpm()
        model = self._with_historical("self_attention", 3, False)
        snapshots = self.folder / "snapshots"
        return self._run(tpm, self._ads_only("tpm_only", model, snapshots, tpm))

    def cpm_only(self) -> pathlib.Path:
        """Runs A-CTR, fine-tuned from a CPM without historical embeddings."""
        cpm = self._cpm()
        return self._run(cpm, self._a_ctr("cpm_only", cpm))

    def ecdctr(
        self,
        name: str,
        aggregation: str = "self_attention",
        num_snapshots: int = 3,
        time_embedding: bool = False,
        batch_normalisation: bool = True,
        cpm_window: int | None = None,
        **options: Any,
    ) -> pathlib.Path:
        """Runs all three levels.

        Args:
            name: Name of the row.
            aggregation: As in `tf_ctr.transfer.add_historical`.
            num_snapshots: As in `tf_ctr.transfer.add_historical`.
            time_embedding: As in `tf_ctr.transfer.add_historical`.
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

    def ctnet(self) -> pathlib.Path:
        """Runs CTNet, from the CPM without historical embeddings and `ad_only`."""
        cpm, own = self._cpm(), self._ads_only("ad_only", self._plain())
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

    def joint(self, name: str) -> pathlib.Path:
        """Runs a model of `tf_ctr.joint` over all periods of both kinds of data."""
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

    def slim(self, name: str) -> None:
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
        if batch_norm == "keep":  # Its statistics are moving averages.
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

    def _ads_only(self, name, model, snapshots=None, tpm=None):
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
