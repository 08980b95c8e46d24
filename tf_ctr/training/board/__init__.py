"""What `tf_ctr.training.TensorBoard` writes besides the curves of Keras."""
