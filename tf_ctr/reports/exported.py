"""The page of an exported version."""

import json
import pathlib

import pandas as pd
import tensorflow as tf

from tf_ctr.reports.page import Page
from tf_ctr.serving.rules.conformance import check
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.sealing import FACTS
from tf_ctr.serving.version import read_meta_graph, shape, signatures


def page(version: pathlib.Path) -> Page:
    """Returns the page of a version; its rules are checked, as `tf_ctr check` does."""
    version = version.absolute()
    findings = check(version)
    wrong = errors(findings)
    files = [path for path in sorted(version.rglob("*")) if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    made = Page(
        f"{version.parent.name}, version {version.name}",
        "An exported version",
        {"folder": str(version), "size": f"{total / 1e6:.2f} MB"},
    )
    made.facts["rules of TF Serving"] = f"{len(wrong)} errors" if wrong else "no error"
    facts = _facts(version)
    differences = facts.get("differences", {})
    largest = [d for way in differences.values() for d in way.values()]
    if largest:
        made.facts["largest difference of a score"] = f"{max(largest):.1e}"
    for name, label in (
        ("parameters_served", "parameters served"),
        ("parameters_trained", "parameters trained"),
        ("tensorflow", "TensorFlow"),
    ):
        if facts.get(name) is not None:
            made.facts[label] = facts[name]
    made.add(
        "Rules of TF Serving",
        "What tf_ctr check finds. An error means that the server does not load the "
        "version, or answers a request wrongly; a note is a limit."
        + ("" if findings else " It finds nothing."),
        table=pd.DataFrame([each._asdict() for each in findings]),
    )
    if differences:
        table = pd.DataFrame(differences).map(lambda value: f"{value:.1e}")
        made.add(
            "Parity with training",
            "The largest difference between a served and a trained score, by signature "
            "(rows) and by the way that the version was loaded (columns).",
            table=table.reset_index(names="signature"),
        )
    if not any(each.rule == "files" for each in wrong):
        made.add("Signatures", table=_signatures(version))
    sizes = [(str(p.relative_to(version)), p.stat().st_size) for p in files]
    made.add("Files", table=pd.DataFrame(sizes, columns=["file", "bytes"]))
    return made


def _facts(version):
    try:
        found = json.loads((version / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # A version that another program wrote.
    return found if isinstance(found, dict) else {}


def _signatures(version):
    lines = []
    for name, signature in signatures(read_meta_graph(version)).items():
        for kind, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for key, info in sorted(infos.items()):
                lines.append(
                    {
                        "signature": name,
                        "": kind,
                        "name": key,
                        "type": tf.dtypes.as_dtype(info.dtype).name,
                        "shape": str(shape(info)).replace("None", "any"),
                    }
                )
    return pd.DataFrame(lines)
