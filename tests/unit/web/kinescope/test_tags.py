"""Tags and domains of the Kinescope dialect."""

from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Make


async def test_tags(client: Client, make_video: Make) -> None:
    await make_video(tags=["cats"])
    made = await asked(client, "POST", "/v1/tags", {"tag": "tag1"})
    assert (made["tag"], made["archived"], made["video_count"]) == ("tag1", False, 0)
    assert (await refused(client, "POST", "/v1/tags", {"tag": "tag1"}))[:2] == (400, 400201)

    listed = await asked(client, "GET", "/v1/tags?order=video_count.desc")
    assert [each["tag"] for each in listed["data"]] == ["cats", "tag1"]
    assert listed["meta"]["pagination"]["total"] == 2
    assert [each["tag"] for each in (await asked(client, "GET", "/v1/tags?q=CAT"))["data"]] == ["cats"]
    assert (await asked(client, "GET", "/v1/tags?page=2&per_page=1"))["data"][0]["tag"] == "tag1"

    changed = await asked(client, "PUT", f"/v1/tags/{listed['data'][0]['id']}", {"tag": "dogs", "archived": True})
    assert (changed["tag"], changed["archived"], changed["video_count"]) == ("dogs", True, 1)
    assert (await refused(client, "PUT", f"/v1/tags/{made['id']}", {"tag": "dogs"}))[:2] == (400, 400201)
    assert await asked(client, "DELETE", f"/v1/tags/{made['id']}") == {"success": True}
    assert (await refused(client, "DELETE", f"/v1/tags/{made['id']}"))[:2] == (404, 404404)
    assert (await refused(client, "DELETE", "/v1/tags/nonsense"))[:2] == (400, 400301)
    assert (await refused(client, "GET", "/v1/tags?order=x"))[:2] == (400, 400216)


async def test_domains(client: Client) -> None:
    made = await asked(client, "POST", "/v1/privacy-domains", {"domain": "Test.ru"})
    assert (made["domain"], made["archived"]) == ("test.ru", False)
    assert await asked(client, "GET", "/v1/privacy-domains") == [made]
    path = f"/v1/privacy-domains/{made['id']}"
    changed = await asked(client, "PUT", path, {"domain": "test.ru", "archived": True})
    assert changed["archived"] is True
    assert changed["archived_at"] is not None
    assert (await refused(client, "POST", "/v1/privacy-domains", {"domain": "test.ru"}))[:2] == (400, 400201)
    for domain in ("", "a b", "http://x", "-a.example", "a-.example", "a.-b", "a" * 64, "a." * 126 + "aa"):
        assert (await refused(client, "POST", "/v1/privacy-domains", {"domain": domain}))[:2] == (400, 402402)
    assert await asked(client, "DELETE", path) == {"success": True}
    assert (await refused(client, "PUT", path, {"domain": "a.example"}))[:2] == (404, 404404)
