"""What the kernel forbids a child that opens strangers' files, without root: a seccomp filter, and Landlock.

    seccomp   no sockets, no programs, no processes, no signals to others, nothing opened for writing, and none of the
              calls whose faults make root of a user
    Landlock  no file but Python's own, the libraries' and ours, and no TCP; where the kernel has it (5.13, 6.7)

What the child works on, it has as open descriptors. A network namespace would add nothing to a filter that lets no
socket be made, and costs a millisecond. Both stay for good, with all threads that come. Each costs 0.2 ms.

Sources: seccomp(2), landlock(7), <linux/filter.h>, <linux/seccomp.h>, <linux/landlock.h>, and the kernel's tables of
system calls.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

# What of it a child may do without: `drivers` are opened by encoders in hardware, in ways that only they know.
Box = Literal["sealed", "drivers", "network"]
Held = Literal["seccomp", "landlock"]

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_…
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF on words and constants
NUMBER_AT, MACHINE_AT, ARGUMENTS_AT = 0, 4, 16  # struct seccomp_data
X32_CALLS = 0x40000000  # another numbering of the same calls, on x86-64
CLONE_THREAD = 0x10000
SET_OWNER, SET_OWNER_EX = 8, 15  # commands of fcntl: who gets signals for a descriptor
TYPE_IN, TYPE_IN_LINUX = 0x5412, 0x541C  # TIOCSTI, TIOCLINUX: what is "typed" at the server's terminal
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Machine(NamedTuple):
    """A processor's numbering of system calls."""

    audit: int  # AUDIT_ARCH_…
    column: int  # in the tables below
    x32: bool = False


MACHINES = {"x86_64": Machine(0xC000003E, 0, x32=True), "aarch64": Machine(0xC00000B7, 1)}

# call -> its numbers by machine; None: it isn't there. Beyond 423 they are the same everywhere.
NETWORK = {
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "connect": (42, 203), "accept4": (288, 242),
}  # fmt: skip
NEVER = {
    # programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "process_madvise": (440, 440), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "process_mrelease": (448, 448),
    # files by name
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None),
    "mknodat": (259, 33), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # the system
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "swapon": (167, 224),
    "reboot": (169, 142), "acct": (163, 89), "quotactl": (179, 60), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "personality": (135, 92),
    # a place before all others: SVT-AV1 takes the highest real-time priority where it may, and the server starves
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    # what reaches others, or goes round this filter
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}  # fmt: skip
# Newer calls whose arguments lie in memory, where no filter sees them: libraries do with the older ones.
UNSEEN = {"clone3": (435, 435), "openat2": (437, 437)}

Instruction = tuple[int, int, int, int]  # code, jumps if true and if false, constant


def enter(box: Box) -> tuple[Held, ...]:
    """Shuts this process, whose only thread calls, in; what of it holds. An old kernel, or a machine that isn't known
    here, leaves some of it out."""
    libc = ctypes.CDLL(None, use_errno=True)
    held: list[Held] = []
    # Landlock first, for it needs files to be opened; and only where all that is opened is known
    if box == "sealed" and _landlock(libc, readable()):
        held.append("landlock")
    machine = MACHINES.get(os.uname().machine)
    if machine is not None and sys.maxsize > 1 << 32 and _seccomp(libc, program(machine, box, os.getpid())):
        held.append("seccomp")
    return tuple(held)


# --- seccomp


def program(machine: Machine, box: Box, pid: int) -> list[Instruction]:
    """The filter: each call is compared in turn; the kernel remembers which calls it always allows."""
    made: list[Instruction] = [
        (LOAD, 0, 0, MACHINE_AT),
        (EQUAL, 1, 0, machine.audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    if machine.x32:
        made += [(AT_LEAST, 0, 1, X32_CALLS), _refuse(errno.EPERM)]
    for calls, error in ((NEVER, errno.EPERM), (NETWORK, errno.EPERM), (UNSEEN, errno.ENOSYS)):
        if calls is not NETWORK or box == "sealed":
            made += _refused(calls.values(), machine, error)
    for numbers, argument, test in _conditions(box, pid):
        if (number := numbers[machine.column]) is not None:
            made += [(EQUAL, 0, len(test) + 1, number), (LOAD, 0, 0, ARGUMENTS_AT + 8 * argument), *test]
    return [*made, (RETURN, 0, 0, ALLOW)]


def _refused(calls: Iterable[tuple[int, int | None]], machine: Machine, error: int) -> Iterator[Instruction]:
    for numbers in calls:
        if (number := numbers[machine.column]) is not None:
            yield (EQUAL, 0, 1, number)
            yield _refuse(error)


def _conditions(box: Box, pid: int) -> Iterator[tuple[tuple[int, int | None], int, Sequence[Instruction]]]:
    """(numbers, argument, what is done by its lower half)."""
    refuse: Sequence[Instruction] = (_refuse(errno.EPERM), (RETURN, 0, 0, ALLOW))
    yield (62, 129), 0, [(EQUAL, 1, 0, pid), *refuse]  # kill
    yield (234, 131), 0, [(EQUAL, 1, 0, pid), *refuse]  # tgkill
    yield (302, 261), 0, [(EQUAL, 2, 0, 0), (EQUAL, 1, 0, pid), *refuse]  # prlimit64
    yield (56, 220), 0, [(ANY_BIT, 1, 0, CLONE_THREAD), *refuse]  # clone
    yield (203, 122), 0, [(EQUAL, 2, 0, 0), (EQUAL, 1, 0, pid), *refuse]  # sched_setaffinity
    owner = [(EQUAL, 2, 0, SET_OWNER), (EQUAL, 1, 0, SET_OWNER_EX), (RETURN, 0, 0, ALLOW), _refuse(errno.EPERM)]
    yield (72, 25), 1, owner  # fcntl
    typed = [(EQUAL, 2, 0, TYPE_IN), (EQUAL, 1, 0, TYPE_IN_LINUX), (RETURN, 0, 0, ALLOW), _refuse(errno.EPERM)]
    yield (16, 29), 1, typed  # ioctl
    if box != "drivers":
        reading = [(ANY_BIT, 0, 1, WRITING), _refuse(errno.EACCES), (RETURN, 0, 0, ALLOW)]
        yield (257, 56), 2, reading  # openat
        yield (2, None), 1, reading  # open


def _refuse(error: int) -> Instruction:
    return (RETURN, 0, 0, ERRNO | error)


def _seccomp(libc: ctypes.CDLL, instructions: Sequence[Instruction]) -> bool:
    """Whether the kernel took it. PR_SET_NO_NEW_PRIVS has been set."""
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    code = ctypes.create_string_buffer(packed, len(packed))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(instructions), ctypes.addressof(code)))
    return int(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)) == 0


# --- Landlock

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # everywhere
GET_VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILES = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))  # (since version, rights that are handled)
TCP, SCOPES = (4, 0b11), (6, 0b11)  # bind, connect; abstract sockets, signals
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system", "/sys/fs/cgroup",
    "/dev/null", "/dev/urandom",
)  # fmt: skip


def readable() -> list[str]:
    """What a child reads that only opens what it was given: libraries and code. Never the folder that the server was
    started in, though Python looks for modules there."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # `server`, and nothing beside it
    libraries = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
    return [*SYSTEM, f"{sys.base_prefix}/lib", f"{sys.prefix}/lib", *libraries, ours]


def _landlock(libc: ctypes.CDLL, paths: Iterable[str]) -> bool:
    """Whether the kernel took it."""
    version = libc.syscall(CREATE_RULESET, None, 0, GET_VERSION)
    if version < 1:
        return False
    files = sum(rights for since, rights in FILES if version >= since)
    wanted = struct.pack("=QQQ", files, *(rights if version >= since else 0 for since, rights in (TCP, SCOPES)))
    size = 8 if version < TCP[0] else 16 if version < SCOPES[0] else 24
    ruleset = libc.syscall(CREATE_RULESET, wanted, size, 0)
    if ruleset < 0:
        return False
    try:
        for path in dict.fromkeys(paths):
            _let_read(libc, ruleset, path)
        return int(libc.syscall(RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _let_read(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this system
    try:
        rights = READ_FILE | (READ_DIR if os.path.isdir(path) else 0)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)
