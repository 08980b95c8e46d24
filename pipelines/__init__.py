"""Programs that use tf_ctr; run them from the root with `python -m`."""
