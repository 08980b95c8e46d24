"""Which operations of a version a GPU can run, and where they are placed."""

import pytest
import tensorflow as tf

from tf_ctr.export import ops_placement, placement_report


def test_the_dense_part_has_a_gpu_kernel_for_every_operation(exported_clicks):
    frame = ops_placement(exported_clicks[1])
    assert frame[frame.part == "predict_encoded"].gpu_kernel.all()
    assert {"MatMul", "ResourceGather"} <= set(frame[frame.gpu_kernel].op)
    encode = frame[frame.part == "encode"]
    assert not {"MatMul", "ResourceGather"} & set(encode.op)
    without = encode[~encode.gpu_kernel].set_index("op")["count"]
    # A table of users, one of items for two fields, one of tags; devices are hashed.
    assert (without["LookupTableFindV2"], without["StringToHashBucketFast"]) == (4, 1)
    # Integers are compared on a GPU, strings are not.
    assert {True, False} == set(encode[encode.op == "Const"].gpu_kernel)
    text = placement_report(exported_clicks[1])
    assert "predict_encoded: 0 of" in text and "LookupTableFindV2 (" in text


def test_the_lookups_are_placed_on_the_cpu_and_the_model_is_not_placed(exported_clicks):
    loaded = tf.saved_model.load(str(exported_clicks[1]))
    devices = {
        part: {
            (node.op, node.device)
            for function in [getattr(loaded, part).concrete_functions[0].graph]
            for node in function.as_graph_def().node
        }
        for part in ("encode", "predict_encoded")
    }
    on = dict(devices["encode"])["LookupTableFindV2"]
    assert on.endswith("CPU:0")
    assert {device for _, device in devices["predict_encoded"]} == {""}


def test_a_saved_model_that_export_did_not_write_has_no_placement(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))
    with pytest.raises(ValueError, match="the function 'encode'"):
        ops_placement(tmp_path / "1")
