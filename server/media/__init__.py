"""libav, and the child processes that it runs in: probing, pictures, transcoding.

Bytes that a stranger made are opened by native code in a child with limits only; `child_process` starts and watches it,
`child` lets so many of them work at a time, `guard` is the first thing that runs inside. `transcoding` is one that
lives as long as a broadcast, `wire` what is said to it,
`ladder` says which renditions a picture gets, live and on demand. It knows nothing of rows, paths, jobs or HTTP: open
file descriptors come in, values and bytes go out. `mpegts` reads what publishers send who proved their key; of it only
MP2 comes to libav in the server itself. `av` is imported nowhere else, and never by the server itself before that.
"""
