"""Benchmarks, measured from outside through the server's own interfaces: `python -m tests.bench [case …]`.

In charge of what things cost and how long they take, printed as tables. Nothing here asserts a time: a busy machine
must not fail a test.
"""
