"""The REST API from outside: what the command line and programs beside a server call it with.

In charge of requests, their answers and refusals, and of sending files that may be resumed. It must not know what is
behind the API, nor how answers are shown: rows, settings and terminals are others' matters.
"""
