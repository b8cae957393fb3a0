from datetime import UTC, datetime, timedelta, timezone

from server.protocols.tus import answers
from server.protocols.tus.admission import Upload

EXPIRES = datetime(2014, 6, 25, 18, 0, 0, tzinfo=timezone(timedelta(hours=2)))
UPLOAD = Upload("uploading", 70, 100, EXPIRES)
V = {"Tus-Resumable": "1.0.0"}
DATE = {"Upload-Expires": "Wed, 25 Jun 2014 16:00:00 GMT"}


def test_options_tells_what_is_spoken():
    assert answers.options(5) == answers.Answer(
        204,
        {
            **V,
            "Tus-Version": "1.0.0",
            "Tus-Extension": "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,"
            "concatenation",
            "Tus-Max-Size": "5",
            "Tus-Checksum-Algorithm": "sha1,sha256,md5",
        },
    )


def test_created_names_the_place_and_what_was_kept():
    assert answers.created("/tus/x", UPLOAD) == answers.Answer(
        201, {**V, "Location": "/tus/x", "Upload-Offset": "70", **DATE}
    )


def test_head_is_never_cached():
    assert answers.head(UPLOAD, {"a": "b"}) == answers.Answer(
        200,
        {
            **V,
            "Upload-Offset": "70",
            "Upload-Length": "100",
            "Upload-Metadata": "a Yg==",
            **DATE,
            "Cache-Control": "no-store",
        },
    )


def test_head_of_an_untold_length_says_so():
    headers = answers.head(Upload("created", 0, None), {}).headers

    assert headers == {**V, "Upload-Offset": "0", "Upload-Defer-Length": "1", "Cache-Control": "no-store"}


def test_appended_tells_the_new_offset():
    assert answers.appended(UPLOAD) == answers.Answer(204, {**V, "Upload-Offset": "70", **DATE})


def test_a_finished_upload_does_not_expire():
    assert answers.appended(Upload("uploaded", 9, 9)) == answers.Answer(204, {**V, "Upload-Offset": "9"})


def test_a_partial_upload_says_what_it_is():
    headers = answers.head(Upload("uploading", 3, 9, None, "partial"), {}).headers

    assert (headers["Upload-Concat"], headers["Upload-Offset"]) == ("partial", "3")


def test_a_final_upload_has_no_offset_until_it_is_whole():
    final = "final;/tus/pu1/a /tus/pu2/b"
    joining = answers.head(Upload("created", 9, 9, None, final), {}).headers
    joined = answers.head(Upload("uploaded", 9, 9, None, final), {}).headers

    assert "Upload-Offset" not in joining
    assert "Upload-Offset" not in answers.created("/tus/x", Upload("created", 9, 9, None, final)).headers
    assert (joining["Upload-Length"], joining["Upload-Concat"]) == ("9", final)
    assert (joined["Upload-Offset"], joined["Upload-Concat"]) == ("9", final)


def test_deleted_is_empty():
    assert answers.deleted() == answers.Answer(204, V)


def test_dates_are_in_gmt():
    assert answers.http_date(datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)) == "Sun, 06 Nov 1994 08:49:37 GMT"
