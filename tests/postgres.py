"""A PostgreSQL of the tests' own: a private cluster in a temporary folder, reached by a socket there."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = (Path("/usr/lib/postgresql"), Path("/usr/pgsql"))
START_S = 180  # of a machine where much else runs
# Nothing here has to outlive the machine.
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=80 -c shared_buffers=32MB"


def folder_of_binaries() -> Path | None:
    """Where `initdb` and `pg_ctl` are."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max((path.parent for base in BINARIES for path in base.glob("*/bin/initdb")), default=None)


class Cluster:
    """Started; `url(name)` of its databases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """The name of a new database."""
        name = f"t{uuid.uuid4().hex}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def sql(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def cluster(binaries: Path) -> Iterator[Cluster]:
    """PostgreSQL refuses to run as root: then it runs as its own user, or as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket has 107 bytes at most
    user = _unprivileged()
    if user is not None:
        os.chown(folder, *user)
    as_user = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, "-D", folder / "data", *arguments],
            cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=START_S, **as_user,
        )  # type: ignore[call-overload]  # fmt: skip

    try:
        call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        options = f"-c listen_addresses='' -k {folder} {FAST}"
        call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield Cluster(folder)
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    return 65534, 65534
