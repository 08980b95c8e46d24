"""The formats of requests: protos, JSON and names of signatures."""
