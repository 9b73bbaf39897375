"""Whole jobs: from files to published verdicts."""
