"""A clock that can be set, for the processes of one desk alone.

    clock = Clock(tmp_path / "clock")
    clock.set(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    desk.environment = {**desk.environment, **clock.environment}
    running = Running(desk, ...)
    clock.step(hours=-1)              # in the middle of it

A few lines of C, loaded before the C library, add to the time of day what a file says. What counts seconds (the
monotonic clocks, and with them every sleep) stays as it is, and so do the times of files: as where somebody sets a
machine's clock. libfaketime is no way to that: before 0.9.11 it breaks the sleep of Python 3.11 unless it steps the
monotonic clock too.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lab.sshd import program

_AHEAD = struct.Struct("=q")
"""How far it is ahead of the machine's clock, in nanoseconds."""

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const volatile long long *ahead;

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("LAB_CLOCK");
    int handle = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (handle < 0)
        return;
    void *seen = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, handle, 0);
    close(handle);
    if (seen != MAP_FAILED)
        ahead = seen;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = syscall(SYS_clock_gettime, clock, now);
    if (status == 0 && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long whole = now->tv_sec * SECOND + now->tv_nsec + *ahead;
        now->tv_sec = whole / SECOND;
        now->tv_nsec = whole % SECOND;
    }
    return status;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now)
        *now = found.tv_sec;
    return found.tv_sec;
}
"""


class Clock:
    """The time of some processes. `file` says how far it is from the machine's, `zone` (an IANA name) by what the walls
    go there. Raises FleetUnavailable without a C compiler."""

    def __init__(self, file: Path, zone: str = "Europe/Berlin") -> None:
        self._file, self._zone, self._library = file, zone, file.with_suffix(".so")
        source = file.with_suffix(".c")
        source.write_text(_SOURCE)
        compiler = program("cc", "gcc libc6-dev")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self._library, source], check=True)
        self._ahead = timedelta()
        self._file.write_bytes(_AHEAD.pack(0))

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes processes go by it."""
        return {"LD_PRELOAD": str(self._library), "LAB_CLOCK": str(self._file), "TZ": self._zone}

    @property
    def now(self) -> datetime:
        """What it says, in UTC."""
        return datetime.now(UTC) + self._ahead

    def set(self, moment: datetime) -> None:
        """Sets it. `moment` is aware."""
        self._ahead = moment - datetime.now(UTC)
        self.step()

    def step(self, **by: float) -> None:
        """Steps it by hours, minutes, seconds (those of timedelta)."""
        self._ahead += timedelta(**by)
        with self._file.open("r+b", buffering=0) as file:  # in its place: that is what the processes have mapped
            file.write(_AHEAD.pack(self._ahead // timedelta(microseconds=1) * 1000))
