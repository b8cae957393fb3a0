"""Every event there is, by name: what the feed lists, what webhooks subscribe to, what the README documents.

An event of a version of a video, while its video shows another one, is `video.version.<what>` for `video.<what>`.
"""

from collections.abc import Mapping

VERSION = "video.version."

NAMES: Mapping[str, str] = {
    "upload.created": "An upload was begun.",
    "upload.uploading": "Its first bytes came.",
    "upload.uploaded": "The last byte of an upload is stored.",
    "upload.aborted": "An upload was given up, by its sender or because it failed.",
    "upload.expired": "An upload was not finished in time.",
    "upload-token.created": "An upload token was made.",
    "upload-token.deleted": "An upload token was deleted.",
    "upload-session.created": "A URL was made that takes one file.",
    "upload-session.used": "A file began to come to such a URL; `videoId` names what it becomes.",
    "upload-session.expired": "No file came to such a URL in time.",
    "upload-session.deleted": "Such a URL was deleted.",
    "video.created": "A video was made.",
    "video.updated": "Facts of a video were changed; `changed` names them.",
    "video.discarded": "A video was deleted and can be taken back.",
    "video.restored": "A discarded video was taken back.",
    "video.deleted": "A video is gone.",
    "video.erased": "The files of a deleted video are gone.",
    "video.expired": "A video is deleted by the rules of its project or live stream.",
    "video.pending": "A video waits for a source again.",
    "video.uploading": "The source of a video is on its way.",
    "video.pre-processing": "The source is whole and is being examined.",
    "video.processing": "A video is being made.",
    "video.playable": "A video can be watched, in at least one quality.",
    "video.rendition.encoding": "The first segment of a quality is there.",
    "video.rendition.ready": "A quality is whole.",
    "video.rendition.failed": "A quality could not be made.",
    "video.rendition.waiting": "A quality that failed is made again.",
    "video.done": "All qualities of a video are there.",
    "video.error": "A video could not be made; `error` says why.",
    "video.aborted": "The source of a video did not come.",
    "video.clipped": "A part of a video or of a live stream became a video.",
    "video.archived": "A video was put away: it can't be watched until it has a source again.",
    "video.joined": "A video was put together of several.",
    "video.captions.created": "Captions were added.",
    "video.captions.updated": "Captions were changed.",
    "video.captions.deleted": "Captions were removed.",
    "video.chapters.created": "Chapters were added.",
    "video.chapters.updated": "Chapters were changed.",
    "video.chapters.deleted": "Chapters were removed.",
    "live-stream.created": "A live stream was made.",
    "live-stream.updated": "Facts of a live stream were changed; `changed` names them.",
    "live-stream.deleted": "A live stream is gone.",
    "live-stream.enabled": "A live stream lets publishers in again.",
    "live-stream.disabled": "A live stream lets no publisher in.",
    "live-stream.connected": "A publisher came in.",
    "live-stream.disconnected": "The encoder that stood by is gone.",
    "live-stream.rejected": "A publisher was sent away; `reason` says why.",
    "live-stream.broadcasting": "A live stream is on air: it can be watched.",
    "live-stream.interrupted": "The publisher is gone and may return.",
    "live-stream.resumed": "The publisher returned in time.",
    "live-stream.ended": "A broadcast is over.",
    "live-stream.idle": "A live stream is off air.",
    "live-stream.recorded": "A recording became a video; `incomplete`: it has gaps, the disk did not take all of it.",
    "live-stream.recording.started": "Recording started.",
    "live-stream.recording.stopped": "Recording stopped.",
    "live-stream.key.reset": "A stream key was replaced.",
    "live-stream.ingest.switched": "Another encoder is on air.",
    "live-stream.health.warning": "A warning of a live stream's health began or is over.",
    "live-stream.restream.status": "A restream target connected, failed or stopped.",
    "live-stream.source.status": "The source that is pulled connected or failed.",
    "live-stream.schedule.started": "The time of a live stream has come.",
    "live-stream.schedule.stopped": "The time of a live stream is over.",
    "live-stream.ladder.refused": "There is no room to transcode a broadcast.",
    "live-stream.ladder.interrupted": "The transcoder of a broadcast failed and is started again.",
    "live-stream.rendition.dropped": "A live quality was given up.",
    "broadcast.connecting": "A broadcast began.",
    "broadcast.live": "A broadcast can be watched.",
    "broadcast.interrupted": "A broadcast waits for its publisher.",
    "broadcast.ended": "A broadcast is over.",
    "broadcast.recorded": "A broadcast became a video.",
    "folder.created": "A folder was made.",
    "folder.updated": "A folder was renamed.",
    "folder.moved": "A folder is in another folder now.",
    "folder.deleted": "A folder was deleted; `lifted` counts what moved to where it was.",
    "custom-field.created": "A custom field was made.",
    "custom-field.updated": "The description or the choices of a custom field were changed.",
    "custom-field.deleted": "A custom field was deleted, with the values that videos had of it.",
    "collection.created": "A collection was made.",
    "collection.updated": "A collection was changed; `changed` names what.",
    "collection.deleted": "A collection was deleted; its videos stay.",
    "collection.videos.added": "Videos were added to a collection.",
    "collection.videos.moved": "Videos have another place in a collection.",
    "collection.videos.removed": "A video was taken out of a collection.",
    "player.created": "A player was made.",
    "player.updated": "A player was changed.",
    "player.deleted": "A player was deleted.",
    "summary.created": "A summary of a video was made.",
    "summary.updated": "A summary was changed.",
    "summary.deleted": "A summary was deleted.",
    "watermark.created": "A watermark was uploaded.",
    "watermark.deleted": "A watermark was deleted.",
    "project.retention": "The rules by which videos of a project are deleted were changed.",
    "oauth-app.created": "A program that acts for people was registered.",
    "oauth-app.updated": "A registered program was changed.",
    "oauth-app.rotated": "A registered program got a new secret.",
    "oauth-app.deleted": "A registered program was deleted, and what people allowed it.",
    "oauth-grant.created": "The holder of an API key let a program act for them.",
    "oauth-grant.narrowed": "A program may do less for somebody, as less is what it may ask for now.",
    "oauth-grant.revoked": "A program acts for somebody no more; `reason` says why.",
    "key.created": "An API key was made.",
    "key.updated": "An API key was changed.",
    "key.rotated": "An API key got a new secret.",
    "key.revoked": "An API key opens nothing any more.",
    "project.created": "A project was made.",
    "project.updated": "A project was renamed.",
    "project.deleted": "A project was deleted; the default project is told.",
    "playlist.created": "A playlist was made.",
    "playlist.updated": "A playlist was changed, or what is in it.",
    "playlist.deleted": "A playlist was deleted.",
    "tag.created": "A tag was made.",
    "tag.updated": "A tag was renamed, put away or taken back.",
    "tag.deleted": "A tag was deleted.",
    "privacy-domain.created": "A domain was noted that videos may be shown on.",
    "privacy-domain.updated": "Such a domain was changed.",
    "privacy-domain.deleted": "Such a domain was deleted.",
    "file-request.created": "A page was opened on which others upload.",
    "file-request.updated": "Such a page was changed, closed or opened again.",
    "file-request.deleted": "Such a page is gone.",
    "drm-callback.set": "An address was set that is asked before a key is given out.",
    "drm-callback.deleted": "Such an address was deleted.",
    "delivery-zone.created": "Rules of delivery were made.",
    "delivery-zone.updated": "Rules of delivery were changed.",
    "delivery-zone.deleted": "Rules of delivery were deleted.",
    "playback-token.revoked": "A playback token opens nothing any more.",
    "playback-id.created": "A video or live stream got a playback id.",
    "playback-id.updated": "A playback id was changed; `changed` names what.",
    "playback-id.rotated": "Another playback id takes the place of one, as `playbackIdNew`.",
    "playback-id.deleted": "A playback id opens nothing any more.",
    "playback-restriction.created": "A playback restriction was made.",
    "playback-restriction.updated": "A playback restriction was changed; `changed` names what.",
    "playback-restriction.deleted": "A playback restriction was deleted.",
    "signing-key.created": "A signing key was made.",
    "signing-key.updated": "A signing key was renamed.",
    "signing-key.deleted": "A signing key was deleted: its tokens open nothing any more.",
    "webhook.created": "A webhook was made.",
    "webhook.updated": "A webhook was changed; `changed` names what.",
    "webhook.deleted": "A webhook was deleted.",
    "webhook.enabled": "A webhook is delivered to again.",
    "webhook.disabled": "A webhook is delivered to no more; `reason` says why.",
    "webhook.secret.rotated": "A webhook has a new secret.",
    "webhook.ping": "Somebody tried a webhook; it goes to that one alone.",
}


OF_VERSIONS = tuple(VERSION + name.removeprefix("video.") for name in NAMES if name.startswith("video."))


def known(name: str) -> bool:
    return name in NAMES or (name.startswith(VERSION) and "video." + name.removeprefix(VERSION) in NAMES)


def matches(pattern: str, name: str) -> bool:
    """`*` stands for any characters, dots too. Not fnmatch, whose expressions can be made to take for ever."""
    first, *middle = pattern.split("*")
    if not middle:
        return pattern == name
    *middle, last = middle
    end = len(name) - len(last)
    if not (name.startswith(first) and name.endswith(last) and end >= len(first)):
        return False
    at = len(first)
    for part in middle:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def names_any(pattern: str) -> bool:
    """Whether the pattern, or the name, is of use: a typing error names nothing."""
    return known(pattern) or any(matches(pattern, name) for name in (*NAMES, *OF_VERSIONS))
