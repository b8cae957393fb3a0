"""The REST API under /v1 and /v2, in the Kinescope dialect: one module for each resource.

In charge of: translating between that dialect's JSON and the rows and services that the API at the root has too. It
must not know more of a rule than those; what the dialect has and they lack is built below, as everything else.

    shapes       snake_case bodies, queries and answers; `Data` and `Listed`, the envelopes; `Moment`, `Id`
    errors       problems as {"error": {"code", "message", "detail"}}; used by the middleware for whatever is asked here
    paging       page, per_page and order of lists
    identifiers  UUIDs of objects: the same number that our ids write in base58 behind a prefix
    resources    the list of all operations

A resource is a module like those of `web.api`, with three things of its own:

    operations = kinescope_operations("Kinescope: tags")        # paths name ids as identifiers.PATH_IDS has them

    class TagAnswer(Answer):                                    # of kinescope.shapes, not of web.shapes
        id: Id                                                  # built from our id, written as a UUID
        created_at: Moment

    class TagQuery(PageQuery):                                  # of kinescope.paging
        SORTABLE = ("created_at", "title")                      # our names of columns are the keys of the repository's

    @operations.get("/v1/tags", "List tags", scope="videos:read")
    async def list_all(call: Call, query: TagQuery) -> Listed[TagAnswer]:
        page = await tags.page(transaction, call.project_id, query.paging())
        return listed(page, [_answer(row) for row in page.rows])

    @operations.get("/v1/tags/{tag_id}", "Show a tag", scope="videos:read")
    async def show(call: Call, tag_id: str) -> Data[TagAnswer]: …   # `tag_id` is canonical: prefixed, base58

    @operations.delete("/v1/tags/{tag_id}", "Delete a tag", scope="videos:write")
    async def delete(call: Call, tag_id: str) -> Done: …            # {"data": {"success": true}}

Then its `operations` go into `resources.OPERATIONS`. What succeeds is 200, whatever was made. Raise the `Problem`s that
the rest of the server raises; a code that deserves a number of the dialect gets a row in `errors`. Ids within a body
are `Id` fields too: `identifiers.canonical("vi", text)` makes ours of them.
"""
