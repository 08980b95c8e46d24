"""The ways to load a version: this process, a fresh one, a TF 1 session, and C++."""
