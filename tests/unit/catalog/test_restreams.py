"""Entries of the column."""

from server.catalog import restreams


def test_entries_keep_their_ids_where_they_lead_to_the_same_place() -> None:
    known = [restreams.new(name, f"rtmp://{name}/app", "k", name != "b") for name in "abc"]
    wanted = [
        {"name": "new name", "serverUrl": "rtmp://b/app", "streamKey": "k"},
        {"name": "d", "serverUrl": "rtmp://d/app", "streamKey": "k"},
    ]
    kept, fresh = restreams.merged(known, wanted)
    assert kept == {**known[1], "name": "new name"}
    assert fresh["enabled"]
    assert fresh["restreamId"] not in {each["restreamId"] for each in known}
