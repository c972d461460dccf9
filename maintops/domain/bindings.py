"""What of a server's inventory variables an approval binds, without keeping any of them."""

from __future__ import annotations

import hashlib
import json

from maintops.domain.parameters import PREFIX
from maintops.domain.servers import Server

_SECRET = ("pass", "secret", "token", "vault", "private_key_content")


def binding(server: Server, salt: str) -> str:
    """A digest (hex) of how a server is reached and what its inventory says to maintops: its variables `ansible_…` and
    `maintops_…`. Secrets are left out: a digest of a short password could be guessed. `salt` is the plan's id."""
    said = {
        name: value
        for name, value in server.variables.items()
        if name.startswith(("ansible_", PREFIX)) and not any(word in name for word in _SECRET)
    }
    text = json.dumps([salt, server.name, said], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
