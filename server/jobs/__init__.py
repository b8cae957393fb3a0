"""Durable work: ordered in the transaction of the fact that asks for it, started at once, resumed after a crash.

The row in `jobs` is the order and its id is the workflow's, so that starting twice is starting once. What a crash left
between the commit and the start, `reconcile` starts. A job runs at least once; a finished step of it is not run again.
The engine is dbos, kept behind `engine`; who orders or does work sees `Jobs` and `JobContext` only.
"""
