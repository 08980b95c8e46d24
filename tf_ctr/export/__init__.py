"""A trained model and its schema, written as a SavedModel for TF Serving.

What `export(model, schema, "savedmodels/dcn")` writes:

```
savedmodels/dcn/
  README.md               how to serve it with Docker
  models.config           which version is `stable` and which is `canary`
  docker-compose.yml      the same for Docker Compose
  monitoring.config       Prometheus metrics
  batching_pool.config    how many threads the server runs batches with
  session.config          TensorFlow on a GPU
  1/
    saved_model.pb        lookups of the raw values, then the model
    variables/            the weights that the functions read, each once
    fingerprint.pb        written by TensorFlow
    batching_params.pbtxt the allowed batch sizes
    assets.extra/
      tf_serving_warmup_requests   requests that the server runs before it serves
      requests/           one sample per signature: `*.json` for REST, `*.pbtxt` for
                          gRPC (`tensorflow.serving.PredictRequest` and the like)
      model.keras         the model, to train on; optimizer="keep" keeps its optimizer
      schema.json         the schema it was trained with
      export.json         signatures, item fields, batch sizes, differences
      manifest.json       the SHA-256 of every file, checked by whatever reads them
      served.keras        only if the scores served are not those of model.keras
```

The *trained* model is the one that you pass, kept in `model.keras`. The *served* model
gives the same scores by less work, and is what `saved_model.pb` holds. The *reference*
is the model whose scores are served: the trained one, except with static routes. The
*sample* is the raw rows that scores are compared on and requests are made of.

The signatures; `click` is the probability, float32:

| name | inputs | outputs |
|---|---|---|
| `serving_default` | each field raw, `[B]` or `[B, T]` | `click [B]` |
| `string_ids` | the same, with integer ids as strings | `click [B]` |
| `predict_examples` | `examples`: serialized tf.Example `[B]` | `click [B]` |
| `regress` | `inputs`: serialized tf.Example `[B]` | `outputs [B]` |
| `classify` | `inputs`: serialized tf.Example `[B]` | `classes`, `scores [B, 2]` |
| `candidates` | users `[R]`, `[R, T]`, items `[R, N]`, `[R, N, T]` | `click [R, N]` |

With several labels, each is an output by its name in place of `click`, and `regress`
and `classify`, which answer one number per row, are left out.

`string_ids` is there if the schema has integer ids. `candidates` scores N items for
each of R users, and computes the part that depends only on the user once; it is there
if the schema has fields of users and of items.

The graph has two functions apart: `encode`, raw values to ids on the CPU, and
`predict_encoded`, ids to scores, whose operations all run on a GPU.
`tf_ctr.export.ops_placement(version)` lists them.

The first version is `stable` and `canary`. A later one waits in `pending.json` to be
the `canary`, until a command has asked a server whether it is loaded. `tf_ctr --help`
shows the commands for versions, and `tf_ctr.serving` their functions: `check`,
`compare_ways`, `diff`, `promote`, `rollback`, `drop`, `status`. A promotion writes
`promotions.json` beside the versions.

Several processes may export to a directory and promote in it at the same time: each
change of its labels takes the lock `.lock`, a file that is there only meanwhile.

In reading order: `saved_model.py` has `export`; `served.py` prepares the model once,
after `checks.py`; `servable.py` is what TensorFlow saves, with the functions of
`signatures.py` and `string_ids.py`; `server_files.py` and `samples.py` write what the
server reads beside it, `run_server.py` how it is started; `report.py` says what was
done.
"""

from tf_ctr.export.run_server import docker_command
from tf_ctr.export.saved_model import export
from tf_ctr.serving.placement import ops_placement, placement_report

__all__ = ["docker_command", "export", "ops_placement", "placement_report"]


def __dir__() -> list[str]:
    """Lists the public names."""
    return [*__all__]
