"""Servers, from any Ansible inventory: through the program `ansible-inventory` alone, which knows every format, plug-in
and pattern. Nothing of it is read or matched here a second time."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.files.hosts import Listing, group_names, host_names, read_servers
from maintops.files.programs import Output, run_programs
from maintops.files.wording import hint

TIMEOUT = 120.0
"""Seconds that Ansible may take to list an inventory."""

LARGEST_LISTING = 256 * 1024 * 1024
"""Bytes that a listing may have."""

_KEPT = ("PATH", "HOME", "USER", "LOGNAME")
_UNMATCHED = re.compile(r"Could not match supplied host pattern, ignoring:\s+(\S+)")
_BAD_PATTERN = re.compile(r"\[ERROR\]: ((?:No hosts matched the subscripted|Invalid host list) pattern.*)")
_UNPARSED = re.compile(r"Completely failed to parse inventory source (.*)")
_YAML = re.compile(r"YAML parsing failed: (.*?)\.?$", re.MULTILINE)
_PLACE = re.compile(r"^Origin: (.*:\d+:\d+)$", re.MULTILINE)
_SCRIPT = re.compile(r"Inventory script returned non-zero exit code (\d+)")


@dataclass(frozen=True, slots=True)
class _Inventory:
    """How Ansible is asked: the program, and the arguments that name the inventory."""

    program: str
    arguments: tuple[str, ...]

    def output(self, pattern: str | None) -> Output:
        """What Ansible prints for a pattern (None: every host); it takes half a second."""
        with tempfile.TemporaryDirectory(prefix="maintops-") as folder:
            settings = Path(folder, "empty.cfg")
            settings.touch()
            (output,) = run_programs(
                [self._command(pattern)],
                environment=_environment(folder, settings),
                folder=folder,
                timeout=TIMEOUT,
                limit=LARGEST_LISTING,
            )
        return output

    def _command(self, pattern: str | None) -> list[str]:
        limit = [] if pattern is None else [f"--limit={pattern}"]
        return [self.program, *self.arguments, "--list", *limit]


def ask(
    sources: Sequence[str],
    *,
    limit: str | None = None,
    vault_password_file: Path | str | None = None,
    program: str | None = None,
) -> Asked:
    """Begins to ask for the servers that match `limit`, a user's pattern, and returns at once: Ansible takes half a
    second, and there is other work to do.

    `sources` are inventories as Ansible's `-i` takes them. Raises UsageError for one that is not there, and for an
    empty limit.
    """
    if limit is not None and not limit.strip(" ,:"):
        raise UsageError("the limit is empty; leave it out to select every server")
    inventory = _Inventory(program or _program(), tuple(_arguments(sources, vault_password_file)))
    return Asked(inventory, limit, _begin(inventory, _limit(limit)))


@dataclass(frozen=True, slots=True)
class Asked:
    """An inventory that Ansible is reading, and the limit that it was asked about."""

    _inventory: _Inventory
    _limit: str | None
    _limited: Future[Output]

    def matching(self, hosts: str = "all") -> list[Server]:
        """The servers that match the pattern `hosts` of a checklist, and the limit, in the inventory's order.

        Raises UsageError for an inventory that cannot be read, a limit that names nothing, and variables of servers
        that make no sense (all at once); NothingSelected where no server matches.
        """
        # Ansible's patterns cannot say (a or b) and (c or d), so two patterns are two questions.
        chosen = self._limited if hosts == "all" else _begin(self._inventory, hosts)
        limited, listing = _listing(self._limited.result()), _listing(chosen.result())
        if self._limit is not None:
            _refuse_unmatched(self._inventory, self._limited.result(), "the limit")
        kept = set(host_names(limited))
        names = [name for name in host_names(listing) if name in kept]
        if not names:
            raise NothingSelected(_nothing(self._inventory, hosts, self._limit))
        if hosts != "all":
            _refuse_unmatched(self._inventory, chosen.result(), "the checklist's hosts")
        return read_servers(listing, names)


def _begin(inventory: _Inventory, pattern: str | None) -> Future[Output]:
    """Asks on a thread of its own, which the end of this process does not wait for: its keeper ends the program."""
    future: Future[Output] = Future()

    def work() -> None:
        try:
            future.set_result(inventory.output(pattern))
        except BaseException as error:
            future.set_exception(error)  # it is raised where the answer is wanted

    threading.Thread(target=work, daemon=True).start()
    return future


# --- asking ----------------------------------------------------------------------------------------------------------


def _program() -> str:
    beside = Path(sys.executable).parent / "ansible-inventory"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("ansible-inventory")
    if found is None:
        raise UsageError("the program ansible-inventory is not installed; pip install ansible-core")
    return found


def _environment(folder: str, settings: Path) -> dict[str, str]:
    """Nothing of where the user stands takes part: no ansible.cfg, no PYTHONPATH, no variable but a few."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_LOCAL_TEMP": folder,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        # Half an inventory would be servers that nobody looks at.
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    }


def _arguments(sources: Sequence[str], vault_password_file: Path | str | None) -> Iterator[str]:
    for source in sources:
        if "," in source:
            yield f"--inventory={source}"
        elif Path(source).exists():
            yield f"--inventory={Path(source).absolute()}"
        else:
            raise UsageError(f"there is no inventory {source}")
    if vault_password_file is not None:
        if not Path(vault_password_file).is_file():
            raise UsageError(f"there is no vault password file {vault_password_file}")
        yield f"--vault-password-file={Path(vault_password_file).absolute()}"


def _limit(limit: str | None) -> str | None:
    """A user's pattern; one that is read from a file (@FILE) with its absolute path."""
    if limit is None or not limit.startswith("@"):
        return limit
    file = Path(limit[1:])
    if not file.is_file():
        raise UsageError(f"there is no file {file} to read a limit from")
    return f"@{file.absolute()}"


# --- answers ---------------------------------------------------------------------------------------------------------


def _listing(output: Output) -> Listing:
    if output.status != 0:
        raise UsageError(_reason(output.stderr.decode("utf-8", "replace")))
    try:
        listing: Listing = json.loads(output.stdout)
    except ValueError:
        raise UsageError("ansible-inventory printed something that is not JSON") from None
    return listing


def _reason(stderr: str) -> str:
    """Why Ansible did not read the inventory. Only what is known to hold none of its content is taken over: Ansible's
    own words quote lines, which may hold passwords."""
    bad_pattern = _BAD_PATTERN.search(stderr)
    if bad_pattern:
        return bad_pattern[1]
    unparsed = _UNPARSED.search(stderr)
    name = f"the inventory {unparsed[1]}" if unparsed else "the inventory"
    return f"{name} cannot be read: {_why(stderr)}"


def _why(stderr: str) -> str:
    if "no vault secrets found" in stderr:
        return "it holds something encrypted; set vault_password_file to the file with the vault's password"
    if "Decryption failed" in stderr or "vaulttext format error" in stderr:
        return "something in it cannot be decrypted with the vault password file that is set"
    script, yaml = _SCRIPT.search(stderr), _YAML.search(stderr)
    if script:
        return f"the script ended with exit code {script[1]}"
    if yaml:
        place = _PLACE.search(stderr)
        return f"{place[1] + ': ' if place else ''}{yaml[1]}"
    return "no plug-in of Ansible understands it; `ansible-inventory -i INVENTORY --list` says more"


def _refuse_unmatched(inventory: _Inventory, output: Output, what: str) -> None:
    """A part of a pattern that names nothing is a slip of the pen: Ansible would leave it out and go on."""
    unmatched = list(dict.fromkeys(_UNMATCHED.findall(output.stderr.decode("utf-8", "replace"))))
    if unmatched:
        everything = _listing(inventory.output(None))
        known = [*host_names(everything), *group_names(everything)]
        told = "; ".join(f"{name!r}{hint(name, known, 3)}" for name in unmatched)
        raise UsageError(f"{what} names no server or group of the inventory: {told}")


def _nothing(inventory: _Inventory, hosts: str, limit: str | None) -> str:
    count = len(host_names(_listing(inventory.output(None))))
    if count == 0:
        return "the inventory has no servers"
    said = [f"the checklist's hosts {hosts!r}"] if hosts != "all" else []
    said += [f"the limit {limit!r}"] if limit is not None else []
    return f"no server matches {' and '.join(said)}; the inventory has {count} server{'s' if count != 1 else ''}"
