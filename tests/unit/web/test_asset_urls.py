"""URLs of assets, public and private."""

from server.web import asset_urls

BASE = "https://video.example.com"


def test_a_public_video() -> None:
    urls = asset_urls.of_video(BASE, "vi1")

    assert urls.hls == f"{BASE}/vod/vi1/hls/manifest.m3u8"
    assert urls.mp4 == f"{BASE}/vod/vi1/mp4/source.mp4"
    assert urls.thumbnail == f"{BASE}/vod/vi1/thumbnail.jpg"
    assert urls.player == f"{BASE}/embed/vi1"
    assert urls.iframe.startswith(f'<iframe src="{BASE}/embed/vi1" width="100%" height="100%" frameborder="0"')
    assert urls.iframe.endswith("></iframe>")


def test_a_private_one_carries_its_token_in_the_path() -> None:
    urls = asset_urls.of_video(BASE, "vi1", "a.b.c")

    assert urls.hls == f"{BASE}/vod/vi1/token/a.b.c/hls/manifest.m3u8"
    assert urls.mp4 == f"{BASE}/vod/vi1/token/a.b.c/mp4/source.mp4"
    assert urls.thumbnail == f"{BASE}/vod/vi1/token/a.b.c/thumbnail.jpg"
    assert urls.player == f"{BASE}/embed/vi1?token=a.b.c"


def test_a_public_live_stream() -> None:
    urls = asset_urls.of_live_stream(BASE, "li1")

    assert urls.hls == f"{BASE}/live/li1.m3u8"
    assert urls.thumbnail == f"{BASE}/live/li1/thumbnail.jpg"
    assert urls.player == f"{BASE}/embed/li1"
    assert urls.mp4 is None


def test_a_private_live_stream() -> None:
    urls = asset_urls.of_live_stream(BASE, "li1", "a.b.c")

    assert urls.hls == f"{BASE}/live/li1/token/a.b.c/li1.m3u8"
    assert urls.thumbnail == f"{BASE}/live/li1/token/a.b.c/thumbnail.jpg"


def test_the_iframe_is_escaped() -> None:
    assert '"https://h/&quot;&gt;&lt;script&gt;/embed/vi1"' in asset_urls.of_video('https://h/"><script>', "vi1").iframe
