import keras
import pytest


@pytest.fixture(autouse=True)
def eager_models(monkeypatch):
    """Keras runs every model eagerly: at toy size, tracing takes most of the time.

    The main job runs in graph mode in `.ci/run`, and exported models are graphs anyway.
    """
    always = property(lambda model: True, lambda model, value: None)
    monkeypatch.setattr(keras.Model, "run_eagerly", always)
