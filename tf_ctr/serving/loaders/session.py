"""A version in a TF 1 session of this process, as TF Serving loads and runs it."""

import contextlib
import os
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from tf_ctr.serving.loaders.loader import Loader, RefusedError
from tf_ctr.serving.version import DAMAGE, damaged


class SessionLoader(Loader):
    """A version loaded in this process.

    The initialisation of the SavedModel fills its lookup tables, as in the server.

    Args:
        version: A version directory.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.
    """

    def __init__(self, version: str | os.PathLike) -> None:
        super().__init__(version)
        # On the CPU: products of a GPU are of reduced precision.
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            with self._session.graph.as_default(), _quiet():
                self.meta_graph = tf.compat.v1.saved_model.load(
                    self._session, ["serve"], str(self.version)
                )
        except DAMAGE as error:
            self.close()
            raise damaged(self.version, error) from error

    def close(self) -> None:
        """Frees the weights and tables."""
        self._session.close()

    def _run(
        self, feeds: Mapping[str, np.ndarray], fetches: Mapping[str, str]
    ) -> dict[str, np.ndarray]:
        try:
            return self._session.run(fetches, feeds)
        except (tf.errors.OpError, ValueError) as error:
            raise RefusedError(error) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences TensorFlow's advice to load eagerly, which the server does not."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
