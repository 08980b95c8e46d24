"""Clients of TF Serving, by gRPC and REST."""
