"""SavedModels that do more than compute, as a stranger could send them."""

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SPEC = tf.TensorSpec([None], tf.string, "user")


def save(directory, body, spec=SPEC):
    """Saves `body(user)` as the version 1 below a directory, and returns its path."""
    module = tf.Module()

    def score(user):
        return {"click": body(user)}

    module.score = tf.function(score, input_signature=[spec], autograph=False)
    version = directory / "1"
    signatures = {"serving_default": module.score}
    tf.saved_model.save(module, str(version), signatures=signatures)
    return version


def zeros(user):
    """A harmless score."""
    return tf.zeros(tf.shape(user))


def after(operation):
    """A score that is computed after another operation."""

    def body(user):
        with tf.control_dependencies([operation()]):
            return zeros(user)

    return body


def endless(user):
    """A loop that never ends."""
    [count] = tf.while_loop(
        lambda count: count >= 0, lambda count: [count * 0], [tf.size(user)]
    )
    return zeros(user) + tf.cast(count, tf.float32)


def many(user):
    """An array whose size depends on the request, of four terabytes for one row."""
    return tf.fill([tf.size(user, tf.int64) * 10**12], 1.0)


def change(version, edit):
    """Changes the protos of a version by `edit(meta_graph)`."""
    file = version / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    edit(saved_model.meta_graphs[0])
    file.write_bytes(saved_model.SerializeToString())
