"""Measurements of speed beside what people would write instead, in one interleaved run."""
