"""Adds the pages that are not written in `docs/`: API, results, changelog and more."""

import functools
import importlib
import inspect
import pathlib
import pkgutil
import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import tf_ctr

ROOT = pathlib.Path(__file__).parent.parent.parent
REPOSITORY = "https://github.com/tf-ctr/tf_ctr/blob/main/"

# Files of the repository that are pages, and their places on the site.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "savedmodels/README.md": "guides/serving.md",
}
LINK = re.compile(r"(?<=\]\()([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds pages and images to the site.

    Args:
        files: The files of `docs/`.
        config: The configuration of the site.

    Returns:
        All files of the site.
    """
    places = _places()
    for path, place in places.items():
        if path.suffix == ".md":
            text = _with_links_on_the_site(path, place, places)
            files.append(File.generated(config, place, content=text))
        else:
            files.append(File.generated(config, place, abs_src_path=str(path)))
    for package in public_packages():
        page = _api_page(package)
        files.append(File.generated(config, f"api/{package}.md", content=page))
    return files


@functools.cache
def public_packages() -> list[str]:
    """Returns the packages of `tf_ctr` that a user imports names from."""
    names = ["tf_ctr"]
    for module in pkgutil.walk_packages(tf_ctr.__path__, "tf_ctr."):
        if module.ispkg and getattr(importlib.import_module(module.name), "__all__", 0):
            names.append(module.name)
    return sorted(names)


def _api_page(package: str) -> str:
    """Returns a page that documents the names of a package.

    A name that is defined in another public package is documented there, once.
    """
    module = importlib.import_module(package)
    own, elsewhere = [], []
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.ismodule(value):
            elsewhere.append(f"- [`{name}`]({value.__name__}.md)")
            continue
        # A function is often in a module of its own name, which hides it from tools
        # that read the package; its full name finds it.
        defined = str(getattr(value, "__module__", None))
        ours = defined.startswith("tf_ctr")
        full = f"{defined if ours else package}.{name}"
        if _home(full, package) == package:
            own.append(f"::: {full}\n    options:\n      show_root_heading: true\n")
        else:
            elsewhere.append(f"- [`{name}`][{full}]")
    head = f"# {package}\n\n::: {package}\n    options:\n      members: false\n"
    return "\n".join([head, *elsewhere, "", *own])


def _home(full, package):
    """Returns the package whose page documents a name: the nearest that exports it."""
    name = full.rpartition(".")[2]
    exporting = [
        each
        for each in public_packages()
        if full.startswith(f"{each}.") and name in importlib.import_module(each).__all__
    ]
    return max(exporting, key=len, default=package)


def _places() -> dict[pathlib.Path, str]:
    """Returns `{file: its place on the site}`."""
    places = {ROOT / path: place for path, place in PAGES.items()}
    for pattern in ("README.md", "*/README.md", "*/results/*.png", "*/results/*.md"):
        for path in ROOT.joinpath("pipelines").glob(pattern):
            place = path.relative_to(ROOT / "pipelines").as_posix()
            places[path] = f"results/{place}"
    return places


def _with_links_on_the_site(path, place, places):
    """Returns a file's text; links to files that are no pages lead to GitHub."""

    def relinked(match):
        link = match[1]
        if ":" in link:
            return link
        target = (path.parent / link).resolve()
        if target in places:
            return posixpath.relpath(places[target], posixpath.dirname(place))
        return REPOSITORY + target.relative_to(ROOT).as_posix()

    return LINK.sub(relinked, path.read_text())
