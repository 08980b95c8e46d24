"""Clients of TF Serving: rows in, click probabilities out, by gRPC or REST.

They need the package `tensorflow-serving-api` (`pip install 'tf_ctr[serving]'`), which
is imported when a client is made.
"""

from tf_ctr.serving.client.grpc import GrpcClient
from tf_ctr.serving.client.rest import RestClient

__all__ = ["GrpcClient", "RestClient"]
