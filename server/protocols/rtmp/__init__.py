"""RTMP as publishers and players speak it to a server, and as we do to others, without sockets.

Bytes and the time in, events and bytes out.

In charge of: handshake, chunks, messages, commands, refusals in words that encoders show, limits, timeouts.
Must not know: who may publish what (the caller answers PublishRequested), codecs (formats/flv reads payloads),
asyncio, and that there may be other connections.

    handshake → chunk → message → link → command → connection (the state table), which speaks in answers → events
                                                   client, which publishes or plays elsewhere and speaks in requests

Source: Adobe, "Real-Time Messaging Protocol", 1.0, 2012, "the specification" below;
Veovera, "Enhanced RTMP" v2.
"""
