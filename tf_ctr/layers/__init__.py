"""Keras layers that plug into functional models, one per file."""

from tf_ctr.layers.cross import CrossLayer
from tf_ctr.layers.embedding import Embedding
from tf_ctr.layers.pooling import MaskedPooling
from tf_ctr.layers.route import Route
from tf_ctr.layers.router import GumbelRouter

__all__ = ["CrossLayer", "Embedding", "GumbelRouter", "MaskedPooling", "Route"]
