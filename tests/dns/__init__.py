"""Tests of the DNS layer."""
