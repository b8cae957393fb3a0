"""Durable work: ordered in the transaction of the fact that asks for it, begun at its commit, resumed after a crash.

The row in `jobs` is the order, and its id is the id of the workflow that carries it out. What a crash left between
the commit and the start, the dispatcher finds in the table, at start-up and every minute.

Exactly once: an order, with the fact that it was committed with; the workflow of an order; the end of a job together
with what its kind says of a failure, one transaction. At least once: a step. A finished step is not repeated, one
that a crash cut off runs again, so a step must bear to be repeated.

`jobs.Jobs` is the port. dbos is known to `engine` alone; media, storage and HTTP are not known here at all.
"""
