"""HTTP: the REST API, its document, health and metrics, and the frame that every other route stands on.

In charge of: parsing and answering requests, authentication, one error shape, CORS, request ids, the access log.
It must not know SQL or paths on disk, and decides nothing that a service below it could decide. aiohttp lives here
and nowhere else.

A request's way: `application` (routing) → `middleware` (id, problems) → `typed` (credentials, rate, validation) or a
raw handler → the answer → `middleware` (headers) → `access_log` (one line, metrics).
"""
