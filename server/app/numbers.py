"""The counters of the parts, by the names under which /metrics shows them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from server import clock
from server.catalog import jobs as job_rows
from server.catalog.database import Database
from server.ingest import rtmp, srt
from server.ingest.broadcasts import Broadcasts
from server.jobs.jobs import Jobs
from server.ladder.ladders import Ladders
from server.media.child import Children
from server.playback.door import Door
from server.restream.restreams import Restreams
from server.storage.segments import SegmentStore
from server.uploads.fetching import Fetching
from server.uploads.service import Uploads
from server.vod.early import Early
from server.vod.images import Images
from server.vod.movies import Movies
from server.vod.requests import Requests
from server.web.auth import Credentials
from server.web.event_feed import Feed
from server.web.metrics import Metrics

LATELY = timedelta(hours=1)


def watch_all(
    metrics: Metrics,
    broadcasts: Broadcasts,
    listener: rtmp.Listener,
    srt_listener: srt.SrtListener,
    store: SegmentStore,
    jobs: Jobs,
    uploads: Uploads,
    database: Database,
) -> None:
    """Names the counters of the parts."""

    def renditions(read: Callable[[Any], float]) -> float:
        return sum(read(each) for on_air in broadcasts.all() for each in on_air.packager.renditions.values())

    watch = metrics.watch
    watch("gauge", "sluice_publishers", "Publishers connected.", broadcasts.publishers)
    watch("counter", "sluice_publishers_refused", "Publishers not let in.", lambda: broadcasts.refused)
    watch("counter", "sluice_publishers_unknown", "Publishers with a key that is nobody's.",
          lambda: broadcasts.unknown)  # fmt: skip
    watch("gauge", "sluice_health_warnings", "Warnings that hold about what is on air.",
          lambda: sum(len(on_air.health.episodes.active) for on_air in broadcasts.all()))  # fmt: skip
    watch("gauge", "sluice_rtmp_connections", "RTMP connections.", lambda: listener.connections)
    watch("counter", "sluice_rtmp_refused", "RTMP connections over the limit.", lambda: listener.refused)
    watch("gauge", "sluice_rtmp_players", "RTMP players.", lambda: listener.players)
    watch("counter", "sluice_rtmp_dropped", "RTMP messages not passed on.", lambda: listener.dropped)
    watch("counter", "sluice_rtmp_unplayed", "Samples that RTMP players were too slow for.", lambda: listener.unplayed)
    watch("counter", "sluice_ingest_bytes", "Bytes taken from publishers.",
          lambda: listener.received + srt_listener.received)  # fmt: skip
    watch("gauge", "sluice_srt_connections", "SRT publishers and readers.", lambda: srt_listener.connections)
    watch("gauge", "sluice_srt_half_open", "SRT callers that wait for an answer.", lambda: srt_listener.half_open)
    watch("gauge", "sluice_srt_receive_buffer_bytes", "What the kernel gives the SRT port.",
          lambda: srt_listener.receive_buffer)  # fmt: skip
    watch("counter", "sluice_srt_refused", "SRT callers refused.", lambda: srt_listener.refused, "reason")
    watch("counter", "sluice_srt_ignored", "SRT datagrams that led to nothing.", srt_listener.ignored, "reason")
    watch("counter", "sluice_srt_packets", "SRT packets of media.", srt_listener.packets, "fate")
    watch("gauge", "sluice_parts_cut", "Parts cut of what is on air.", lambda: renditions(lambda r: r.parts_cut))
    watch("gauge", "sluice_playlist_waiters", "Requests that wait for a part.",
          lambda: renditions(lambda r: r.window.waiters))  # fmt: skip
    watch("counter", "sluice_segments_written", "Live segments on disk.", lambda: store.written_segments)
    watch("counter", "sluice_segments_failed", "Live segments that the disk refused.", lambda: store.faults)
    watch("counter", "sluice_upload_bytes", "Bytes stored of uploads.", lambda: uploads.files.received)
    metrics.counts("sluice_uploads_begun", "Uploads begun.", uploads.numbers.begun, "protocol")
    metrics.counts("sluice_uploads_ended", "Uploads that ended, and how.", uploads.numbers.ended, "protocol", "outcome")
    metrics.counts("sluice_uploads_broken", "Requests that broke off.", uploads.numbers.broken, "protocol")
    metrics.counts("sluice_uploads_resumed", "Uploads gone on with.", uploads.numbers.resumed, "protocol")
    metrics.times("sluice_upload_seconds", "From an upload's beginning to its last byte.",
                  uploads.numbers.took_s, "protocol")  # fmt: skip
    watch("gauge", "sluice_uploads_held", "Uploads that a request is at.", lambda: uploads.locks.held)
    watch("gauge", "sluice_jobs_active", "Jobs that run or wait for a place.", lambda: jobs.active)
    _watch_jobs(metrics, jobs, database)


def _watch_jobs(metrics: Metrics, jobs: Jobs, database: Database) -> None:
    """What waits and runs is counted in the database, of all processes; the counters are this one's."""
    watch = metrics.watch
    backlog: dict[str, job_rows.Backlog] = {}
    failed: dict[tuple[str, ...], int] = {}

    async def look() -> None:
        async with database.read() as transaction:
            found = await job_rows.backlog(transaction)
            lately = await job_rows.failed_since(transaction, clock.now() - LATELY)
        failed.clear()
        failed.update(lately)
        backlog.clear()
        backlog.update(found)

    def by_kind(read: Callable[[job_rows.Backlog], float]) -> dict[str, float]:
        return {kind: read(each) for kind, each in backlog.items()}

    metrics.refresh(look)
    watch("gauge", "sluice_jobs_waiting", "Jobs that wait for a place.",
          lambda: by_kind(lambda each: each.waiting), "kind")  # fmt: skip
    watch("gauge", "sluice_jobs_running", "Jobs that run, in all processes.",
          lambda: by_kind(lambda each: each.running), "kind")  # fmt: skip
    watch("gauge", "sluice_jobs_oldest_seconds", "Age of the oldest that waits, or else runs.",
          lambda: by_kind(lambda each: (clock.now() - each.oldest).total_seconds()), "kind")  # fmt: skip
    watch("gauge", "sluice_jobs_failed_lately", "Jobs that failed in the last hour, in all processes, and why.",
          lambda: dict(failed), "kind", "code")  # fmt: skip
    numbers = jobs.numbers
    metrics.counts("sluice_jobs_ended", "Jobs that ended here, and how.", numbers.outcomes, "kind", "outcome")
    metrics.counts("sluice_job_failures", "Jobs that failed here, and why.", numbers.failures, "kind", "code")
    metrics.times("sluice_job_queue_seconds", "From a job's order until it was begun here.", numbers.waited_s, "kind")
    metrics.times("sluice_job_seconds", "From a job's beginning here to its end.", numbers.ran_s, "kind")
    watch("counter", "sluice_jobs_failed", "Jobs that failed for good here.", lambda: jobs.failed)
    watch("counter", "sluice_jobs_retried", "Jobs begun again here after a crash.", lambda: jobs.retried)
    watch("counter", "sluice_jobs_taken_over", "Jobs taken from processes that died.", lambda: jobs.taken_over)


def watch_ladders(metrics: Metrics, ladders: Ladders) -> None:
    watch = metrics.watch
    watch("gauge", "sluice_ladders", "Live streams that are transcoded.", lambda: ladders.running)
    watch("counter", "sluice_ladders_refused", "Broadcasts without one, for want of room.", lambda: ladders.refused)
    watch("counter", "sluice_ladder_restarts", "Transcoders that failed.", lambda: ladders.restarts)
    watch("counter", "sluice_renditions_dropped", "Live renditions given up.", lambda: ladders.given_up)
    watch("counter", "sluice_ladder_pictures_dropped", "Pictures that transcoders had no room for.",
          lambda: ladders.dropped)  # fmt: skip
    watch("gauge", "sluice_ladder_behind_seconds", "Of the slowest live rendition.", lambda: ladders.behind_s)


def watch_fetching(metrics: Metrics, fetching: Fetching) -> None:
    metrics.watch("gauge", "sluice_fetches", "Files that are being fetched.", lambda: fetching.active)


def watch_early(metrics: Metrics, early: Early) -> None:
    watch = metrics.watch
    watch("gauge", "sluice_early_uploads", "Uploads that are looked at while they come.", lambda: early.active)
    watch("counter", "sluice_early_uploads_begun", "Uploads that were looked at while they came.", lambda: early.begun)
    watch("counter", "sluice_early_uploads_kept", "Of them, those that became whole then.", lambda: early.kept)


def watch_feed(metrics: Metrics, feed: Feed) -> None:
    metrics.watch("gauge", "sluice_event_listeners", "Who listens to events.", lambda: feed.listeners)
    metrics.watch("counter", "sluice_event_listeners_refused", "Who could not listen.", lambda: feed.refused)


def watch_restreams(metrics: Metrics, restreams: Restreams) -> None:
    watch = metrics.watch
    watch("gauge", "sluice_restreams", "Targets of what is on air.", restreams.states, "state")
    watch("counter", "sluice_restream_bytes", "Bytes sent to targets.", lambda: restreams.sent)
    watch("counter", "sluice_restream_samples_dropped", "Samples that targets did not take in time.",
          lambda: restreams.dropped)  # fmt: skip
    watch("counter", "sluice_restream_failures", "Connections to targets that failed.", lambda: restreams.failures)
    watch("counter", "sluice_restream_untold", "Changes of targets without an event.", lambda: restreams.untold)


def watch_movies(metrics: Metrics, movies: Movies) -> None:
    watch = metrics.watch
    watch("counter", "sluice_movies_made", "Heads of progressive files made or read again.", lambda: movies.made)
    watch("counter", "sluice_movies_refused", "Files refused for the heads that waited.", lambda: movies.refused)
    watch("gauge", "sluice_movies_waiting", "Heads of progressive files that are made or wait.", lambda: movies.waiting)


def watch_children(metrics: Metrics, children: Children) -> None:
    watch = metrics.watch
    watch("gauge", "sluice_children_waiting", "Work that waits for a child to be allowed.", lambda: children.waiting)
    watch("gauge", "sluice_children_spare", "Children started in advance that have nothing to do yet.",
          lambda: children.spares)  # fmt: skip
    watch("counter", "sluice_children_in_advance", "Children started in advance that were given work.",
          lambda: children.in_advance)  # fmt: skip


def watch_images(metrics: Metrics, images: Images) -> None:
    watch = metrics.watch
    watch("counter", "sluice_images_made", "Thumbnails, storyboards and previews made.", lambda: images.made)
    watch("counter", "sluice_images_kept", "Images that were there already.", lambda: images.found)
    watch("counter", "sluice_images_failed", "Images that could not be made.", lambda: images.failures)
    watch("counter", "sluice_images_refused", "Images refused for those that waited.", lambda: images.refused)
    watch("gauge", "sluice_images_waiting", "Images that are made or wait for it.", lambda: images.waiting)
    watch("gauge", "sluice_image_cache_bytes", "Bytes of images kept.", lambda: images.cache.used)
    watch("counter", "sluice_image_cache_removed", "Images that went to make room.", lambda: images.cache.removed)


def watch_requests(metrics: Metrics, requests: Requests) -> None:
    watch, numbers = metrics.watch, requests.numbers
    watch("counter", "sluice_segments_made", "Segments made when they were asked for, or ahead.", lambda: numbers.made)
    watch("counter", "sluice_segments_making_seconds", "Time that their making took.", lambda: numbers.making_s)
    watch("counter", "sluice_segments_kept", "Segments asked for that were there already.", lambda: numbers.found)
    watch("counter", "sluice_segments_not_made", "Segments that could not be made.", lambda: numbers.failed)
    watch("counter", "sluice_segments_refused", "Requests that waited in vain, or were too many.",
          lambda: numbers.refused)  # fmt: skip
    watch("gauge", "sluice_segments_waiting", "Segments that somebody waits for.", lambda: requests.waiting)
    watch("gauge", "sluice_segment_encoders", "Children that make segments, or are kept warm.",
          lambda: requests.encoders)  # fmt: skip
    watch("gauge", "sluice_segment_cache_bytes", "Bytes of made segments kept.", lambda: requests.cache.used)
    watch("counter", "sluice_segment_cache_removed", "Made segments that went to make room.",
          lambda: requests.cache.removed)  # fmt: skip


def watch_callers(metrics: Metrics, credentials: Credentials) -> None:
    metrics.counts("sluice_auth_refusals", "Calls of the API that were not let in.", credentials.refused, "reason")


def watch_door(metrics: Metrics, door: Door) -> None:
    watch = metrics.watch
    metrics.counts("sluice_playback_tokens", "Playback tokens made.", door.tokens.minted, "audience", "kind")
    watch("counter", "sluice_playback_refusals", "Requests to watch that were refused.",
          lambda: door.refusals, "reason")  # fmt: skip
    watch("gauge", "sluice_playback_counted", "Viewers and tokens whose sessions are counted.",
          lambda: len(door.viewers))  # fmt: skip
    watch("counter", "sluice_playback_uncounted", "Viewers that were forgotten for others while they may have watched.",
          lambda: door.viewers.forgotten)  # fmt: skip
