"""Whether incoming packets are filtered, from the kernel's own rules: `nft list ruleset` and `iptables-save`.

ufw and firewalld are seen by the rules that they leave. Formats: nft(8), iptables-save(8). The server drops everything
of a rule but its verdicts before it answers: hosts of containers have tens of thousands of rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import RECORDED, recording_in, silence

# iptables-save alone loads no module: with -t, the older iptables would load the one for that table.
_QUESTION = r"""
nft_rules() {
  rules=$(nft -t list ruleset 2>/dev/null) || rules=$(nft list ruleset 2>&1) || {
    status=$?; printf '%s\n' "$rules" | head -n 3; return $status; }
  printf '%s\n' "$rules" | awk '
    /^\t\t/ && !/^\t\ttype / {
      if (!chain) next
      gsub(/"[^"]*"/, "")
      verdicts = ""
      while (match($0, /[ \t](drop|reject|(jump|goto) [^ ,}]+)/)) {
        verdicts = verdicts " " substr($0, RSTART + 1, RLENGTH - 1)
        $0 = substr($0, RSTART + RLENGTH)
      }
      print "\t\trule" verdicts
      next
    }
    { chain = /^\tchain /; if (/^(table |\tchain |\t\ttype |\t?})/) print; if (/^\t\ttype /) chain = 1 }'
}
saved() {
  rules=$("$1" 2>&1) || { status=$?; printf '%s\n' "$rules" | head -n 3; return $status; }
  printf '%s\n' "$rules" | awk '
    /^-A / {
      gsub(/"[^"]*"/, "")
      target = ""
      for (place = 3; place < NF; place++) if ($place == "-j" || $place == "-g") target = " -j " $(place + 1)
      print $1, $2 target
      next
    }
    /^[*:#]/'
}
older() {  # rules of the older iptables, which today's iptables-save does not show
  grep -q . "/proc/net/$1_tables_names" 2>/dev/null && command -v "$1tables-legacy-save" 2>/dev/null
}
part uid id -u
part nft nft_rules
part ip4 saved "$(older ip || echo iptables-save)"
part ip6 saved "$(older ip6 || echo ip6tables-save)"
part addresses grep -E '^[0-9a-f]{32} [0-9a-f]+ [0-9a-f]+ 00 ' /proc/net/if_inet6
"""

UFW, FIREWALLD = "ufw", "firewalld"
"""Parts with what ufw and firewall-cmd say of themselves."""

_TABLE = re.compile(r"table (\S+) (\S+) \{(?: #.*)?")
_CHAIN = re.compile(r"\tchain (\S+) \{(?: #.*)?")
_HOOK = re.compile(r"\t\ttype filter hook input\b.*")
_POLICY = re.compile(r"\bpolicy (accept|drop)\b")
_QUOTED = re.compile(r'"[^"]*"')
_VERDICT = re.compile(r"(?<=[\s:])(?:(drop|reject)\b|(?:jump|goto) ([^\s,}]+))")
_SAVED_CHAIN = re.compile(r":(\S+) (ACCEPT|DROP|REJECT|QUEUE|-)(?: \[.*\])?\s*")
_SAVED_RULE = re.compile(r"-A (\S+)(?:.*? -[jg] (\S+))?.*")
_UFW_POLICY = re.compile(r"(?m)^Default: (deny|reject|allow) \(incoming\)")
_LEGACY = "legacy tables present"  # nft's remark on rules of the older iptables, which it does not show
_NO_TOOL, _NO_MATCH = 127, 1
_NO_RIGHT = re.compile(r"permission denied|not permitted|must be root", re.I)


@dataclass(slots=True)
class _Chain:
    rules: int = 0
    filters: bool = False
    targets: set[str] = field(default_factory=set)
    policy: str | None = None  # set on chains that incoming packets enter first


@dataclass(slots=True)
class _Table:
    """`families`: 4 and 6, as far as its chains see packets of them."""

    name: str
    families: frozenset[int]
    tool: str
    chains: dict[str, _Chain] = field(default_factory=dict)

    def guards(self) -> bool:
        """A packet that comes in can be refused: by the policy, or by a rule on its way."""
        entries = [name for name, chain in self.chains.items() if chain.policy is not None]
        if any(self.chains[name].policy == "drop" for name in entries):
            return True
        return any(self.chains[name].filters for name in self._reached(entries))

    def _reached(self, names: Iterable[str]) -> set[str]:
        reached: set[str] = set()
        ahead = list(names)
        while ahead:
            name = ahead.pop()
            if name in self.chains and name not in reached:
                reached.add(name)
                ahead += self.chains[name].targets
        return reached


_FAMILIES = {"ip": frozenset({4}), "ip6": frozenset({6}), "inet": frozenset({4, 6})}


def question(parameters: Mapping[str, Any]) -> str:
    """The rules of nftables and of iptables, and whether there is an IPv6 address to protect."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if RECORDED in found:
        return _recorded(found)
    if not {"uid", "nft", "ip4", "ip6", "addresses"} <= found.keys():
        raise UnreadableAnswer("the answer about the firewall is not whole")
    nft = found["nft"]
    tables = _nft(nft.text) if nft.status == 0 else []
    seen = nft.status == 0
    for name, family in (("ip4", 4), ("ip6", 6)):
        part = found[name]
        if part.status == 0 and not (nft.status == 0 and "(nf_tables)" in part.text):  # else they are known by now
            if "is incompatible, use 'nft' tool" in part.text:
                return NotMeasured("there are rules of nftables, but the command nft is not installed")
            tables += _saved(part.text, family)
            seen = True
    if not seen:
        return _unseen(found)
    return Measured((_server(tables, found["addresses"]),))


def _recorded(found: Mapping[str, Part]) -> Reading:
    """One side only: the rules of one tool, or what ufw or firewalld say of themselves. Whether the server has an IPv6
    address to protect is never known."""
    if UFW in found:  # whatever its policy, it refuses packets that belong to no connection
        policy = _UFW_POLICY.search(found[UFW].text)
        policies = {"input_policy": "accept" if policy[1] == "allow" else "drop"} if policy else {}
        return Measured((SubjectFacts(None, {"active": True, "kind": "ufw", **policies}),))
    if FIREWALLD in found:
        refusing = found[FIREWALLD].text.strip() not in ("", "ACCEPT")
        if not refusing:
            return NotMeasured("firewalld lets in what no rule refuses; its single rules are not looked at")
        return Measured((SubjectFacts(None, {"active": True, "kind": "firewalld"}),))
    if not {"nft", "ip4", "ip6"} <= found.keys():
        raise UnreadableAnswer("the answer about the firewall is not whole")
    if found["nft"].status == 0:
        facts = _rules(_nft(found["nft"].text))
        return Measured((SubjectFacts(None, _certain(facts) if _LEGACY in found["nft"].text else facts),))
    facts = _certain(_rules(_saved(found["ip4"].text, 4)))
    if not facts:
        return NotMeasured("iptables refuses nothing; whether rules of nftables do is not known")
    return Measured((SubjectFacts(None, facts),))


def _certain(facts: dict[str, Any]) -> dict[str, Any]:
    """What the rules of one of two tools tell: that a packet is refused; never that none is, nor how many rules are."""
    sure = {name: facts[name] for name in ("active", "kind") if facts["active"]}
    return sure | ({"input_policy": "drop"} if facts["input_policy"] == "drop" else {})


def _rules(tables: list[_Table]) -> dict[str, Any]:
    guards = [table for table in tables if table.guards()]
    return {
        "active": any(4 in table.families for table in guards),
        "kind": _kind(guards),
        "rules": sum(chain.rules for table in tables for chain in table.chains.values()),
        "input_policy": _policy(tables, 4),
    }


def _unseen(found: Mapping[str, Part]) -> NotMeasured:
    tools = [found[name] for name in ("nft", "ip4")]
    if all(part.status == _NO_TOOL for part in tools):
        return NotMeasured("neither nft nor iptables is installed")
    if found["uid"].text.strip() != "0" or any(_NO_RIGHT.search(part.text) for part in tools):
        return NotMeasured("no right to see the firewall's rules: root alone may")
    return NotMeasured("neither nft nor iptables can list the rules")


def _server(tables: list[_Table], addresses: Part) -> SubjectFacts:
    guards = [table for table in tables if table.guards()]
    facts = _rules(tables)
    if addresses.status not in (0, _NO_MATCH) or not addresses.output.strip():
        return SubjectFacts(None, facts, frozenset({"active_ipv6", "input_policy_ipv6"}))
    facts |= {
        "active_ipv6": any(6 in table.families for table in guards),
        "input_policy_ipv6": _policy(tables, 6),
    }
    return SubjectFacts(None, facts)


def _kind(guards: list[_Table]) -> str:
    chains = {name for table in guards for name in table.chains}
    if any(table.name == "firewalld" for table in guards) or any(name.startswith("INPUT_ZONES") for name in chains):
        return "firewalld"
    if any(name.startswith(("ufw-", "ufw6-")) for name in chains):
        return "ufw"
    return guards[0].tool if guards else "none"


def _policy(tables: list[_Table], family: int) -> str:
    """What becomes of an incoming packet that no rule speaks of; one drop is enough."""
    mine = [chain.policy for table in tables if family in table.families for chain in table.chains.values()]
    return "drop" if "drop" in mine else "accept"


def _nft(text: str) -> list[_Table]:
    tables: list[_Table] = []
    table: _Table | None = None
    chain: _Chain | None = None
    for line in text.split("\n"):
        if (match := _TABLE.fullmatch(line)) is not None:
            table = _Table(match[2], _FAMILIES.get(match[1], frozenset()), "nftables")
            chain = None
            tables.append(table)
        elif line.strip() and table is None and not line.startswith("#"):
            raise UnreadableAnswer(f"not a ruleset of nft: {line[:80]!r}")
        elif table is not None and (match := _CHAIN.fullmatch(line)) is not None:
            chain = table.chains.setdefault(match[1], _Chain())
        elif line.startswith(("\t}", "}")):
            chain = None
        elif table is not None and chain is not None and line.startswith("\t\t"):
            _nft_rule(table, chain, line)
    return tables


def _nft_rule(table: _Table, chain: _Chain, line: str) -> None:
    if line.startswith("\t\ttype "):
        if _HOOK.fullmatch(line) is not None:
            policy = _POLICY.search(line)
            chain.policy = policy[1] if policy else "accept"
            if chain is table.chains.get("INPUT") and table.name == "filter":
                table.tool = "iptables"  # iptables of today keeps its rules in tables of nftables
        return
    chain.rules += 1
    for match in _VERDICT.finditer(_QUOTED.sub("", line)):
        chain.filters = chain.filters or match[1] is not None
        if match[2] is not None:
            chain.targets.add(match[2])


def _saved(text: str, family: int) -> list[_Table]:
    table = _Table("filter", frozenset({family}), "iptables")
    current = ""
    for line in text.split("\n"):
        if line.startswith("*"):
            current = line[1:].strip()
        elif current == "filter" and (match := _SAVED_CHAIN.fullmatch(line)) is not None:
            chain = table.chains.setdefault(match[1], _Chain())
            if match[1] == "INPUT":
                chain.policy = "drop" if match[2] == "DROP" else "accept"
        elif current == "filter" and (match := _SAVED_RULE.fullmatch(_QUOTED.sub("", line))) is not None:
            chain = table.chains.setdefault(match[1], _Chain())
            chain.rules += 1
            if match[2] in ("DROP", "REJECT"):
                chain.filters = True
            elif match[2] is not None:
                chain.targets.add(match[2])
        elif line.strip() and not current and not line.startswith("#"):
            raise UnreadableAnswer(f"not rules of iptables-save: {line[:80]!r}")
    return [table]


PROBE = Probe(
    name="firewall",
    title="Firewall",
    facts={
        "active": Fact("bool", "some rule or policy refuses incoming IPv4 packets"),
        "active_ipv6": Fact("bool", "the same for IPv6; not offered without an IPv6 address beyond the link"),
        "kind": Fact("str", "what made the rules: firewalld, ufw, nftables, iptables; none where nothing is refused"),
        "rules": Fact("int", "rules in all tables", "rules"),
        "input_policy": Fact("str", "what becomes of an incoming IPv4 packet that no rule speaks of: accept or drop"),
        "input_policy_ipv6": Fact("str", "the same for IPv6; not offered without an IPv6 address beyond the link"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_in("maintops.probes.firewall_recorded"),
)
