"""Changes to a version that the checker must judge as the server does."""

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

from tf_ctr.serving.rules.conformance import check
from tf_ctr.serving.sealing import seal_version

WARMUP = "assets.extra/tf_serving_warmup_requests"


def check_as_exported(version, **options):
    """Checks a changed version as if the export had written it so.

    Otherwise its manifest would tell every change, and no rule would be needed.
    """
    seal_version(version)
    return check(version, **options)


def write(path, content):
    """Writes text or bytes."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def damaged(path, keep=None, flip=None):
    """Cuts a file to its first bytes, or flips a bit of one."""
    content = bytearray(path.read_bytes()[:keep])
    if flip is not None:
        content[flip] ^= 1
    path.write_bytes(bytes(content))


def replaced(path, old, new):
    """Replaces text that the file must hold."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def write_records(version, records):
    """Writes warm-up records, bytes each."""
    with tf.io.TFRecordWriter(str(version / WARMUP)) as writer:
        for record in records:
            writer.write(record)


def edit_signature(version, name, change):
    """Changes a signature on disk; the fingerprint follows, as of a new export."""
    file = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    [graph] = saved.meta_graphs
    change(graph.signature_def[name])
    if not graph.signature_def[name].inputs:
        del graph.signature_def[name]
    file.write_bytes(saved.SerializeToString(deterministic=True))
    _sign(version)


def replace_graph(version, score):
    """Puts another SavedModel into a version, whose signature scores users.

    Args:
        version: The version directory.
        score: Scores `[B]` of a string tensor `[B]`.
    """

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "user")])
        def score(self, user):
            return {"click": score(user)}

    module = Module()
    signatures = {"serving_default": module.score}
    (version / WARMUP).unlink(missing_ok=True)
    for file in (version / "assets.extra" / "requests").glob("*"):
        if "serving_default" not in file.name:
            file.unlink()
    tf.saved_model.save(module, str(version), signatures)


def _sign(version):
    (version / "fingerprint.pb").write_bytes(
        fingerprinting.CreateFingerprintDef(str(version))
    )
