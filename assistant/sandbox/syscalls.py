"""The numbers of the system calls that the filter knows, for each processor architecture.

From the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h`
(aarch64). Numbers of one architecture never change; a test compares them with the headers of the
machine that it runs on. Each entry is a name, its number on x86_64 and on aarch64, `-` where the
architecture has no such call.
"""

from __future__ import annotations

import functools
import os
import sys

NEWEST = 450
"""The last number that this table was made with, `set_mempolicy_home_node` of Linux 5.17, on both
architectures. Calls that came later are not known, and the filter says that they do not exist."""

_COLUMN = {"x86_64": 1, "aarch64": 2}

# Processes other than this one, and new ones.
_PROCESSES = """
fork 57 -, vfork 58 -, tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240,
pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, process_vm_readv 310 270,
process_vm_writev 311 271, process_madvise 440 440, process_mrelease 448 448, ptrace 101 117,
kcmp 312 272, setpriority 141 140, ioprio_set 251 30, sched_setaffinity 203 122,
sched_setparam 142 118, sched_setscheduler 144 119, sched_setattr 314 274, migrate_pages 256 238,
move_pages 279 239
"""

# Who it is.
_IDENTITY = """
setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143, setresuid 117 147,
setresgid 119 149, setfsuid 122 151, setfsgid 123 152, setgroups 116 159, capset 126 91,
personality 135 92
"""

# Sockets that could reach anybody, and other ways to talk to processes.
_NETWORK = """
socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242,
sendmsg 46 211, sendmmsg 307 269, setsockopt 54 208, shmget 29 194, shmat 30 196, shmctl 31 195,
shmdt 67 197, semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192, msgget 68 186,
msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, mq_unlink 241 181,
mq_timedsend 242 182, mq_timedreceive 243 183, mq_notify 244 184, mq_getsetattr 245 185
"""

# Mounts and namespaces.
_MOUNTS = """
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, open_tree 428 428,
move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433,
mount_setattr 442 442, unshare 272 97, setns 308 268, swapon 167 224, swapoff 168 225,
quotactl 179 60, quotactl_fd 443 443, open_by_handle_at 304 265, name_to_handle_at 303 264
"""

# What a read-only view does not stop, and files that no folder's size bounds.
_FILES = """
chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54,
utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88, mknod 133 -, mknodat 259 33,
memfd_create 319 279, memfd_secret 447 447, inotify_init 253 -, inotify_init1 294 26,
inotify_add_watch 254 27, fanotify_init 300 262, fanotify_mark 301 263
"""

# Extended attributes; the answer is that the file system has none.
ATTRIBUTES = """
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, getxattr 191 8, lgetxattr 192 9,
fgetxattr 193 10, listxattr 194 11, llistxattr 195 12, flistxattr 196 13, removexattr 197 14,
lremovexattr 198 15, fremovexattr 199 16
"""

# Rarely needed parts of the kernel, where its faults are.
_KERNEL = """
bpf 321 280, perf_event_open 298 241, keyctl 250 219, add_key 248 217, request_key 249 218,
userfaultfd 323 282, io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427,
io_setup 206 0, io_submit 209 2, kexec_load 246 104, kexec_file_load 320 294, init_module 175 105,
finit_module 313 273, delete_module 176 106, iopl 172 -, ioperm 173 -, modify_ldt 154 -,
syslog 103 116, acct 163 89, reboot 169 142, vhangup 153 58, lookup_dcookie 212 18, uselib 134 -,
sysfs 139 -, ustat 136 -, settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266,
adjtimex 159 171, sethostname 170 161, setdomainname 171 162, vmsplice 278 75,
landlock_create_ruleset 444 444, nfsservctl 180 42, _sysctl 156 -, create_module 174 -,
get_kernel_syms 177 -, query_module 178 -, tuxcall 184 -, vserver 236 -, afs_syscall 183 -,
sync 162 81, syncfs 306 267, getpmsg 181 -, putpmsg 182 -
"""

# Decided by their arguments.
_CHECKED = """
clone 56 220, clone3 435 435, execve 59 221, execveat 322 281, kill 62 129, tgkill 234 131,
prlimit64 302 261, prctl 157 167, socketpair 53 199, sendto 44 206, ioctl 16 29,
fcntl 72 25, mmap 9 222, open 2 -, openat 257 56, openat2 437 437, creat 85 -, truncate 76 45
"""


def machine() -> str:
    """The architecture as the kernel names it; empty on Windows. `platform` costs its import."""
    return os.uname().machine if sys.platform != "win32" else ""


@functools.cache
def numbers(machine: str) -> dict[str, int]:
    """The number of each known call on `machine`, as the kernel names it.

    Raises:
        KeyError: there is no table for that architecture.
    """
    column = _COLUMN[machine]
    groups = (*REFUSED, ATTRIBUTES, _CHECKED)
    entries = [entry.split() for group in groups for entry in group.split(",")]
    return {entry[0]: int(entry[column]) for entry in entries if entry[column] != "-"}


def names(group: str) -> list[str]:
    """The names in a group of the table."""
    return [entry.split()[0] for entry in group.split(",")]


REFUSED = (_PROCESSES, _IDENTITY, _NETWORK, _MOUNTS, _FILES, _KERNEL)
"""The groups that nothing inside may call."""
