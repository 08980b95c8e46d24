"""Layers that every backbone needs: tables, bias, pooling, parallel dense."""
