"""Tests of the repository itself: floors, exports, version, data tables' readers."""
