"""The `sluice` command: what operators type.

In charge of options, tables, progress bars and exit codes: 0 it is done, 1 it could not be done (sentences on
standard error say why), 2 the command was wrong. Commands about videos, live streams, webhooks and jobs are calls of
the API (`server.client`) and know no more than its answers; those about the server itself are in `server.app`.
"""

from server.cli.commands import main

__all__ = ["main"]
