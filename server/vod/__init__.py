"""Videos on demand: the durable pipeline from an uploaded file to something watchable, and its serving.

`pipeline` is the job; `presentations` keeps what is watched in memory. It must not know HTTP, or who may watch.
"""
