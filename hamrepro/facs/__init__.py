"""Procedural faces: drawn people whose expressions are driven by facial action units."""
