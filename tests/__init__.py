"""Tests of poolsift; `tests.reference` holds the slow twins."""
