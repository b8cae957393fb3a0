"""Certificates that openssl makes."""

import subprocess
from pathlib import Path


def make_certificate(folder: Path, *, password: str | None = None) -> tuple[Path, Path]:
    """A new self-signed one for 127.0.0.1 and its key, in place of what was in the folder."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *secret, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return certificate, key
