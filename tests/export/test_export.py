"""An exported model: its scores, what is stored of it, and how training resumes."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tf_ctr
from tests.support.exported import predict, train, user_model, user_schema
from tests.support.frames import click_frame, click_schema
from tf_ctr.data import from_frame
from tf_ctr.export import export
from tf_ctr.inference import fold_batch_norm, merged
from tf_ctr.serving.reference import raw_columns, scores_in_batches
from tf_ctr.transfer import autoft

SCHEMA = click_schema()


def raw_tensors(frame):
    return {n: tf.constant(c) for n, c in SCHEMA.raw_columns(frame).items()}


def serve(version):
    loaded = tf.saved_model.load(str(version))  # The closure keeps it alive.
    return lambda **raw: loaded.signatures["serving_default"](**raw)["click"].numpy()


@pytest.fixture(scope="module", params=["dcn", "autoft"])
def exported(request, exported_clicks, tmp_path_factory):
    """A trained model and its version."""
    if request.param == "dcn":
        return exported_clicks
    model = train(autoft(exported_clicks[0], seed=0), SCHEMA)
    directory = tmp_path_factory.mktemp("exported") / "autoft"
    options = {"fresh_process": False, "verbose": False, "batch_sizes": (1,)}
    return model, export(model, SCHEMA, directory, click_frame(), **options)


@pytest.fixture(scope="module")
def score(exported):
    return serve(exported[1])


def test_scores_agree_with_hand_computed_numbers(tmp_path):
    version = export(user_model(), user_schema(), tmp_path / "m", fresh_process=False)
    # Row 0 is missing, row 1 unseen, then the vocabulary.
    scores = serve(version)(user=tf.constant(["", "eve", "ann", "bob"]))
    expected = 1 / (1 + np.exp([0.0, -1.0, -2.0, -3.0]))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert scores.dtype == np.float32


@pytest.mark.parametrize("rows", [click_frame(40, seed=9), SCHEMA.example_rows(40)])
def test_unseen_rows_get_the_scores_of_training(exported, score, rows):
    expected = predict(exported[0], SCHEMA, rows)
    assert np.ptp(expected) > 0.1
    scores = score(**raw_tensors(rows))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_scores_do_not_depend_on_the_batch(score):
    raw = raw_tensors(click_frame(5, seed=3))
    together = score(**raw)
    np.testing.assert_array_equal(score(**raw), together)
    single = [score(**{n: t[i : i + 1] for n, t in raw.items()}) for i in range(5)]
    np.testing.assert_allclose(np.concatenate(single), together, rtol=0, atol=1e-6)
    assert score(**{n: t[:0] for n, t in raw.items()}).shape == (0,)


def test_padding_of_a_request_does_not_move_the_score(score):
    raw = raw_tensors(click_frame(5, seed=3))
    wider = {
        **raw,
        "tags": tf.pad(raw["tags"], [[0, 0], [2, 3]], constant_values=""),
        "history": tf.pad(raw["history"], [[0, 0], [4, 1]], constant_values=-1),
    }
    np.testing.assert_array_equal(score(**wider), score(**raw))


def test_the_signature_has_the_names_dtypes_and_ranks_of_raw_columns(exported_clicks):
    loaded = tf.saved_model.load(str(exported_clicks[1]))
    _, inputs = loaded.signatures["serving_default"].structured_input_signature
    expected = SCHEMA.raw_signature()
    assert {n: (s.dtype, s.shape.rank) for n, s in inputs.items()} == {
        n: (s.dtype, s.shape.rank) for n, s in expected.items()
    }


def test_a_request_without_a_field_is_an_error_that_names_it(score):
    raw = raw_tensors(click_frame(2))
    del raw["device"]
    with pytest.raises(TypeError, match="device"):
        score(**raw)


def test_a_session_like_that_of_tf_serving_gives_the_scores(exported):
    model, version = exported
    rows = click_frame(20, seed=4)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = meta.signature_def["serving_default"]
        feed = SCHEMA.raw_columns(rows)
        scores = session.run(
            signature.outputs["click"].name,
            {signature.inputs[name].name: column for name, column in feed.items()},
        )
    expected = predict(model, SCHEMA, rows)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    assert signature.method_name == "tensorflow/serving/predict"


def test_only_inference_weights_are_stored_and_each_once(exported):
    model, version = exported
    # An AutoFT model has these too; sampling needs them, inference does not.
    training_only = {w.name for w in model.non_trainable_variables} & {
        "temperature",
        "seed_generator_state",
    }
    assert training_only or version.parent.name == "dcn"
    served = fold_batch_norm(merged(model))
    inference = [w for w in served.weights if w.name != "temperature"]
    loaded = tf.saved_model.load(str(version))
    names = sorted(w.name.split("/")[-1] for w in loaded.weights)
    assert names == sorted(w.value.name.split("/")[-1] for w in inference)

    stored = tf.train.list_variables(str(version / "variables" / "variables"))
    shapes = [tuple(s) for n, s in stored if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sorted(shapes) == sorted(tuple(w.shape) for w in inference)
    floats = (version / "variables" / "variables.data-00000-of-00001").stat().st_size
    # The graph of objects and functions is in the same file.
    overhead = 1000 + 200 * len(loaded.weights)
    assert floats < sum(4 * np.prod(shape) for shape in shapes) + overhead


def test_nothing_is_compiled_by_xla_in_the_export(tmp_path):
    schema = tf_ctr.Schema([tf_ctr.Numeric("age")])
    schema.fit(pd.DataFrame({"age": [20.0, 40.0]}))
    age = keras.Input((1,), name="age")
    model = keras.Model({"age": age}, keras.layers.Dense(1, "sigmoid")(age))
    model.compile("sgd", "binary_crossentropy", jit_compile=True)
    version = export(model, schema, tmp_path / "m", fresh_process=False)
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((version / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    assert len(functions) > 1
    assert not any(f.attr["_XlaMustCompile"].b for f in functions)


def test_training_resumes_with_the_optimizer_that_was_kept(exported_clicks, tmp_path):
    model, options = exported_clicks[0], {"fresh_process": False, "batch_sizes": (1,)}
    version = export(model, SCHEMA, tmp_path / "m", optimizer="keep", **options)
    extra = version / "assets.extra"
    again = keras.saving.load_model(extra / "model.keras")
    learned = tf_ctr.Schema.load(extra / "schema.json")
    frame = click_frame()
    np.testing.assert_array_equal(
        predict(again, learned, frame), predict(model, SCHEMA, frame)
    )
    assert again.optimizer.iterations == model.optimizer.iterations
    again.fit(from_frame(frame, learned), shuffle=False, verbose=0)
    assert again.optimizer.iterations > model.optimizer.iterations


def test_the_optimizer_is_dropped_and_the_model_stays_as_it_is(exported_clicks):
    model, version = exported_clicks
    again = keras.saving.load_model(version / "assets.extra" / "model.keras")
    assert not again.compiled and model.compiled and model.optimizer.iterations > 0
    for one, other in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_version_is_not_much_larger_than_what_keras_exports(tmp_path):
    users = tf_ctr.Categorical("user", [f"user {i}" for i in range(20_000)])
    schema = tf_ctr.Schema([users, tf_ctr.Numeric("age", mean=0.0, std=1.0)])
    model = tf_ctr.training.compile(tf_ctr.backbones.dnn(schema, 16, (8,)))
    model.optimizer.build(model.trainable_variables)
    model.export(str(tmp_path / "keras"), verbose=False)
    options = {"fresh_process": False, "verbose": False}
    version = export(model, schema, tmp_path / "m", **options)
    own, keras_own = (
        sum(
            path.stat().st_size
            for path in folder.rglob("*")
            # Keras's export has no ids; ours has them twice, 26 bytes each here.
            if path.is_file() and path.suffix != ".ids" and path.name != "schema.json"
        )
        for folder in (version, tmp_path / "keras")
    )
    assert own <= 1.2 * keras_own, (own, keras_own)


def test_reduced_precision_is_served_as_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = user_model(between=keras.layers.Dense(1))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "bfloat16"
    version = export(model, user_schema(), tmp_path / "m", fresh_process=False)
    assert serve(version)(user=tf.constant(["ann"])).dtype == np.float32


def test_strings_travel_as_bytes():
    frame = pd.DataFrame({"user": ["ann", "Ólafur", None, "", "x y"]})
    column = raw_columns(user_schema(), frame)["user"]
    assert column.dtype.kind == "S"
    assert [text.decode() for text in column] == ["ann", "Ólafur", "", "", "x y"]


def test_scores_in_batches_cover_every_row_once():
    columns = {"x": np.arange(5.0)}
    scores = scores_in_batches(lambda raw: raw["x"].numpy(), columns, 2)
    np.testing.assert_array_equal(scores, columns["x"])


def test_each_export_takes_the_next_number_and_says_so(tmp_path, capsys):
    for name in ("9", "10", "latest", ".11", "12.bak", "-13"):
        (tmp_path / "m" / name).mkdir(parents=True)
    version = export(user_model(), user_schema(), tmp_path / "m", fresh_process=False)
    assert version == tmp_path / "m" / "11"
    assert f"saved_model_cli show --dir {version}" in capsys.readouterr().out
    again = export(
        user_model(), user_schema(), str(tmp_path / "m"), None, False, verbose=False
    )
    assert again.name == "12"
    assert capsys.readouterr().out == ""
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_model_of_unusual_operations_is_exported_and_named(tmp_path, capsys):
    schema = tf_ctr.Schema([tf_ctr.Numeric("x", mean=0.0, std=1.0)])
    inputs = schema.inputs()
    click = keras.ops.sigmoid(inputs["x"])
    click, _ = keras.ops.fft((click, 0 * click))  # Of one value: the value.
    options = {"fresh_process": False, "verbose": False}
    export(keras.Model(inputs, click), schema, tmp_path / "m", **options)
    printed = capsys.readouterr().out
    assert "pass --trust: it has FFT, which is not known to compute only" in printed
