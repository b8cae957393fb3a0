"""Who may watch what: tokens, what is known of an asset, and the rule that joins them.

In charge of: minting and reading playback tokens, the in-process cache of watchable assets, revocations, and the
decision for one request. It must not know HTTP (it is given facts of a request), files, or how media is served.
"""
