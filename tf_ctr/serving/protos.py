"""The messages of TF Serving, imported when first needed."""

import importlib

from tf_ctr.errors import explain


def load(name):
    """Returns a module of the package `tensorflow-serving-api`.

    Args:
        name: Its name in `tensorflow_serving`, e.g. `"apis.predict_pb2"`.

    Raises:
        ImportError: If the package is not installed.

    Example:

    >>> load("apis.model_pb2").ModelSpec(name="dcn").name
    'dcn'
    """
    try:
        return importlib.import_module(f"tensorflow_serving.{name}")
    except ImportError as error:
        raise ImportError(
            explain(
                "the package tensorflow-serving-api, for the messages of TF Serving",
                error,
                "pip install 'tf_ctr[serving]'",
            )
        ) from error
