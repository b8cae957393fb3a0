"""Whether what a URL leads to is a media file, told by its first bytes; and which pages people take for one."""

from server.media.containers import container_of, words_for
from server.protocols.download import Refused

# Sites whose pages show videos, and give the files to nobody.
SITES = {
    "youtube.com": "YouTube",
    "youtu.be": "YouTube",
    "youtube-nocookie.com": "YouTube",
    "vimeo.com": "Vimeo",
    "dailymotion.com": "Dailymotion",
    "twitch.tv": "Twitch",
    "facebook.com": "Facebook",
    "instagram.com": "Instagram",
    "tiktok.com": "TikTok",
    "x.com": "X",
    "twitter.com": "X",
    "vk.com": "VK",
    "vkvideo.ru": "VK",
    "rutube.ru": "Rutube",
    "bilibili.com": "Bilibili",
    "loom.com": "Loom",
    "drive.google.com": "Google Drive",
    "dropbox.com": "Dropbox",
}
FILES_ONLY = "Give the URL of the file itself."


def refusal(head: bytes, host: str) -> Refused | None:
    """Why a file that begins with `head`, of a host that was named, is not taken."""
    if not head:
        return Refused("source-empty", "The source sent an answer without a byte in it.")
    if container_of(head) is not None:
        return None
    words = words_for(head)
    site = _site(host)
    if site and words.startswith("a web page"):
        return Refused("source-not-media", f"This is a page of {site}, not a media file. {FILES_ONLY}")
    return Refused("source-not-media", f"It leads to {words}. {FILES_ONLY}")


def _site(host: str) -> str | None:
    labels = host.split(".")
    return next((SITES[name] for at in range(len(labels)) if (name := ".".join(labels[at:])) in SITES), None)
