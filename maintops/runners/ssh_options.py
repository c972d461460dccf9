"""OpenSSH's client options: which of them the ssh engine obeys, which it may pass over, and which it must refuse.

Options come from the arguments that an inventory gives (`ansible_ssh_common_args` and its siblings) and from the
client's configuration files (ssh_config(5)). Whatever is in neither list here is refused by name: that server is then
asked by Ansible, whose OpenSSH client knows every option.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

Options = dict[str, list[str]]
"""Values by lower-case keyword. ProxyJump and ProxyCommand compete, so they share the keyword `proxy`, with the values
`jump …` and `command …`. Only IdentityFile has more than one value."""


class Unsupported(Exception):
    """The ssh engine cannot ask this server; the message says why, in words for people, and holds no secret."""


OBEYED = frozenset(
    {
        "connecttimeout",
        "globalknownhostsfile",
        "hostname",
        "identitiesonly",
        "identityfile",
        "port",
        "proxy",
        "serveraliveinterval",
        "stricthostkeychecking",
        "user",
        "userknownhostsfile",
    }
)

# Nothing that is asked here depends on these: no terminal, no forwarding, no multiplexing, one connection per server.
_PASSED_OVER = frozenset(
    {
        "addkeystoagent",
        "batchmode",
        "challengeresponseauthentication",
        "checkhostip",
        "clearallforwardings",
        "compression",
        "connectionattempts",
        "controlmaster",
        "controlpath",
        "controlpersist",
        "dynamicforward",
        "enableescapecommandline",
        "escapechar",
        "exitonforwardfailure",
        "fingerprinthash",
        "forwardagent",
        "forwardx11",
        "forwardx11timeout",
        "forwardx11trusted",
        "hashknownhosts",
        "ipqos",
        "kbdinteractiveauthentication",
        "localcommand",
        "localforward",
        "loglevel",
        "logverbose",
        "numberofpasswordprompts",
        "passwordauthentication",
        "permitlocalcommand",
        "permitremoteopen",
        "remoteforward",
        "requesttty",
        "sendenv",
        "serveralivecountmax",
        "setenv",
        "streamlocalbindmask",
        "streamlocalbindunlink",
        "syslogfacility",
        "tcpkeepalive",
        "updatehostkeys",
        "visualhostkey",
        "xauthlocation",
    }
)

# Passed over with these values only; with any other one they ask for something that is not offered here.
_HARMLESS: Mapping[str, frozenset[str]] = {
    "gssapiauthentication": frozenset({"no"}),
    "gssapidelegatecredentials": frozenset({"no"}),
    "hostbasedauthentication": frozenset({"no"}),
    "pubkeyauthentication": frozenset({"yes"}),
    "pkcs11provider": frozenset({"none"}),
    "canonicalizehostname": frozenset({"no"}),
    "verifyhostkeydns": frozenset({"no"}),
    "addressfamily": frozenset({"any"}),
}

_REASONS: Mapping[str, str] = {
    "gssapiauthentication": "GSSAPI (Kerberos) logins",
    "pkcs11provider": "PKCS#11 keys",
    "securitykeyprovider": "hardware (FIDO) keys",
    "certificatefile": "certificates in files of their own",
}

_AUTHENTICATIONS = frozenset({"publickey", "password", "keyboard-interactive"})


def keep(options: Options, keyword: str, value: str) -> None:
    """Notes an option as OpenSSH does: the first value counts, IdentityFile gathers."""
    name = keyword.lower()
    if name in ("proxyjump", "proxycommand"):
        name, value = "proxy", f"{name.removeprefix('proxy')} {value}"
    values = options.setdefault(name, [value])
    if name == "identityfile" and value not in values:
        values.append(value)


def merge(layers: Iterable[Options]) -> Options:
    """One set of options from several, the most important first."""
    merged: Options = {}
    for layer in layers:
        for name, values in layer.items():
            if name == "identityfile":
                merged.setdefault(name, []).extend(one for one in values if one not in merged.get(name, ()))
            else:
                merged.setdefault(name, values)
    return merged


def check_options(options: Options, source: str) -> None:
    """Raises Unsupported, naming the option and where it comes from, unless all of them are obeyed or harmless."""
    for name, values in options.items():
        if name not in OBEYED and name not in _PASSED_OVER and not _harmless(name, values[0]):
            what = f": the ssh engine does not offer {_REASONS[name]}" if name in _REASONS else ""
            raise Unsupported(f"{source} sets {name}{what or ', which the ssh engine does not know'}")


def _harmless(name: str, value: str) -> bool:
    if name == "preferredauthentications":
        return set(value.lower().split(",")) <= _AUTHENTICATIONS
    return value.lower() in _HARMLESS.get(name, ())


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


# --- arguments of the ssh program -------------------------------------------------------------------------------------

_FLAGS = frozenset("CqvTxan")
"""Switches that change nothing here: compression, how much is said, no terminal, no forwarding."""

_KEYWORDS: Mapping[str, str] = {
    "i": "IdentityFile",
    "J": "ProxyJump",
    "l": "User",
    "p": "Port",
    "S": "ControlPath",
}


def read_arguments(text: str, source: str) -> Options:
    """The options that ssh arguments set, such as `-o ProxyJump=gate -p 2222`.

    Raises Unsupported for an argument that the ssh engine does not know; `source` says where they come from.
    """
    options: Options = {}
    rest = _scan(split(text, source), options, source, lambda letter, value: False)
    if rest:
        raise Unsupported(f"{source} has the argument {_short(rest[0])}, which the ssh engine does not know")
    return options


def read_forwarder(text: str, source: str) -> tuple[str, Options]:
    """The bastion in a ProxyCommand of the form `ssh -W %h:%p [OPTIONS] [USER@]HOST`: `[USER@]HOST` and the options.

    Raises Unsupported for every other command: none is ever run here.
    """
    words = split(text, source)
    if not words or words[0].rpartition("/")[2] != "ssh":
        raise Unsupported(f"{source} has a ProxyCommand other than `ssh -W %h:%p HOST`")
    options: Options = {}
    forwards: list[str] = []

    def forward(letter: str, value: str) -> bool:
        forwards.append(value)
        return letter == "W"

    rest = _scan(words[1:], options, source, forward)
    if len(rest) != 1 or forwards not in (["%h:%p"], ["[%h]:%p"]) or "proxy" in options:
        raise Unsupported(f"{source} has a ProxyCommand other than `ssh -W %h:%p HOST`")
    return rest[0], options


def split(text: str, source: str) -> list[str]:
    """Words as a shell splits them; raises Unsupported where a quotation is not closed."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Unsupported(f"{source} cannot be read: {str(error).lower()}") from error


def _scan(words: list[str], options: Options, source: str, extra: Callable[[str, str], bool]) -> list[str]:
    """Reads leading and mixed options, getopt's way; returns the words that are none."""
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word.startswith("-") and len(word) > 1:
            _switches(word, waiting, options, source, extra)
        else:
            rest.append(word)
    return rest


def _switches(
    word: str, waiting: Iterator[str], options: Options, source: str, extra: Callable[[str, str], bool]
) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in _FLAGS:
            continue
        value = letters or next(waiting, "")
        if not _take(letter, value, options) and not extra(letter, value):
            raise Unsupported(f"{source} has the argument -{letter}, which the ssh engine does not know")
        return


def _take(letter: str, value: str, options: Options) -> bool:
    if letter == "o":
        keyword, _, setting = value.replace("=", " ", 1).strip().partition(" ")
        keep(options, keyword, setting.strip())
        return bool(keyword)
    if letter in _KEYWORDS and value:
        keep(options, _KEYWORDS[letter], value)
        return True
    return False
