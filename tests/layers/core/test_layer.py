"""What a layer writes into its configuration."""

import keras
import numpy as np

from tf_ctr.layers import CrossLayer, GLUAdapter, TwinEmbedding
from tf_ctr.layers.core.layer import Layer


def test_config_holds_arguments_that_keras_cannot_derive():
    policy = keras.DTypePolicy("mixed_bfloat16")
    config = GLUAdapter(np.int64(3), dtype=policy).get_config()
    assert config["units"] == 3
    assert GLUAdapter.from_config(config).dtype_policy == policy


def test_a_subclass_without_a_constructor_has_the_config_of_its_parent():
    config = TwinEmbedding(5, 2, "ones").get_config()
    assert (config["input_dim"], config["output_dim"]) == (5, 2)


class ScaledCross(CrossLayer):
    """Hands the arguments of `CrossLayer` on."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor


class PrivateCross(CrossLayer):
    """Writes its own configuration, and keeps no attribute `factor`."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self._factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": self._factor}


class AnyCross(CrossLayer):
    """Hands all arguments on, by position too, as subclasses often do."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


def test_config_of_a_subclass_with_any_arguments_is_that_of_its_parent():
    config = AnyCross("zeros", "ones").get_config()
    assert config["bias_initializer"]["class_name"] == "Ones"
    assert AnyCross.from_config(config).get_config() == config


def test_config_of_a_subclass_has_the_arguments_passed_to_its_parent():
    for kind in (ScaledCross, PrivateCross):
        layer = kind(factor=2.0, kernel_initializer="ones")
        config = layer.get_config()
        assert config["factor"] == 2.0
        assert config["kernel_initializer"]["class_name"] == "Ones"
        assert kind.from_config(config).get_config() == config


def test_config_has_the_current_attributes_of_the_layer():
    class Dated(Layer):
        def __init__(self, date, **kwargs):
            super().__init__(**kwargs)
            self.date = date

    layer = Dated("2022-04-24")
    layer.date = "2022-04-25"
    assert layer.get_config()["date"] == "2022-04-25"
