"""What people look at in a notebook is a table, and short as text."""

import tf_ctr
from tf_ctr.surgery.report import LayerReport, WeightReport


def test_a_schema_is_a_table_in_a_notebook():
    schema = tf_ctr.Schema(
        [tf_ctr.Categorical("item", vocabulary=["<a>"]), tf_ctr.Numeric("price")],
        label="click",
        group="user",
    )
    shown = schema._repr_html_()
    assert "Schema of 2 fields, not fitted; label: click; group: user" in shown
    assert "<td>Categorical</td>" in shown and "<a>" not in shown


def test_a_weight_report_is_a_table_and_short_as_text():
    layers = (LayerReport("deep_0", "copied"), LayerReport("logit", "new"))
    report = WeightReport(layers, scales=("price: 2 was 3",))
    assert repr(report) == (
        "WeightReport(1 copied, 0 resized, 1 new, 0 skipped, 0 unused)"
    )
    shown = report._repr_html_()
    assert "<td>deep_0</td>" in shown and "other scale: price: 2 was 3" in shown
