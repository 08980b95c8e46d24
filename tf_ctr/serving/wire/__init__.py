"""What travels between a client and TF Serving, each format in one place.

- `signatures`: the signatures of a version, and rows as the inputs of each;
- `protos`: inputs as gRPC requests, and back;
- `json`: inputs as the JSON of the REST API, and back.

One word for one thing: *columns* are raw rows, `{field: array [N, ...]}`; *inputs* are
the tensors of a request, `{input: array}`; *outputs* are the tensors of an answer.
"""
