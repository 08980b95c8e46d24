"""The REST paths of the stand-in server, by the JSON rules of TF Serving."""

import json
import re
import urllib.parse

import numpy as np
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from tf_ctr.serving.version import signatures
from tf_ctr.serving.wire.json import read_examples, read_predict

PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
    r"(?:(:predict|:classify|:regress)|(/metadata))?"
)


def answer(server, path, body):
    """Returns the answer: a JSON object, or a message to convert to one."""
    found = PATH.fullmatch(urllib.parse.unquote(path))
    if found is None:
        raise ValueError(f"Malformed request: {path}")
    name, version, label, method, metadata = found.groups()
    version, loaded = server.find(name, version and int(version), label)
    if metadata:
        return _metadata(server.metadata(version, loaded))
    if method is None:
        return json_format.MessageToDict(
            server.status(name), preserving_proto_field_name=True
        )
    try:
        request = json.loads(body)
    except ValueError as error:
        raise ValueError(f"JSON Parse error: {error}") from error
    server.admit()
    return METHODS[method](loaded, request)


def _metadata(response):
    found = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(found)
    as_dict = json_format.MessageToDict(found, preserving_proto_field_name=True)
    return {"metadata": {"signature_def": as_dict}}


def _predict(loaded, request):
    found = signatures(loaded.meta_graph)
    if (name := request.get("signature_name", "serving_default")) not in found:
        raise ValueError(f'Serving signature name: "{name}" not found in signature def')
    name, inputs = read_predict(request, found)
    outputs = {key: _json(values) for key, values in loaded(name, inputs).items()}
    single = next(iter(outputs.values())) if len(outputs) == 1 else None
    if "inputs" in request:
        return {"outputs": outputs if single is None else single}
    rows = [
        dict(zip(outputs, values, strict=True))
        for values in zip(*outputs.values(), strict=True)
    ]
    return {"predictions": rows if single is None else single}


def _classify(loaded, request):
    outputs = loaded(*_examples(loaded, request, "classes"))
    pairs = zip(_json(outputs["classes"]), _json(outputs["scores"]), strict=True)
    return {"results": [list(zip(*pair, strict=True)) for pair in pairs]}


def _regress(loaded, request):
    outputs = loaded(*_examples(loaded, request, "outputs"))
    return {"results": _json(outputs["outputs"].reshape(-1))}


def _examples(loaded, request, output):
    """The inputs of `:classify` and `:regress`; 400 for a signature of another kind."""
    name, inputs = read_examples(request)
    found = signatures(loaded.meta_graph)
    if name not in found:
        raise ValueError(f"No signature was found with the name: {name}")
    if set(found[name].inputs) != {"inputs"} or output not in found[name].outputs:
        raise ValueError("Expected one input Tensor.")
    return name, inputs


def _json(values):
    if values.dtype.kind == "O":
        flat = [each.decode() for each in values.reshape(-1)]
        return np.array(flat).reshape(values.shape).tolist()
    return values.tolist()


METHODS = {":predict": _predict, ":classify": _classify, ":regress": _regress}
