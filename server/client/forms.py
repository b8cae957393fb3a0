"""One file in a form, as browsers send it (RFC 7578)."""

import secrets


def of_file(content: bytes, name: str, **fields: str) -> tuple[bytes, dict[str, str]]:
    """(body, headers). `name` and those of `fields` are ASCII without quotes."""
    boundary = secrets.token_hex(16)
    before = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    )
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = (before + head).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
