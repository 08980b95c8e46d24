"""Layers of models with several labels of one row (`tf_ctr.joint`)."""
