"""What AutoFT's accuracy depends on: one option at a time, on validation rows.

    python -m pipelines.autoft_study --dataset movielens --data-dir ../shared/data

Every variation starts from the same source model and trains with the same settings and
seeds; only the option that its name says differs from the defaults. No test row is
read. Killed at any moment, the same command goes on; `--report` only prints.
"""

import dataclasses
import pathlib

import pandas as pd

from pipelines.compare.rows import BASELINE, Row
from pipelines.compare.training import RowTraining
from pipelines.harness import options, scoring
from pipelines.harness.presets import DATASETS, PRESETS
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.trials import candidates
from tf_ctr.backbones import BACKBONES

# Name: method and its arguments. The defaults of AutoFT are a policy width of 64, a
# temperature of 5 annealed to 0.5, a policy learning rate of 10 and random logits.
# With a rate of 0.1 policies stay near an even chance, whatever the other options.
VARIATIONS = {
    "Fine-Tune": (BASELINE, {}),
    "AutoFT, defaults": ("autoft", {}),
    "policies x 0.1": ("autoft", {"policy_learning_rate_multiplier": 0.1}),
    "policies x 0.1, frozen with 0.01 at first": (
        "autoft",
        {"policy_learning_rate_multiplier": 0.1, "initial_frozen_probability": 0.01},
    ),
    "policies x 1": ("autoft", {"policy_learning_rate_multiplier": 1.0}),
    "frozen with 0.01 at first": ("autoft", {"initial_frozen_probability": 0.01}),
    "frozen with 0.1 at first": ("autoft", {"initial_frozen_probability": 0.1}),
    "frozen with 0.5 at first": ("autoft", {"initial_frozen_probability": 0.5}),
    "frozen with 0.9 at first": ("autoft", {"initial_frozen_probability": 0.9}),
    "policy width 16": ("autoft", {"policy_units": [16]}),
    "policy width 256": ("autoft", {"policy_units": [256]}),
    "temperature 0.5, constant": ("autoft", {"temperature": 0.5}),
    "temperature from 1": ("autoft", {"temperature": 1.0}),
    "no gradient into the policy's input": ("autoft", {"stop_policy_gradient": True}),
    "literal ReLU": ("autoft", {"literal_relu": True}),
    "entropy lowered, 0.01": ("autoft", {"entropy_weight": -0.01}),
    "entropy raised, 0.01": ("autoft", {"entropy_weight": 0.01}),
    "budget of 10 % frozen": ("autoft", {"budget": 0.1}),
    "budget of 50 % frozen": ("autoft", {"budget": 0.5}),
    "L2-SP on the copies, 0.001": ("autoft_l2_sp", {"alpha": 1e-3}),
    "L2-SP on the copies, 0.01": ("autoft_l2_sp", {"alpha": 1e-2}),
    "embeddings only": ("autoft", {"which": "embedding"}),
    "layers only": ("spottune", {}),
}


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = options.program(
        "pipelines.autoft_study",
        __doc__,
        "folder of the data",
        "results, logs and models; default: runs/autoft_study/<dataset>",
    )
    add = parser.add_argument
    add("--dataset", choices=DATASETS, default="synthetic", help="default: synthetic")
    add(
        "--pretrain",
        choices=["source", "all"],
        default="source",
        help="what the source model learns from; default: source",
    )
    add("--backbone", choices=BACKBONES, default="dcn", help="default: dcn")
    add(
        "--seeds",
        type=options.number(int, 1),
        default=3,
        metavar="N",
        help="runs of a variation; default: 3",
    )
    add("--report", action="store_true", help="print the table of what is done")
    options.add_settings(parser, PRESETS)
    arguments = parser.parse_args(argv)
    arguments.settings = options.settings(arguments, PRESETS[arguments.dataset])
    default = pathlib.Path("runs", "autoft_study", arguments.dataset)
    arguments.run_dir = arguments.run_dir or default
    return arguments


def main(argv=None):
    """Runs what is not done yet, and prints the table."""
    arguments = parse(argv)
    lines = ResultLines(arguments.run_dir / "results.jsonl")
    if not arguments.report:
        run(DATASETS[arguments.dataset].load(arguments.data_dir), lines, arguments)
    print(report(lines.frame()))


def run(domains, lines, arguments):
    """Trains every variation with every seed, but for what `lines` has already."""
    made_with = {
        "dataset": arguments.dataset,
        "backbone": arguments.backbone,
        "pretrain": arguments.pretrain,
        "settings": dataclasses.asdict(arguments.settings),
    }
    lines.require({}, made_with)
    training = RowTraining(arguments.backbone, domains, arguments.run_dir)
    todo = [(name, seed) for seed in range(arguments.seeds) for name in VARIATIONS]
    left = [
        (name, seed) for name, seed in todo if not lines.has(variation=name, seed=seed)
    ]
    progress = Progress(len(todo), len(todo) - len(left))
    for name, seed in left:
        record = run_one(name, seed, training, domains, arguments)
        lines.append({**made_with, **record, **provenance()})
        progress.step(f"{name}, seed {seed}: {record['validation_auc']:.4f}")


def variation(name, group):
    """Returns the `Row` of a variation and the arguments of its method."""
    method, options = VARIATIONS[name]
    own = dict(options)
    return Row(group, method, own.pop("which", "")), own


def run_one(name, seed, training, domains, arguments):
    """Trains one variation with one seed, and returns its record."""
    row, own = variation(name, arguments.pretrain)
    settings = arguments.settings
    space = {option: (value,) for option, value in own.items()}
    (trial,) = candidates(settings, space, budget=1)
    (plain,) = candidates(settings, {}, budget=1)
    model, result = training.tune(row, [trial], seed, source_trial=plain)
    return {
        "variation": name,
        "seed": seed,
        "validation_auc": result["validation_auc"],
        "epochs_run": result["epochs_run"],
        "seconds": result["seconds"],
        "routes": scoring.routes(model, domains, settings.batch_size),
        "chosen": result["chosen"],
    }


def report(results):
    """Returns Markdown: validation AUC per variation, best first.

    Args:
        results: Frame of the records of `run_one`.
    """
    if results.empty:
        return "No run is finished."
    baseline = results[results["variation"] == "Fine-Tune"].set_index("seed")
    rows = []
    for name, runs in results.groupby("variation"):
        aucs = runs.set_index("seed")["validation_auc"]
        gain = (aucs - baseline["validation_auc"]).dropna()
        shares = pd.DataFrame(runs["routes"].to_list()).to_numpy()
        frozen = f"{shares.mean():.2f}" if shares.size else ""
        cells = [_mean(aucs), f"{gain.mean():+.4f}", frozen, str(len(aucs))]
        rows.append((aucs.mean(), f"| {name} | {' | '.join(cells)} |"))
    header = "| | validation AUC | over Fine-Tune | frozen share | seeds |"
    ranked = [line for _, line in sorted(rows, reverse=True)]
    return "\n".join([header, "|" + "---|" * 5, *ranked])


def _mean(values):
    if len(values) == 1:
        return f"{values.iloc[0]:.4f}"
    return f"{values.mean():.4f} ± {values.std():.4f}"


if __name__ == "__main__":
    main()
