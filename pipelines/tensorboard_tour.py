"""Takes the screenshots of TensorBoard that the documentation shows.

    python -m pipelines.tensorboard_tour

Trains three small models and a few days of CTNet on the synthetic world, starts
TensorBoard, opens every dashboard in Chromium, and writes a PNG of each into
`docs/figures/tensorboard`. A dashboard with an error is named, and the program fails.
"""

import contextlib
import io
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras

import tf_ctr
from pipelines.harness.arguments import parser
from pipelines.harness.extras import require
from tf_ctr.datasets import synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Page

FIGURES = pathlib.Path(__file__).parent.parent / "docs" / "figures" / "tensorboard"
# Each dashboard by the name in its address, with what is there once it has loaded.
DASHBOARDS = {
    "timeseries": "scalar-card-component",
    "custom_scalars": "vz-line-chart2",
    "images": "tf-image-loader img",
    "graphs": "tf-graph-scene",
    "histograms": "vz-histogram-timeseries",
    "text": "tf-text-loader",
    "pr_curves": "tf-pr-curve-card",
    "projector": "vz-projector-data-panel",
    "hparams": "vaadin-grid",
}
# The parts of a dashboard to show, of all.
SHOWN = {"images": "&tagFilter=routes%7Creliability&regexInput=autoft"}
# WebGL, which the projector draws with, without a graphics card.
FLAGS = ("no-sandbox", "use-angle=swiftshader", "enable-unsafe-swiftshader")
SIZE = {"width": 1500, "height": 900}


def main(argv: Sequence[str] | None = None) -> None:
    """Trains, opens the dashboards, and writes their pictures."""
    program = parser("pipelines.tensorboard_tour", __doc__)
    program.add_argument(
        "--logdir",
        type=pathlib.Path,
        metavar="DIR",
        help="runs to show; default: trains some in a temporary folder",
    )
    arguments = program.parse_args(argv)
    require("matplotlib", "playwright")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.logdir is None:
            with contextlib.chdir(folder):  # The dashboards show short paths.
                train(pathlib.Path("runs"))
        FIGURES.mkdir(parents=True, exist_ok=True)
        with serving(arguments.logdir or pathlib.Path(folder, "runs")) as url:
            with browser() as page:
                wrong = [each for name in DASHBOARDS for each in shoot(page, url, name)]
    for each in wrong:
        print(each)
    if wrong:
        raise SystemExit(f"{len(wrong)} errors")
    print(f"Screenshots: {FIGURES}")


def train(folder: pathlib.Path) -> None:
    """Trains a source, three transfers and a few days."""
    keras.utils.set_random_seed(0)
    domains = synthetic.generate(source_rows=40_000, target_rows=8_000, num_days=8)
    fields = ("user_id", "item_id", "category", "city", "price")
    chosen = [domains.schema.field(name) for name in fields]
    schema = tf_ctr.Schema(chosen, label="click", group="user_id")
    schema.fit([domains.source.train, domains.target.train])
    source = tf_ctr.backbones.dcn(schema, 8, (64, 32))
    _fit(source, domains.source, schema, folder / "source", 1e-3)
    for rate in (1e-3, 3e-4):
        tuned = tf_ctr.transfer.fine_tune(source)
        _fit(tuned, domains.target, schema, folder / f"fine_tune_{rate:g}", rate)
    routed = tf_ctr.transfer.autoft(source, seed=0)
    _fit(routed, domains.target, schema, folder / "autoft", 1e-3)
    days = [
        tf_ctr.continual.Period(int(day), rows)
        for day, rows in domains.target.train.groupby("day")
    ]
    tf_ctr.continual.run(
        days,
        folder / "daily",
        target=tf_ctr.backbones.dnn(schema, 8, (32,)),
        schema=schema,
        method="target_only",
        slices=["user_id"],
        callbacks=[tf_ctr.continual.MatrixCallback(days)],
    )


def _fit(model, domain, schema, run_dir, rate):
    validation = tf_ctr.data.from_frame(domain.validation, schema)
    chosen = tf_ctr.training.callbacks(run_dir, validation, schema=schema)
    board: Any = chosen[-1]
    board.by, board.settings = "city", {"dataset": "synthetic"}
    tf_ctr.training.compile(model, rate).fit(
        tf_ctr.data.from_frame(domain.train, schema, 512, shuffle=True),
        validation_data=validation,
        epochs=6,
        callbacks=chosen,
        shuffle=False,
        verbose=0,
    )
    test = tf_ctr.evaluation.evaluate(model, domain.test, schema)
    tf_ctr.training.log_test(run_dir, test)


@contextlib.contextmanager
def serving(logdir: pathlib.Path) -> Iterator[str]:
    """Yields the address of a TensorBoard in this process, for a `with` block."""
    from tensorboard import default, program

    board = program.TensorBoard(default.get_plugins())
    # Without `load_fast` it starts no other process.
    board.configure(argv=[None, f"--logdir={logdir}", "--port=0", "--load_fast=false"])
    yield board.launch()


def chromium() -> str | None:
    """Returns the path of Chromium, or `None`."""
    return shutil.which("chromium")


@contextlib.contextmanager
def browser() -> Iterator["Page"]:
    """Yields a page of Chromium, for a `with` block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(),
            args=[f"--{flag}" for flag in FLAGS],
        )
        page: Any = opened.new_page(viewport=SIZE)
        yield page
        opened.close()


def visit(page: "Page", url: str, name: str) -> list[str]:
    """Opens a dashboard, waits until it has loaded, and returns its errors."""
    wrong = []

    def message(each):
        if each.type == "error":
            wrong.append(f"{name}: {each.text}")

    def response(each):
        if each.status >= 400:
            wrong.append(f"{name}: {each.status} {each.url}")

    def failure(each):
        wrong.append(f"{name}: {each}")

    listeners = {"console": message, "response": response, "pageerror": failure}
    for event, listener in listeners.items():
        page.on(event, listener)
    address = name + SHOWN.get(name, "")
    if page.url.startswith(url):  # Changes the dashboard, as a click does.
        page.evaluate("name => { window.location.hash = name }", address)
    else:
        page.goto(f"{url}#{address}")
    # The projector is a page within the page.
    where: Any = page
    if name == "projector":
        where = page.frame_locator("iframe").frame_locator("iframe")
    where.locator(DASHBOARDS[name]).first.wait_for(state="attached", timeout=20_000)
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    return wrong


def shoot(page: "Page", url: str, name: str) -> list[str]:
    """Opens a dashboard, writes its picture, and returns its errors."""
    from PIL import Image

    wrong = visit(page, url, name)
    page.wait_for_timeout(2500)  # Charts move into their place.
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(64).save(FIGURES / f"{name}.png", optimize=True)
    return wrong


if __name__ == "__main__":
    main()
