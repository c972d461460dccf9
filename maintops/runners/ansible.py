"""The ansible engine: scripts carried by Ansible, over every kind of connection that it knows."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maintops.domain.ports import (
    Clock,
    Content,
    Deed,
    Delivery,
    Done,
    Failure,
    FailureKind,
    Preview,
    Pulse,
    Reply,
    Stop,
    Trip,
)
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.runners import ansible_deeds as deeds
from maintops.runners import ansible_plays as plays
from maintops.runners.addresses import HostKeys
from maintops.runners.ansible_previews import Rehearsal, content_environment, content_variables, role_play, tasks_play
from maintops.runners.ansible_process import AnsibleProcess, Job
from maintops.runners.ansible_rounds import Errand, Round

TICK = 0.25
"""Seconds between two looks at the clock and at `stop`."""

PULSE_EVERY = 15.0
"""Seconds between two pulses."""

STUCK = 60.0
"""Seconds without any news, beyond a server's own time, after which Ansible is taken to hang."""

READING = 120.0
"""Seconds that Ansible may take to read the inventory."""


class AnsibleRunner:
    """A Runner, Previewer and Doer over ansible-playbook, started through ansible-runner under a supervisor.

    `inventory_sources` are what `-i` of Ansible takes; templates, plug-ins, vaults and variables in them are Ansible's
    to resolve. `known_hosts` is the one file to verify host keys with (None: the files that OpenSSH would use) and
    `host_keys` what becomes of unknown ones, on bastions too; no inventory weakens it. `connect_timeout`: seconds.
    `retries` is how often a connection that was refused, reset or not answered is tried again.
    """

    name = "ansible"

    def __init__(
        self,
        inventory_sources: Sequence[str],
        *,
        known_hosts: Path | None,
        host_keys: HostKeys,
        clock: Clock,
        vault_password_file: Path | None = None,
        connect_timeout: float = 10,
        retries: int = 1,
        pulse_every: float = PULSE_EVERY,
    ) -> None:
        self._sources = plays.sources(inventory_sources)
        self._policy = plays.Policy(known_hosts, host_keys)
        self._clock, self._vault_password_file = clock, vault_password_file
        self._connect_timeout, self._retries, self._pulse_every = connect_timeout, retries, pulse_every

    def refusal(self, server: Server) -> str | None:
        """None: whatever Ansible can reach can be asked."""
        return None

    # --- asking -------------------------------------------------------------------------------------------------------

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        """Asks all servers in one run of ansible-playbook (see ports.Runner).

        Another run asks those again whose connection failed in passing; and where Ansible itself broke down, it goes on
        with those whose turn had not come, as long as each run gets further than the one before.
        """
        yield from (self._refuse(trip) for trip in trips if not all(map(plays.fits, trip.scripts)))
        errand = Errand([trip for trip in trips if all(map(plays.fits, trip.scripts))], self._clock, self._retries)
        for round_ in errand.rounds():
            for arrival in self._carry(round_, forks, stop):
                sifted = errand.sift(arrival) if isinstance(arrival, Delivery) else arrival
                if sifted is not None:
                    yield sifted
            if round_.stopped is not None:
                yield from errand.held
                return

    def _refuse(self, trip: Trip) -> Delivery:
        why = f"its script is too long for one command (packed, more than {plays.LONGEST} bytes): split the checklist"
        now = self._clock()
        return Delivery(
            trip.server.name, (Reply(b"", Failure(FailureKind.UNREACHABLE, why)),) * len(trip.scripts), now, now
        )

    def _carry(self, round_: Round, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        """One run of ansible-playbook, to its end or to the reason that `stop` gives."""
        process = AnsibleProcess(lambda folder: self._trip_job(folder, round_.waiting, forks))
        try:
            missing = yield from self._listen(process, round_, stop)
        finally:
            process.close()
        yield from round_.deliver_flights(missing)
        if round_.stopped is None and not round_.has_begun:
            yield from round_.deliver_waiting()

    def _listen(self, process: AnsibleProcess, round_: Round, stop: Stop) -> Generator[Delivery | Pulse, None, Failure]:
        """Yields what arrives; returns what to say of servers whose answer never does."""
        heard = pulsed = time.monotonic()
        while not round_.is_over and (news := process.news(TICK)) is not None:
            yield from filter(None, map(round_.hear, news))
            now = time.monotonic()
            heard = now if news else heard
            if (reason := stop()) is not None:
                round_.stopped = reason
                while more := process.news(0):
                    yield from filter(None, map(round_.hear, more))
                return Failure(FailureKind.STOPPED, reason, blind=True)
            if now > heard + self._patience(round_):
                return Failure(FailureKind.OVERTIME, "Ansible did not end the script within its own time")
            if now >= pulsed + self._pulse_every:
                pulsed = now
                yield Pulse(round_.in_flight)
        return Failure(FailureKind.BROKEN, "Ansible ended in the middle of the script")

    # --- previewing ---------------------------------------------------------------------------------------------------

    def preview(
        self, content: Content, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Preview | Pulse]:
        """Runs content in check mode on some servers (see ports.Previewer).

        A playbook that Ansible cannot run at all is every server's failure, with file, line and reason. A task that
        failed is a task whose status says so. `timeout` (seconds) is for the whole run.
        """
        if not servers:
            return
        rehearsal = Rehearsal(servers)
        missing = yield from self._rehearse(rehearsal, content, servers, ["--check", "--diff"], forks, timeout, stop)
        if missing is not None:
            yield from rehearsal.cut(missing)
            return
        addressed = None
        if rehearsal.status and rehearsal.untouched:  # not addressed, or not reached because others failed
            listing = Rehearsal(servers)
            yield from self._rehearse(listing, content, servers, ["--list-hosts"], forks, READING, stop)
            addressed = listing.hosts
        yield from rehearsal.previews(addressed)

    def _rehearse(
        self,
        rehearsal: Rehearsal,
        content: Content,
        servers: Sequence[Server],
        more: Sequence[str],
        forks: int,
        timeout: float,
        stop: Stop,
    ) -> Generator[Pulse, None, Failure | None]:
        """One run of ansible-playbook; returns why it was cut short, None where it was not."""
        process = AnsibleProcess(lambda folder: self._content_job(folder, content, servers, more, forks))
        try:
            return (yield from self._attend(process, rehearsal, timeout, stop))
        finally:
            process.close()

    def _attend(
        self, process: AnsibleProcess, rehearsal: Rehearsal, timeout: float, stop: Stop
    ) -> Generator[Any, None, Failure | None]:
        """Hears a run of content to its end; yields pulses and what the rehearsal knows early."""
        began = pulsed = time.monotonic()
        while not rehearsal.is_over and (news := process.news(TICK)) is not None:
            yield from _taken_in(rehearsal, news)
            now = time.monotonic()
            if (failure := _cut(now > began + timeout, timeout, stop)) is not None:
                while more := process.news(0):
                    yield from _taken_in(rehearsal, more)
                return None if rehearsal.is_over else failure
            if now >= pulsed + self._pulse_every:
                pulsed = now
                yield Pulse(rehearsal.in_flight)
        return None

    # --- doing --------------------------------------------------------------------------------------------------------

    def do(
        self, deed: Deed, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Done | Pulse]:
        """Runs content for real, in one run of ansible-playbook (see ports.Doer).

        A server was done when Ansible brought it through all of the content; whatever else a recap says, one that was
        given up on the way is BROKEN. All together may take `timeout` seconds for each round of `forks` servers, and
        some to read the inventory.
        """
        if not servers:
            return
        if mistake := deeds.deed_mistake(deed):
            yield from (Done(server.name, Failure(FailureKind.UNUSABLE, mistake)) for server in servers)
            return
        undertaking = deeds.Undertaking(deeds.confidants(deed, servers))
        try:
            process = AnsibleProcess(lambda folder: self._deed_job(folder, deed, servers, forks))
        except (OSError, UsageError) as error:
            yield from undertaking.cut_off(Failure(FailureKind.BROKEN, f"Ansible could not be started: {error}"))
            return
        rounds = math.ceil(len(servers) / max(1, forks))
        try:
            missing = yield from self._attend(process, undertaking, timeout * rounds + READING, stop)
        finally:
            process.close()
        yield from undertaking.done() if missing is None else undertaking.cut_off(missing)

    # --- what Ansible is given ----------------------------------------------------------------------------------------

    def _content_job(
        self, folder: str, content: Content, servers: Sequence[Server], more: Sequence[str], forks: int
    ) -> Job:
        job = self._job(folder, servers, content_variables(content), forks, share=True)
        job["arguments"] += f" {shlex.join(more)}"
        job["environment"] |= content_environment(content)
        if content.playbook is not None:
            job["playbook"] = content.playbook
        else:
            job["files"]["play.json"] = tasks_play(content.tasks) if content.tasks else role_play(content.role or "")
        return job

    def _deed_job(self, folder: str, deed: Deed, servers: Sequence[Server], forks: int) -> Job:
        job = self._job(folder, servers, deeds.deed_variables(deed, servers), forks, share=True)
        job["environment"] |= content_environment(deeds.deed_content(deed)) | {"ANSIBLE_PIPELINING": "1"}
        job["files"]["play.json"] = deeds.deed_play(deed)
        job["links"] |= deeds.deed_links(deed)
        return job

    def _patience(self, round_: Round) -> float:
        """Seconds without news after which Ansible is taken to hang."""
        own = [plays.budget(trip, self._connect_timeout) * len(trip.scripts) for trip in round_.asking]
        return STUCK + max(own, default=READING)

    def _trip_job(self, folder: str, trips: Sequence[Trip], forks: int) -> Job:
        play, variables = plays.trip_play(trips, self._connect_timeout)
        share = any(len(trip.scripts) > 1 for trip in trips)
        job = self._job(folder, [trip.server for trip in trips], variables, forks, share=share)
        job["files"]["play.json"] = play
        return job

    def _job(
        self, folder: str, servers: Sequence[Server], variables: Mapping[str, Any], forks: int, *, share: bool
    ) -> Job:
        """What any run needs, but for the playbook, which is play.json in the folder where nobody says otherwise."""
        policy = self._policy
        everything = {**variables, **plays.connection_variables(folder, policy, servers, share=share)}
        return Job(
            folder=folder,
            files=plays.connection_files(folder, policy)
            | {"vars.json": json.dumps(everything), "limit": plays.limit(servers)},
            links=plays.connection_links(policy) | plays.key_links(servers),
            cwd=f"{folder}/{plays.HERE}",
            playbook=f"{folder}/play.json",
            inventory=self._sources,
            arguments=plays.arguments(folder, self._vault_password_file),
            forks=max(1, min(forks, len(servers))),
            environment=plays.ansible_variables(folder, self._connect_timeout),
        )


def _taken_in(rehearsal: Rehearsal, news: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    for told in news:
        rehearsal.hear(told)
    yield from rehearsal.early()


def _cut(is_late: bool, timeout: float, stop: Stop) -> Failure | None:
    """Why a run of content must end now."""
    if (reason := stop()) is not None:
        return Failure(FailureKind.STOPPED, reason)
    return Failure(FailureKind.OVERTIME, f"Ansible did not end within {timeout:.0f} seconds") if is_late else None
