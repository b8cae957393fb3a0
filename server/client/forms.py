"""One file in a form, as browsers send it (RFC 7578)."""

import secrets


def of_file(content: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    """(body, headers). `name` is ASCII without quotes."""
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
