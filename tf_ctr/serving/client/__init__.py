"""Clients of TF Serving: rows in, click probabilities out.

`GrpcClient` is the fast one; `RestClient` is for networks that only let HTTP through.
Both have the methods of `Client`: `predict`, `classify` and `regress` take *rows* (a
frame, dicts or columns); `signatures` and `status` tell what is served. `Overloaded` is
raised by a call that a busy server turns away.
"""

from tf_ctr.serving.client.base import Client
from tf_ctr.serving.client.failures import Overloaded
from tf_ctr.serving.client.grpc import GrpcClient
from tf_ctr.serving.client.rest import RestClient

__all__ = ["Client", "GrpcClient", "Overloaded", "RestClient"]


def __dir__() -> list[str]:
    return [*__all__]
