"""From training to the server and back: compares every score of every signature.

    python -m pipelines.round_trip --data-dir ../shared/data

A DCN is pre-trained on the source domain and then fine-tuned, routed by AutoFT, and
joined to a target tower by CTNet; APG on DCN is trained on the target only. Each model
is exported. Every signature of every version scores test rows, loaded in every way;
then rows with missing, unseen, huge and empty values; then requests that a server must
refuse. Finished work is skipped. To time the exported versions on the rows in
`rows.parquet`, run `pipelines.benchmarks.serving`.
"""

import argparse
import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import pandas as pd

from pipelines.harness import datasets, options
from pipelines.harness.arguments import add_folders, add_numbers, parser
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.runs import train
from pipelines.harness.tables import frame_table
from pipelines.round_trip.odd_requests import odd_rows, refusals
from tf_ctr import inference, transfer
from tf_ctr.backbones import dcn
from tf_ctr.datasets import TwoDomains
from tf_ctr.export import export
from tf_ctr.files import replacing
from tf_ctr.serving.parity import compare_ways
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.version import load_served

# The data set of each name, with a history.
DATASETS = {"movielens": "movielens_history", "synthetic": "synthetic"}
SETTINGS = dataclasses.replace(
    datasets.PAPER,
    embedding_dim=16,
    hidden_units=(256, 128, 64),
    batch_size=4096,
    epochs=3,
    patience=1,
    learning_rates=(2e-3,),
)
NUM_SERVED_ROWS = 1024
# The method that trains the model, and how the model is exported.
VARIANTS = {
    "dcn": ("fine_tune", {}),
    "autoft": ("autoft", {}),
    "autoft_grouped": ("autoft", {"grouped": True}),
    "autoft_static": ("autoft", {"served": "static_routes"}),
    "apg": ("apg", {}),
    "ctnet": ("ctnet", {}),
}


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.round_trip", __doc__)
    add_folders(
        program,
        "the folder that holds ml-1m/",
        "where models, versions and results go; default: runs/round_trip",
    )
    program.add_argument(
        "--dataset",
        choices=DATASETS,
        default="movielens",
        help="the data set; default: movielens",
    )
    rows = "test rows that every signature scores in every way"
    add_numbers(program, [("rows", 256, rows)])
    options.add_settings(program, {"movielens": SETTINGS})
    arguments = program.parse_args(argv)
    arguments.run_dir = arguments.run_dir or pathlib.Path("runs", "round_trip")
    arguments.settings = options.settings(arguments, SETTINGS)
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Trains, exports and compares what is missing, and prints the table."""
    arguments = parse(argv)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    settings = dataclasses.asdict(arguments.settings)
    made_with = {"settings": settings, "dataset": arguments.dataset}
    lines.require({}, made_with)
    todo = [name for name in VARIANTS if not lines.has(variant=name)]
    if todo:
        name = DATASETS[arguments.dataset]
        domains = datasets.DATASETS[name].load(arguments.data_dir)
        with replacing(arguments.run_dir / "rows.parquet") as partial:
            domains.target.test.head(NUM_SERVED_ROWS).to_parquet(partial)
        progress = Progress(len(VARIANTS), len(VARIANTS) - len(todo))
        for name in todo:
            record = compare(name, domains, arguments)
            lines.append({**record, **made_with, **provenance()})
            progress.step(name)
    print("\n" + frame_table(table(lines.frame())))


def compare(
    name: str, domains: TwoDomains, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Exports a variant, and returns how far its scores are from the model's."""
    schema, test = domains.schema, domains.target.test
    version, model = exported(name, domains, arguments)
    odd = odd_rows(schema, test.iloc[0])
    rows = test.head(arguments.rows)
    tensors = raw_columns(schema, rows.head(4))
    return {
        "variant": name,
        "version": str(version),
        "parameters": model.count_params(),
        "rows": _differences(version, rows, model),
        "odd_rows": _differences(version, odd, model),
        "odd_count": len(odd),
        "requests": refusals(version, tensors).to_dict("index"),
    }


def exported(
    name: str, domains: TwoDomains, arguments: argparse.Namespace
) -> tuple[pathlib.Path, keras.Model]:
    """Returns the version of a variant, and the model with the same scores."""
    method, how = VARIANTS[name]
    model = trained(method, domains, arguments)
    how = dict(how)
    if how.pop("grouped", False):
        how["served"] = inference.group_by_route(model)
    directory = arguments.run_dir / "savedmodels" / name
    version = directory / "1"
    if not version.exists():
        sample = domains.target.validation
        version = export(
            model, domains.schema, directory, sample.head(20_000), verbose=False, **how
        )
    # Fixed routes change the scores: compare with the model that the version holds.
    static = how.get("served") == "static_routes"
    return version, load_served(version) if static else model


def trained(
    method: str, domains: TwoDomains, arguments: argparse.Namespace
) -> keras.Model:
    """Returns the trained model of a method; its source is trained first."""
    fit = functools.partial(_fit, domains=domains, arguments=arguments)
    if method == "apg":
        build = functools.partial(transfer.apg, condition=domains.item)
        return fit("apg", lambda: build(_dcn(domains, arguments)), domains.target)
    source = fit("source", lambda: _dcn(domains, arguments), domains.source)
    build = getattr(transfer, method)
    return fit(method, lambda: build(source), domains.target)


def _fit(name, build, splits, domains, arguments):
    settings = arguments.settings
    model, record = train(
        build,
        splits,
        domains.schema,
        settings,
        settings.learning_rates[0],
        0,
        arguments.run_dir / "models" / name,
        verbose=0,
    )
    print(f"  {name}: validation AUC {record['validation_auc']:.4f}")
    return model


def _dcn(domains, arguments):
    return dcn(domains.schema, **arguments.settings.model_arguments())


def _differences(version, rows, model):
    """Returns `{way: largest difference over all signatures}`."""
    found = compare_ways(version, rows, model)
    if found.skipped:
        print(f"  skipped: {found.skipped}")
    return {way: max(of_way.values()) for way, of_way in found.differences.items()}


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the largest differences and the refused requests, a row per variant."""
    rows = {}
    for record in frame.to_dict("records"):
        answers = [a for of in record["requests"].values() for a in of.values()]
        odd = max(record["odd_rows"].values())
        refused = sum(answer != "scored" for answer in answers)
        rows[record["variant"]] = {
            **{way: f"{value:.1e}" for way, value in record["rows"].items()},
            f"{record['odd_count']} odd rows": f"{odd:.1e}",
            "wrong requests refused": f"{refused} of {len(answers)}",
        }
    return pd.DataFrame(rows).T.fillna("").rename_axis("model")


if __name__ == "__main__":
    main()
