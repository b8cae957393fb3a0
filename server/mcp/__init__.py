"""The Model Context Protocol: what an assistant may do with a library, as tools over the REST API.

In charge of the tools: their names, what they take, what they answer. It must not know how calls of the API travel
(within the server, or over HTTP from a terminal), nor of rows: each tool is calls of public operations with the
caller's own key, so that scopes, tenants, rates, limits and the audit log are the API's, and are the same everywhere.
"""
