"""The REST API at the root, in the api.video dialect: one module for each resource.

In charge of: translating between JSON and rows, and saying what happened. It must not know more of a rule than the
repositories and services below; a rule that two dialects share belongs there.
"""

from collections.abc import Sequence

from server.web.api import (
    analytics,
    api_keys,
    audit,
    auth,
    collections,
    custom_fields,
    events,
    folders,
    former,
    jobs,
    live_streams,
    oauth,
    oauth_apps,
    playback_ids,
    playback_restrictions,
    players,
    projects,
    retention,
    signing_keys,
    summaries,
    tags,
    upload_sessions,
    upload_tokens,
    usage,
    videos,
    watermarks,
    webhooks,
)
from server.web.typed import Operations

OPERATIONS: Sequence[Operations] = (
    auth.operations,
    oauth.operations,
    oauth_apps.operations,
    api_keys.operations,
    audit.operations,
    projects.operations,
    videos.operations,
    folders.operations,
    collections.operations,
    usage.operations,
    custom_fields.operations,
    live_streams.operations,
    upload_tokens.operations,
    upload_sessions.operations,
    jobs.operations,
    watermarks.operations,
    retention.operations,
    playback_ids.operations,
    playback_restrictions.operations,
    signing_keys.operations,
    players.operations,
    tags.operations,
    summaries.operations,
    analytics.operations,
    former.operations,
    webhooks.operations,
    events.operations,
)
