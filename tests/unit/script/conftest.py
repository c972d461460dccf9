"""Places where scripts run: every shell of this machine, with the tools that a server may have or lack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.script.shells import PRESENT, SHELLS, Place, busybox_folder, shell_folder, tool_folder

TOOLS = {
    "no timeout": ["timeout"],
    "no setsid": ["setsid"],
    "neither": ["timeout", "setsid", "renice", "ionice", "id"],
    "not nice": ["timeout", "renice", "ionice"],
}
"""What some sets of tools lack."""

PLACES = [
    *((shell, tools) for shell in SHELLS for tools in ("all tools", "neither")),
    ("dash", "no timeout"),
    ("bash as sh", "no setsid"),
    ("busybox", "applets only"),
]


@pytest.fixture(scope="session")
def find_place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Place]:
    folders = {}
    root = tmp_path_factory.mktemp("tools")

    def build(name: str) -> None:
        folder = root / name.replace(" ", "-")
        if name in SHELLS:
            folders[name] = shell_folder(folder, name)
        elif name == "applets only":
            folders[name] = busybox_folder(folder)
        else:
            folders[name] = tool_folder(folder, TOOLS.get(name, ["head", "timeout"]))

    def find(shell: str, tools: str) -> Place:
        if shell not in PRESENT:
            pytest.skip(f"this machine has no {SHELLS[shell][0]} (apt install {SHELLS[shell][0]})")
        if tools == "all tools":
            return Place(shell)
        for name in (shell, tools):
            if name not in folders:
                build(name)
        return Place(shell, (folders[shell], folders[tools]))

    return find


@pytest.fixture(params=PLACES, ids=", ".join)
def place(request: pytest.FixtureRequest, find_place: Callable[[str, str], Place]) -> Place:
    """Every shell, and every set of tools, one after the other."""
    return find_place(*request.param)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, find_place: Callable[[str, str], Place]) -> Place:
    """Every shell, with all tools of the machine."""
    return find_place(request.param, "all tools")
