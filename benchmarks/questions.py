"""The 25 read-only questions that every contender asks: one line of output each, the same on every look."""

from __future__ import annotations

COMMANDS = (
    "uname -r",
    "uname -m",
    "cat /proc/sys/kernel/ostype",
    "cat /proc/sys/kernel/pid_max",
    "cat /proc/sys/vm/swappiness",
    "cat /proc/sys/fs/file-max",
    "grep -c ^processor /proc/cpuinfo",
    "awk '/^MemTotal/ {print $2}' /proc/meminfo",
    "awk '/^SwapTotal/ {print $2}' /proc/meminfo",
    "grep -c . /etc/shells",
    "grep -c . /etc/hosts",
    "awk -F: '$3 == 0 {print $1}' /etc/passwd",
    "stat -c %a /etc/passwd",
    "stat -c %a /tmp",
    "stat -c %U:%G /etc/group",
    "df -P / | awk 'NR == 2 {print $1, $6}'",
    "df -P -i / | awk 'NR == 2 {print $6}'",
    "awk '$2 == \"/\" {print $3; exit}' /proc/mounts",
    "ls /sys/class/net | tr '\\n' ' '",
    "grep -c . /etc/services",
    "readlink /etc/localtime || echo UTC",
    "grep ^ID= /etc/os-release",
    "umask",
    "id -un",
    "echo $((6 * 7))",
)


def checklist() -> str:
    """The same questions as a maintops checklist (JSON is YAML)."""
    import json

    checks = [
        {"id": f"BM-{number:03d}", "title": command, "command": command, "parse": "text"}
        for number, command in enumerate(COMMANDS, start=1)
    ]
    for check in checks:
        rule = {"when": "exit_status != 0", "severity": "warning", "finding": "it failed"}
        check["rules"] = [rule]  # type: ignore[assignment]  # as in a real checklist, every answer is judged
    return json.dumps(
        {
            "checklist": "benchmark",
            "title": "25 questions",
            "service": "inspection",
            "cadence": {"every": "day"},
            "checks": checks,
        },
        indent=1,
    )


def playbook() -> str:
    """The same questions as 25 Ansible tasks."""
    import json

    tasks = [
        {"name": f"BM-{number:03d}", "ansible.builtin.shell": command, "changed_when": False}
        for number, command in enumerate(COMMANDS, start=1)
    ]
    return json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}], indent=1)


def pyinfra_deploy() -> str:
    """The same questions as 25 pyinfra operations."""
    lines = ["from pyinfra.operations import server", ""]
    lines += [
        f"server.shell(name='BM-{number:03d}', commands=[{command!r}])"
        for number, command in enumerate(COMMANDS, start=1)
    ]
    return "\n".join(lines) + "\n"
