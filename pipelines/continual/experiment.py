"""The runs behind the rows of CTNet's tables, all over the same periods."""

import dataclasses
import functools
import pathlib
import shutil

import keras

from pipelines.continual.data import HISTORIES, PeriodData
from pipelines.continual.verdict import mean
from pipelines.harness.period_options import ModelSettings
from pipelines.harness.periods import DOMAIN, SOURCE
from tf_ctr import transfer
from tf_ctr.backbones import BACKBONES
from tf_ctr.continual import Refresh, Report, Training, run, train_source
from tf_ctr.continual.measuring import measure
from tf_ctr.continual.store import Store
from tf_ctr.joint import JOINT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(ModelSettings):
    """Sizes and training, the same for all rows; DIN has a backbone of its own.

    Attributes:
        attention_units: Width of the attention of the backbone `taobao`.
        epochs: Epochs on every period.
        start: The period `t0` of the first transfer; the models of both domains are
            trained on all earlier periods.
    """

    attention_units: int
    epochs: int
    start: int


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All rows of one seed; a run that several rows start from is done once.

    Attributes:
        data: The `PeriodData`.
        settings: The `Settings`.
        folder: Where the runs are; a run that was killed resumes there.
        seed: Seed of weights, noise and order.
        verbose: As in `tf_ctr.continual.Training`.
    """

    data: PeriodData
    settings: Settings
    folder: pathlib.Path
    seed: int
    verbose: int = 1

    def base(self) -> Report:
        """Runs the target's own model over all periods."""
        return self._target_only("base", self.settings.backbone)

    def validation_auc(self) -> float:
        """Returns Base's mean AUC up to the start, on periods that no table has."""
        until = self.data.target[: self.settings.start + 1]
        data = dataclasses.replace(self.data, target=until)
        report = dataclasses.replace(self, data=data).base()
        return mean([r["test"] for r in report.records if r["test"]], "auc")

    def sources(self) -> pathlib.Path:
        """Trains the source models, and returns their folder."""
        schema = self.data.schemas["plain"]
        folder = self.folder / "sources"
        model = self._build(BACKBONES, self.settings.backbone, schema)
        train_source(self.data.source, folder, model, schema, training=self._training())
        return folder

    def source_as_it_is(self) -> Report:
        """Tests the source models on the target's periods."""
        self.base()
        stores = [Store(self.sources()), Store(self.folder / "base")]
        records = []
        for period in self.data.target[1:]:
            if not len(period.read()):
                continue
            model, base = (
                store.load(store.latest(period.end, True)) for store in stores
            )
            test = measure(
                model.model, period.read(), model.schema, base.seen, self._slices()
            )
            test["trained_until"] = model.number
            records.append({"number": period.number, "name": period.label})
            records[-1] |= {"test": test, "trained": False}
        return Report(records)

    def din(self) -> Report:
        """Runs DIN on the target only."""
        return self._target_only("din", "din")

    def joint(self, name: str) -> Report:
        """Runs a model of `tf_ctr.joint` over all periods of both domains."""
        needs_two = name in ("minet", "dasl")
        schema = self.data.schemas["histories" if needs_two else "joint"]
        model = self._build(JOINT, name, schema, domain=DOMAIN, **self._domains(name))
        return run(
            self.data.joint(),
            self.folder / name,
            target=model,
            schema=schema,
            method="target_only",
            training=self._training(),
            slices=self._slices(),
        )

    def transferred(self, name, method, refresh) -> Report:
        """Runs a transfer method from the period `start` on."""
        self.base()
        return run(
            self.data.target[self.settings.start :],
            self.folder / name,
            target=self.folder / "base",
            source=self.sources(),
            method=method,
            refresh=refresh,
            training=self._training(),
            slices=self._slices(),
        )

    def fine_tuned(
        self, name: str, which: str | tuple[str, ...] = "all", window: int | None = None
    ) -> Report:
        """Fine-tunes the newest source model on the target's newest periods.

        Each model is trained once on its periods, as Base and CTNet are.
        """
        method = functools.partial(transfer.fine_tune, which=which)
        return self._restarted(name, method, window)

    def dual_embedding(self) -> Report:
        """Runs a target model with the newest source model's tables beside its own."""
        schema = self.data.schemas["plain"]
        return self._restarted(
            "dual_embedding",
            functools.partial(transfer.dual_embedding, fields=self.data.ids),
            target=self._build(BACKBONES, self.settings.backbone, schema),
            schema=schema,
        )

    def _restarted(self, name, method, window=None, **target):
        return run(
            self.data.target,
            self.folder / name,
            source=self.sources(),
            method=method,
            refresh=Refresh(every="period", restart=True, window=window),
            training=self._training(),
            slices=self._slices(),
            **target,
        )

    def slim(self, name: str) -> None:
        """Removes the models of a row that no other row starts from."""
        if name != "base":
            for folder in (self.folder / name).glob("[0-9]*"):
                shutil.rmtree(folder)

    def _target_only(self, name, backbone):
        schema = self.data.schemas["plain"]
        return run(
            self.data.target,
            self.folder / name,
            target=self._build(BACKBONES, backbone, schema),
            schema=schema,
            method="target_only",
            training=self._training(),
            slices=self._slices(),
        )

    def _slices(self):
        return (self.data.user, self.data.item)

    def _training(self) -> Training:
        training = self.settings.training(self.settings.epochs)
        return dataclasses.replace(training, seed=self.seed, verbose=self.verbose)

    def _build(self, builders, name, schema, **arguments):
        keras.utils.set_random_seed(self.seed)
        settings, units = self.settings, self.settings.hidden_units
        widths = {"hidden_units": units}
        if name == "share_bottom":
            widths = {"tower_units": units}
        elif name in ("mmoe", "ple"):
            widths = {"expert_units": units[:-1] or units, "tower_units": units[-1:]}
        elif name == "taobao":
            widths["attention_units"] = settings.attention_units
        return builders[name](
            schema, embedding_dim=settings.embedding_dim, **widths, **arguments
        )

    def _domains(self, name):
        """Returns the arguments of a joint model that name source and target."""
        if name in ("mmoe", "ple", "share_bottom", "star"):
            return {}
        if name == "dasl":
            return {"source": SOURCE, "user": self.data.user, **_histories()}
        arguments = {"source": SOURCE, "user_fields": self.data.user_fields}
        return arguments | (_histories() if name == "minet" else {})


def _histories():
    return {name: name for name in HISTORIES}
