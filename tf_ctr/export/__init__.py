"""A trained model and its schema, written as a SavedModel for TF Serving.

What `export(model, schema, "savedmodels/dcn")` writes:

```
savedmodels/dcn/
  README.md               how to serve it with Docker
  models.config           the labelled versions: `stable` and `canary`
  monitoring.config       Prometheus metrics
  session.config          memory of the GPU
  1/
    saved_model.pb        lookups of the raw values, then the model
    variables/            the weights that the functions read, each once
    fingerprint.pb        written by TensorFlow
    batching_params.pbtxt the allowed batch sizes
    assets.extra/
      tf_serving_warmup_requests   requests that the server runs before it serves
      requests/           one sample per signature: `*.json` for REST, `*.pbtxt` for
                          gRPC (`tensorflow.serving.PredictRequest` and its like)
      model.keras         the model with its optimizer, for continual training
      schema.json         the schema it was trained with
      export.json         signatures, item fields, batch sizes, differences
      served.keras        only if other scores than those of model.keras are served
```

The signatures; `click` is the probability, float32:

| name | inputs | outputs |
|---|---|---|
| `serving_default` | each field raw, `[B]` or `[B, T]` | `click [B]` |
| `string_ids` | the same, with integer ids as strings | `click [B]` |
| `predict_examples` | `examples`: serialized tf.Example `[B]` | `click [B]` |
| `regress` | `inputs`: serialized tf.Example `[B]` | `outputs [B]` |
| `classify` | `inputs`: serialized tf.Example `[B]` | `classes`, `scores [B, 2]` |
| `candidates` | users `[R]`, `[R, T]`, items `[R, N]`, `[R, N, T]` | `click [R, N]` |

`string_ids` is there if the schema has integer ids. `candidates` scores N items for
each of R users, and computes once what depends on the user alone; it is there if the
schema has fields of users and of items.

Two functions stay apart in the graph: `encode`, raw values to ids on the CPU, and
`predict_encoded`, ids to scores, whose operations all run on a GPU.
`tf_ctr.export.ops_placement(version)` lists them.

The newest version is the `canary`. The first one is `stable` too, and stays it until
someone moves the label. `python -m tf_ctr.export --help` has the commands: `check`,
`parity`, `diff`, `promote`, `rollback`. A promotion writes `promotions.json` beside the
versions, and labels the version that it takes the place of `previous`.

Several processes may export to a directory and promote in it at the same time: each
change of its labels waits for the lock `.lock`, which is there for that moment only.
"""

from tf_ctr.export.saved_model import export
from tf_ctr.serving.placement import ops_placement, placement_report

__all__ = ["export", "ops_placement", "placement_report"]
