"""One contract over every joint model, and the promises of each."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tf_ctr
from tests.support.joint_models import (
    ARGUMENTS,
    SOURCE,
    TARGET,
    build,
    randomise,
    two_domain_frame,
    two_domain_schema,
)
from tf_ctr import joint
from tf_ctr.backbones import dnn
from tf_ctr.data import from_frame
from tf_ctr.joint import JOINT
from tf_ctr.layers import DomainDense, Embedding
from tf_ctr.surgery import grow
from tf_ctr.transfer import ctnet

# The row of each tab in weights stacked by domain; row 0 is missing, row 1 unseen.
ROWS = {SOURCE: 2, TARGET: 3}
# Steps run eagerly: one step takes less time than its graph.
LOSS = "binary_crossentropy"


@pytest.fixture(scope="module")
def schema():
    return two_domain_schema()


@pytest.fixture(params=JOINT)
def name(request):
    return request.param


def one_batch(schema, frame):
    """All rows of a frame as one batch: features and labels."""
    return next(iter(from_frame(frame, schema, batch_size=len(frame))))


def test_every_joint_model_is_tested():
    assert set(ARGUMENTS) == set(JOINT), (
        "give a new model its arguments in tests/support/joint_models.py"
    )


def test_output_is_a_probability_and_survives_saving(name, schema, tmp_path):
    """Trained as a graph, as users train."""
    model = tf_ctr.training.compile(build(name, schema))
    assert sorted(model.input) == sorted(field.name for field in schema.fields)
    batches = from_frame(two_domain_frame(), schema, batch_size=20)
    model.fit(batches, shuffle=False, verbose=0)
    features, labels = one_batch(schema, two_domain_frame())
    scores = model(features)
    assert scores.shape == (40, 1) and scores.dtype == "float32"
    assert np.all((scores > 0) & (scores < 1))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(scores, reloaded(features))
    # The reloaded model also has the losses that layers add.
    model.run_eagerly = reloaded.run_eagerly = True
    losses = [m.test_on_batch(features, labels)[0] for m in (model, reloaded)]
    assert losses[0] == losses[1]


def test_a_step_on_both_domains_moves_every_weight(name, schema):
    model = build(name, schema)
    before = {w.path: w.numpy().copy() for w in model.trainable_weights}
    model.compile(keras.optimizers.SGD(1.0), LOSS, run_eagerly=True)
    model.train_on_batch(*one_batch(schema, two_domain_frame()))
    for layer in model.layers:
        for weight in layer.trainable_weights:
            moved = weight.numpy() != before[weight.path]
            assert moved.any(), weight.path
            # Row 0 is of a missing tab, row 1 of an unseen one: the frame has neither.
            if isinstance(layer, DomainDense) and len(moved) == 4 == layer.num_domains:
                by_tab = moved.reshape(4, -1).any(axis=1).tolist()
                assert by_tab == [False, False, True, True], weight.path


def of_domain(model, tab):
    """Copies of the weights that only the rows of one tab may move."""
    side = "source" if tab == SOURCE else "target"
    weights = {}
    for layer in model.layers:
        for weight in layer.weights if layer.trainable_weights else ():
            if layer.name.startswith(
                ("source_deep", "source_logit", "deep", "target_logit")
            ):
                is_source = layer.name.startswith("source")
                if is_source == (tab == SOURCE):
                    weights[weight.path] = weight.numpy()
            elif f"_{side}_" in layer.name:
                # A row of the other domain looks up row 0.
                weights[weight.path] = weight.numpy()[1:]
            elif isinstance(layer, DomainDense) and "shared" not in weight.path:
                stacked = weight.numpy()
                row = ROWS[tab] if len(stacked) == 4 else tab == TARGET
                weights[weight.path] = stacked[int(row)]
    return weights


@pytest.mark.parametrize("other", [SOURCE, TARGET])
def test_rows_of_one_domain_do_not_move_the_weights_of_the_other(name, schema, other):
    """DDTCDR and DASL exchange by design: here, with weight 0."""
    arguments = {
        "ddtcdr": {"alpha": 0.0},
        "dasl": {"alignment": 0.0, "orthogonality": 0.0},
    }
    model = build(name, schema, **arguments.get(name, {}))
    # Weights stacked by domain have sparse gradients, so that not even Adam's momentum
    # moves those of the other domain.
    has_dense_gradients = name in ("minet", "ddtcdr")
    optimizer = keras.optimizers.SGD(0.1)
    if not has_dense_gradients:
        optimizer = tf_ctr.optimizers.SparseAdam(0.1)
    model.compile(optimizer, LOSS, run_eagerly=True)
    frame = two_domain_frame()
    model.train_on_batch(*one_batch(schema, frame))
    tab = TARGET if other == SOURCE else SOURCE
    own, others = of_domain(model, tab), of_domain(model, other)
    assert others
    model.train_on_batch(*one_batch(schema, frame[frame.tab == tab]))
    for path, value in of_domain(model, other).items():
        # DASL reads the user and the histories of both domains in every row.
        if name != "dasl" or not path.endswith("_embedding/embeddings"):
            np.testing.assert_array_equal(value, others[path], path)
    moved = of_domain(model, tab)
    assert all((moved[path] != value).any() for path, value in own.items())


def test_a_score_does_not_depend_on_the_other_rows(name, schema):
    model = build(name, schema)
    features, _ = one_batch(schema, two_domain_frame())
    scores = model(features).numpy()
    some = [31, 4, 4, 17, 0]
    picked = {key: tf.gather(value, some) for key, value in features.items()}
    np.testing.assert_allclose(model(picked), scores[some], rtol=2e-5)
    one = {key: value[:1] for key, value in features.items()}
    np.testing.assert_allclose(model(one), scores[:1], rtol=2e-5)


def test_unseen_and_missing_domains_have_a_score(name, schema):
    model = build(name, schema)
    frame = two_domain_frame()
    odd = [one_batch(schema, frame.assign(tab=tab))[0] for tab in (77, -1)]
    scores = [model(features).numpy() for features in odd]
    assert np.all(np.isfinite(scores))
    if "source" in ARGUMENTS[name]:
        # Only the embedding of the domain itself tells them from the target.
        table = model.get_layer("tab_embedding").embeddings
        table.assign(np.ones(table.shape))
        as_target = model(one_batch(schema, frame.assign(tab=TARGET))[0])
        np.testing.assert_allclose(model(odd[0]), as_target, rtol=2e-5)


def test_unknown_argument_is_an_error(name, schema):
    with pytest.raises(TypeError, match="num_towers"):
        build(name, schema, num_towers=3)


def test_dropout_and_penalties_are_used(name, schema):
    model = build(name, schema, dropout=0.5, l2=0.01, embedding_l2=0.01)
    features, _ = one_batch(schema, two_domain_frame())
    first, second = (model(features, training=True) for _ in range(2))
    assert np.any(first.numpy() != second.numpy())
    plain = build(name, schema)
    plain(features)
    assert len(model.losses) > len(plain.losses)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("mmoe", {"num_experts": 0}, "`num_experts` to be a whole number"),
        ("mmoe", {"expert_units": ()}, "at least one layer per expert"),
        ("ple", {"expert_units": ()}, "at least one level"),
        ("ple", {"shared_experts": 0}, "`shared_experts` to be a whole number"),
        ("star", {"norm": "layer"}, "one of 'partitioned', 'batch', 'none'"),
        ("star", {"auxiliary_fields": ["itm"]}, "use one of: age, item"),
        ("star", {"hidden_units": ()}, "at least one hidden layer"),
        (
            "minet",
            {"source": 2},
            "the name of a domain.\nReceived: 2.\nFix: use .*1, 4",
        ),
        ("minet", {"user_fields": ["usr"]}, "use one of: age, item"),
        ("minet", {"user_fields": []}, "at least one field of the user"),
        ("minet", {"source_history": "item"}, "source_clicks, target_clicks"),
        ("ddtcdr", {"alpha": 2.0}, "alpha from 0 to 1"),
        ("dasl", {"user": "item"}, "use one of: tab, user"),
        ("dasl", {"alignment": -1}, "weight of at least 0"),
    ],
)
def test_a_bad_argument_raises_an_error_with_a_fix(schema, name, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(name, schema, **arguments)


@pytest.mark.parametrize("field", ["age", "target_clicks", "tabs"])
@pytest.mark.parametrize("name", ["mmoe", "minet"])
def test_a_domain_field_must_be_categorical_with_one_id(schema, name, field):
    with pytest.raises(ValueError, match="domain field|name of a field"):
        JOINT[name](schema, domain=field, **ARGUMENTS[name])


def test_dasl_refuses_items_of_the_two_domains_in_two_fields():
    fields = [
        tf_ctr.Categorical("user", ["a"]),
        tf_ctr.Categorical("item", [7]),
        tf_ctr.Categorical("book", [7]),
        tf_ctr.Categorical("tab", [0, 1]),
        tf_ctr.Sequence("clicks", of="item"),
        tf_ctr.Sequence("books", of="book"),
    ]
    with pytest.raises(ValueError, match="histories of one field"):
        joint.dasl(tf_ctr.Schema(fields), "tab", 0, "user", "clicks", "books")


# Properties


def copy(source, target, names):
    for old, new in names.items():
        target.get_layer(new).set_weights(source.get_layer(old).get_weights())


def common(model, *others):
    """The embedding tables of a model, by name."""
    names = [layer.name for layer in model.layers]
    tables = [name for name in names if name.endswith("_embedding")]
    return {name: name for name in (*tables, *others)}


def test_mmoe_with_one_expert_is_share_bottom(schema):
    model = build("mmoe", schema, num_experts=1)
    twin = build("share_bottom", schema, bottom_units=(6, 5), tower_units=(4,))
    randomise(twin, seed=1)
    copy(model, twin, common(model, "tower_0", "logit"))
    copy(model, twin, {"expert_0_0": "bottom_0", "expert_0_1": "bottom_1"})
    features, _ = one_batch(schema, two_domain_frame())
    np.testing.assert_allclose(model(features), twin(features), rtol=1e-5)


def test_star_starts_as_the_network_that_all_domains_share(schema):
    """So the shared network scores a domain without training rows."""
    sizes = {"embedding_dim": 4, "hidden_units": (6, 5)}
    model = joint.star(schema, "tab", norm="none", auxiliary_units=None, **sizes)
    network = dnn(schema, **sizes)
    randomise(network)
    for layer in network.layers:
        if layer.name.endswith("_embedding"):
            model.get_layer(layer.name).set_weights(layer.get_weights())
        elif layer.weights:
            star = model.get_layer(layer.name.replace("deep", "star"))
            star.shared_kernel.assign(layer.kernel)
            star.shared_bias.assign(layer.bias)
    features, _ = one_batch(schema, two_domain_frame())
    np.testing.assert_allclose(model(features), network(features), rtol=1e-5)


def test_towers_start_alike_in_all_domains(schema):
    model = joint.share_bottom(schema, "tab", tower_units=(5,))
    kernel = model.get_layer("tower_0").kernel.numpy()
    np.testing.assert_array_equal(kernel, kernel[:1].repeat(4, axis=0))
    assert kernel.std() > 0.1


def test_a_field_with_hundreds_of_values_can_be_the_domain(schema):
    fields = [tf_ctr.Categorical("movie", range(500)), tf_ctr.Categorical("user", [1])]
    wide = tf_ctr.Schema(fields)
    features = {"movie": np.arange(2, 502), "user": np.ones(500, "int64")}
    for model in (
        joint.mmoe(wide, "movie", 4, expert_units=(8,), tower_units=(4,)),
        joint.star(wide, "movie", 4, hidden_units=(8,), norm="batch"),
        joint.ple(wide, "movie", 4, expert_units=(8,), tower_units=(4,)),
    ):
        model.compile(tf_ctr.optimizers.SparseAdam(), LOSS, run_eagerly=True)
        loss = model.train_on_batch(features, np.arange(500.0) % 2)
        assert np.isfinite(loss)


# DDTCDR and MiNet: losses


def cross_entropy(logits, labels):
    logits, labels = np.ravel(logits).astype("float64"), np.ravel(labels)
    return np.mean(np.log1p(np.exp(logits)) - labels * logits)


def test_ddtcdr_loss_is_the_dual_loss_of_both_networks(schema):
    model = build("ddtcdr", schema, alpha=0.3, orthogonality=0.01)
    features, labels = one_batch(schema, two_domain_frame())
    model.compile("sgd", LOSS, run_eagerly=True)
    parts = keras.Model(model.input, model.get_layer("dual_logit").input)
    own, other = parts(features)
    kernel = model.get_layer("user_map").kernel.numpy()
    expected = (
        0.7 * cross_entropy(own, labels)
        + 0.3 * cross_entropy(other, labels)
        + 0.01 * np.abs(kernel @ kernel.T - np.eye(len(kernel))).sum()
    )
    assert model.test_on_batch(features, labels) == pytest.approx(expected, rel=1e-5)


def test_ddtcdr_dual_loss_trains_the_other_network(schema):
    """The authors' code detaches it: there, source rows do not train the target."""
    model = build("ddtcdr", schema, alpha=1.0)
    model.compile(keras.optimizers.SGD(1.0), LOSS, run_eagerly=True)
    frame = two_domain_frame()
    towers = model.get_layer("tower_0").kernel
    before = towers.numpy()
    model.train_on_batch(*one_batch(schema, frame[frame.tab == SOURCE]))
    moved = np.any(towers.numpy() != before, axis=(1, 2))
    assert moved.tolist() == [False, True]


def test_ddtcdr_maps_the_users_of_either_domain_to_the_other(schema):
    """The target's network in a source row sees `u X`, the source's `u X^T`."""
    model = build("ddtcdr", schema, alpha=1.0)
    features, _ = one_batch(schema, two_domain_frame())
    user, mapped = keras.Model(
        model.input,
        [
            model.get_layer("user_vector").output,
            model.get_layer("mapped_embeddings").output,
        ],
    )(features)
    kernel = model.get_layer("user_map").kernel.numpy()
    source = two_domain_frame().tab.to_numpy()[:, None] == SOURCE
    expected = np.where(source, user @ kernel, user @ kernel.T)
    np.testing.assert_allclose(mapped[:, : len(kernel)], expected, rtol=1e-4, atol=1e-6)


def test_minet_interests_start_with_the_weights_of_the_authors(schema):
    model = joint.minet(schema, "tab", **ARGUMENTS["minet"])
    biases = {
        name: float(model.get_layer(f"{name}_interest").bias.numpy()[0])
        for name in ("user", "target", "source")
    }
    assert biases == {"user": 1.0, "target": 0.0, "source": 0.0}


def test_dasl_draws_the_users_of_both_tables_together(schema):
    model = build("dasl", schema, alignment=1.0)
    model.compile(keras.optimizers.SGD(0.3), LOSS, run_eagerly=True)
    features, labels = one_batch(schema, two_domain_frame())

    def distance():
        source, target = (
            model.get_layer(f"user_{side}_embedding").embeddings.numpy()[2:]
            for side in ("source", "target")
        )
        mapped = source @ model.get_layer("user_map").kernel.numpy()
        norms = np.linalg.norm(mapped, axis=1) * np.linalg.norm(target, axis=1)
        return np.mean(1 - np.sum(mapped * target, axis=1) / norms)

    before = distance()
    for _ in range(20):
        model.train_on_batch(features, labels)
    assert distance() < before / 2


# Growing


def test_new_ids_get_rows_in_the_tables_of_both_domains(name, schema):
    """Also where the domain chooses which ids a table looks up."""
    frame = two_domain_frame().assign(user="new", item=999)
    new = schema.extend(frame)
    model = build(name, schema)
    grown = grow(model, schema, new)
    before = model(one_batch(schema, frame)[0])
    np.testing.assert_array_equal(grown(one_batch(new, frame)[0]), before)
    rows = {
        layer.name: layer.input_dim
        for layer in grown.layers
        if isinstance(layer, Embedding)
    }
    for table, count in rows.items():
        assert count == new.field(table.split("_")[0]).table_size, table


def test_a_new_domain_is_refused_where_domains_have_weights():
    fields = [tf_ctr.Categorical("user", ["ann"]), tf_ctr.Categorical("tab")]
    old = tf_ctr.Schema(fields).fit(pd.DataFrame({"user": ["ann"], "tab": [1]}))
    new = old.extend(pd.DataFrame({"user": ["ann"], "tab": [4]}))
    model = joint.share_bottom(old, "tab", 4, tower_units=(3,))
    with pytest.raises(ValueError, match="the 3 domains that 'tower_0' has weights"):
        grow(model, old, new)


# DASL: the states


def test_dasl_states_are_computed_without_cudnn(schema):
    """cuDNN takes neither empty histories nor padding that comes first; both occur."""
    model = build("dasl", schema)
    for name in ("target_clicks_states", "source_clicks_states"):
        assert model.get_layer(name).use_cudnn is False


def test_a_hidden_layer_with_two_outputs_is_not_a_site(schema):
    model = build("dasl", schema)
    with pytest.raises(ValueError, match=r"Received: \['attention'\], which have"):
        ctnet(model)
    assert ctnet(model, sites=("tower_0", "tower_1")).get_layer("tower_1_adapter")
