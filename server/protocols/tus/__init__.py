"""tus 1.0.0 (https://tus.io/protocols/resumable-upload): requests in, decisions and answers out.

In charge of what a request means, whether it may be done to an upload in its state, and how the answer reads.
Must not know sockets, files, rows, or who is asking. Errors are Problems, with the statuses tus gives them.

    commands.parse      method and headers -> Options | Create | Join | Head | Append | Delete
    admission.admit     command × upload -> a Write, or a Problem
    answers             values -> status and headers
    metadata            Upload-Metadata <-> pairs, and what the pairs say about the video
    checksum            Upload-Checksum -> what the bytes of a request must give
    concatenation       Upload-Concat -> the partial uploads of a final one
"""
