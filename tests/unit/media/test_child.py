"""Real child processes that end well, badly, or not at all."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.media.child import MODULES, SPARES, ChildFailed, Children, Limits
from server.media.child_process import MAX_STDERR_BYTES

ACTS = "tests.unit.media.acts"


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(2) as running:
        yield running


def gone(pid: int) -> bool:
    """Whether the process has ended, also as a zombie that nobody has taken yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(10):
        while not all(map(gone, pids)):
            await asyncio.sleep(0.01)


async def test_tells_events_in_order_and_what_it_used(children: Children, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SLUICE_AUTH__OWNER_KEY", "secret")
    path = tmp_path / "source"
    path.write_text("bytes of a stranger")
    events: list[dict[str, Any]] = []
    with path.open("rb") as file:
        fd = file.fileno()
        result = await children.run(ACTS, {"act": "tell", "fd": fd}, [fd], on_line=events.append)
    assert events == [
        {"event": "environment", "names": ["LC_ALL", "PYTHONPATH"]},
        {"event": "content", "text": "bytes of a stranger"},
    ]
    assert result.stderr == "a word for the log"
    assert 0 < result.cpu_s < 10
    assert result.peak_bytes > 1 << 20


async def test_what_it_is_told_is_as_long_as_it_needs_to_be_and_nobody_elses(children: Children) -> None:
    """The cuts of a day are more than a program's argument may be, and those everybody can read."""
    events: list[dict[str, Any]] = []
    await children.run(ACTS, {"act": "count", "numbers": [10**9] * 50_000}, on_line=events.append)
    assert events[0]["numbers"] == 50_000
    assert events[0]["told"] < 1000


async def test_it_gives_way_to_the_server(children: Children) -> None:
    """In a session of its own it would not: kernels with autogroups compare `nice` within one."""
    events: list[dict[str, Any]] = []
    await children.run(ACTS, {"act": "place"}, limits=Limits(nice=3), on_line=events.append)
    assert events[0]["group"] == events[0]["pid"]
    assert events[0]["session"] == os.getsid(0)
    assert events[0]["niceness"] == os.nice(0) + 3


async def test_one_that_was_started_in_advance_does_one_piece_of_work(children: Children) -> None:
    children.prepare(ACTS, 1)
    assert children.spares == 1
    events: list[dict[str, Any]] = []
    for spare in (None, 0, 0):
        await children.run(ACTS, {"act": "place"}, limits=Limits(nice=3), on_line=events.append, spare=spare)
    assert (children.spares, children.in_advance) == (0, 1)
    assert len({event["pid"] for event in events}) == 3
    assert {event["niceness"] for event in events} == {os.nice(0) + 3}


async def test_no_more_are_started_in_advance_than_are_counted_on(children: Children) -> None:
    for number in range(20):
        children.prepare(f"tests.unit.media.no_such_{number}", 100)
    assert children.spares == SPARES * MODULES


async def test_prints_of_libraries_are_no_events(children: Children) -> None:
    result = await children.run(ACTS, {"act": "print_nonsense"})
    assert result.stderr.splitlines() == ["this goes to standard error", "and so does this"]


@pytest.mark.parametrize(
    ("act", "limits", "reason"),
    [
        ("crash", Limits(), "crashed"),
        ("fail", Limits(), "crashed"),
        ("no_such_act", Limits(), "crashed"),
        ("spin", Limits(cpu_s=1), "limit"),
        ("fill_memory", Limits(memory_bytes=1 << 30), "limit"),
        ("long_line", Limits(), "protocol"),
        ("many_lines", Limits(), "protocol"),
        ("leave_early", Limits(), "protocol"),
    ],
)
async def test_bad_ends_have_a_reason(children: Children, act: str, limits: Limits, reason: str) -> None:
    with pytest.raises(ChildFailed) as caught:
        await children.run(ACTS, {"act": act}, limits=limits, timeout_s=30)
    assert caught.value.reason == reason
    assert len(caught.value.stderr) <= MAX_STDERR_BYTES


async def test_a_file_beyond_its_limit(children: Children, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        fd = file.fileno()
        with pytest.raises(ChildFailed) as caught:
            await children.run(ACTS, {"act": "fill_file", "fd": fd}, [fd], Limits(file_bytes=4096))
    assert caught.value.reason == "limit"


async def test_out_of_time_ends_all_it_started(children: Children) -> None:
    pids: list[int] = []
    with pytest.raises(ChildFailed) as caught:
        await children.run(ACTS, {"act": "sleep"}, timeout_s=1, on_line=lambda event: pids.extend(event["pids"]))
    assert caught.value.reason == "timeout"
    assert len(pids) == 2
    await until_gone(pids)


async def test_one_that_does_nothing_any_more_is_ended(children: Children) -> None:
    with pytest.raises(ChildFailed, match="did nothing for") as caught:
        await children.run(ACTS, {"act": "sleep"}, idle_s=0.5)
    assert caught.value.reason == "timeout"


async def test_cancelling_ends_all_it_started(children: Children) -> None:
    started: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        children.run(ACTS, {"act": "sleep"}, on_line=lambda event: started.set_result(event["pids"]))
    )
    pids = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(pids)


async def test_leaving_ends_what_still_runs() -> None:
    started: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    async with Children() as children:
        task = asyncio.create_task(
            children.run(ACTS, {"act": "sleep"}, on_line=lambda event: started.set_result(event["pids"]))
        )
        pids = await started
    with pytest.raises(ChildFailed):
        await task
    await until_gone(pids)


async def test_no_more_than_its_workers_at_a_time() -> None:
    async with Children(1) as children:
        started: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        first = asyncio.create_task(children.run(ACTS, {"act": "sleep"}, on_line=started.set_result))
        await started
        second = asyncio.create_task(children.run(ACTS, {"act": "print_nonsense"}))
        await asyncio.sleep(0)
        assert children.waiting == 1
        first.cancel()
        await asyncio.wait([first])
        await second
        assert children.waiting == 0


# A parent that starts a child, tells its process ids, and stays.
PARENT = textwrap.dedent("""
    import asyncio, sys
    from server.media.child import Children

    async def main():
        async with Children() as children:
            await children.run("tests.unit.media.acts", {"act": sys.argv[1]},
                               on_line=lambda event: print(*event["pids"], flush=True))

    asyncio.run(main())
""")


def test_a_child_does_not_outlive_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "sleep"], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child, grandchild = map(int, parent.stdout.readline().split())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    asyncio.run(until_gone([child]))
    os.kill(grandchild, signal.SIGKILL)  # of no concern here: children that open media start none


def test_the_end_of_standard_input_alone_ends_a_child(tmp_path: Path) -> None:
    """The second guard: the parent lives on, only the pipe closes."""
    reading, writing = os.pipe()
    code = (
        "import os, threading; from server.media import guard; "
        "guard.follow_parent(os.getppid()); print('up', flush=True); threading.Event().wait(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=reading, stdout=subprocess.PIPE)
    os.close(reading)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    os.close(writing)
    assert child.wait(10) == -signal.SIGIO
    child.stdout.close()
