"""What children are kept from: in real ones, and the filter itself, run by an interpreter of its instructions."""

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.media import sandbox
from server.media.child import Children
from server.media.sandbox import ALLOW, ERRNO, KILL, MACHINES, Box, Instruction, program

PID = 4242
EPERM, EACCES, ENOSYS = (ERRNO | error for error in (errno.EPERM, errno.EACCES, errno.ENOSYS))
known = pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def isolation(module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    async with Children(1) as children:
        await children.run(module, arguments, on_line=events.append)
    return events[-1]


@known
async def test_a_child_reaches_nothing(port: int) -> None:
    found = await isolation("server.media.sandbox_check", {"port": port})
    refused = {"network", "programs", "processes", "signals", "writing"}
    if _landlock_version() > 0:
        refused.add("files")
    assert set(found["refused"]) == refused


async def test_what_holds_is_the_sandboxs_doing(port: int) -> None:
    """The same attempts succeed in a child without one: else the test above could not fail."""
    found = await isolation("tests.unit.media.unguarded", {"port": port})
    assert found["refused"] == []


def _landlock_version() -> int:
    version: int = ctypes.CDLL(None).syscall(sandbox.CREATE_RULESET, None, 0, sandbox.GET_VERSION)
    return version


def test_python_finds_its_own_and_not_the_servers_folder() -> None:
    paths = sandbox.readable()
    root = Path(sandbox.__file__).parents[2]
    assert str(root / "server") in paths
    assert str(root) not in paths
    assert any(Path(os.__file__).is_relative_to(path) for path in paths)


def verdict(instructions: list[Instruction], audit: int, number: int, *arguments: int) -> int:
    """What a kernel would say, by the rules of <linux/filter.h>."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, audit, 0, *padded)
    at, accumulator = 0, 0
    while True:
        code, when, otherwise, constant = instructions[at]
        at += 1
        match code:
            case sandbox.RETURN:
                return constant
            case sandbox.LOAD:
                (accumulator,) = struct.unpack_from("=I", data, constant)
            case sandbox.EQUAL:
                at += when if accumulator == constant else otherwise
            case sandbox.AT_LEAST:
                at += when if accumulator >= constant else otherwise
            case sandbox.ANY_BIT:
                at += when if accumulator & constant else otherwise


READ, WRITE, THREAD, FORK = os.O_RDONLY | os.O_CLOEXEC, os.O_RDWR | os.O_CREAT, 0x3D0F00, 17
CASES: list[tuple[str, dict[str, int], tuple[int, ...], dict[Box, int]]] = [
    # call, numbers, arguments, verdicts
    ("read", {"x86_64": 0, "aarch64": 63}, (0,), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("socket", {"x86_64": 41, "aarch64": 198}, (2,), {"sealed": EPERM, "drivers": ALLOW, "network": ALLOW}),
    ("execve", {"x86_64": 59, "aarch64": 221}, (), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("ptrace", {"x86_64": 101, "aarch64": 117}, (), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("kill others", {"x86_64": 62, "aarch64": 129}, (1,), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("kill oneself", {"x86_64": 62, "aarch64": 129}, (PID,), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("abort", {"x86_64": 234, "aarch64": 131}, (PID,), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("thread", {"x86_64": 56, "aarch64": 220}, (THREAD,), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("fork", {"x86_64": 56, "aarch64": 220}, (FORK,), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("clone3", {"x86_64": 435, "aarch64": 435}, (), {"sealed": ENOSYS, "drivers": ENOSYS, "network": ENOSYS}),
    ("open", {"x86_64": 257, "aarch64": 56}, (0, 0, READ), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("create", {"x86_64": 257, "aarch64": 56}, (0, 0, WRITE), {"sealed": EACCES, "drivers": ALLOW, "network": EACCES}),
    ("own limits", {"x86_64": 302, "aarch64": 261}, (0,), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("others' limits", {"x86_64": 302, "aarch64": 261}, (1,), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("queue a signal", {"x86_64": 129, "aarch64": 138}, (1,), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("slow others", {"x86_64": 141, "aarch64": 140}, (0, 1), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("own cores", {"x86_64": 203, "aarch64": 122}, (0,), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("others' cores", {"x86_64": 203, "aarch64": 122}, (1,), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("before all others", {"x86_64": 144, "aarch64": 119}, (0, 1, 99),
     {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("signal by descriptor", {"x86_64": 72, "aarch64": 25}, (3, 8, 1),
     {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("and by another command", {"x86_64": 72, "aarch64": 25}, (3, 15, 0),
     {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("duplicate", {"x86_64": 72, "aarch64": 25}, (3, 1030, 8), {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("type at a terminal", {"x86_64": 16, "aarch64": 29}, (0, 0x5412),
     {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("and on a console", {"x86_64": 16, "aarch64": 29}, (0, 0x541C),
     {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
    ("size of a terminal", {"x86_64": 16, "aarch64": 29}, (0, 0x5413),
     {"sealed": ALLOW, "drivers": ALLOW, "network": ALLOW}),
    ("io_uring_setup", {"x86_64": 425, "aarch64": 425}, (), {"sealed": EPERM, "drivers": EPERM, "network": EPERM}),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "numbers", "arguments", "verdicts"), CASES, ids=[case[0] for case in CASES])
def test_the_filters_verdicts(
    machine: str, name: str, numbers: dict[str, int], arguments: tuple[int, ...], verdicts: dict[Box, int]
) -> None:
    audit = MACHINES[machine].audit
    for box, expected in verdicts.items():
        assert verdict(program(MACHINES[machine], box, PID), audit, numbers[machine], *arguments) == expected, box


def test_other_numberings_are_no_way_round() -> None:
    sealed = program(MACHINES["x86_64"], "sealed", PID)
    assert verdict(sealed, 0x40000003, 102) == KILL  # i386, whose 102 makes sockets
    assert verdict(sealed, MACHINES["x86_64"].audit, 0x40000000 | 41) == EPERM
    assert len(sealed) < 4096  # BPF_MAXINSNS
