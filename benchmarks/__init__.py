"""Workloads, peers and goals: `python -m benchmarks [ids] [--smoke] [--json FILE]`."""
