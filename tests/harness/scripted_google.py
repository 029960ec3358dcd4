"""Flyball before a scripted AI Studio, Vertex AI and token endpoint, all on one real socket."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.harness.flyball import Flyball
from tests.harness.replaying import ReplayingUpstream, Told

CLIENT_KEY: Final = "google-client-key-0123456789"
POOR_KEY: Final = "google-poor-key-0123456789-abc"
PROVIDER_KEY: Final = "google-provider-key-0123456789"
TOKEN: Final = "ya29.scripted-token"
LOCATION: Final = "/v1/projects/ours/locations/europe-west1"
FORBIDDEN: Final = "delete_everything"
_RULES: Final = f"""package flyball.tool_call
import rego.v1

allow := true

deny contains {{"code": "no_deleting", "msg": "Nothing is deleted here."}} if input.tool.name == "{FORBIDDEN}"
"""


@dataclass
class Google:
    """The running Flyball and the upstream behind it."""

    flyball: Flyball
    upstream: ReplayingUpstream

    def tells(self, name: str, body: bytes, *, status: int = 200, media: str = "application/json") -> None:
        """Answer calls of this name so."""
        self.upstream.answers[name] = Told(
            status=status, headers={"content-type": media}, pieces=(body,) if body else (), chunked=True
        )

    def row(self, operation: str) -> Mapping[str, Any]:
        """An operation's row."""
        return self.flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")[0]


def account(token_uri: str) -> str:
    """A service account's key file, made just now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    told = {"type": "service_account", "client_email": "bot@ours.iam.gserviceaccount.com", "private_key_id": "k1"}
    return json.dumps({**told, "private_key": pem, "token_uri": token_uri})


@contextmanager
def google(folder: Path) -> Iterator[Google]:
    """Everything, for as long as the `with` lasts. `gemini-*` is AI Studio's, `v-*` Vertex AI's."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / "tool_call.rego").write_text(_RULES)
    with ReplayingUpstream() as upstream:
        token = json.dumps({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}).encode()
        upstream.answers[""] = Told(status=200, headers={}, pieces=(token,), chunked=False)
        (folder / "account.json").write_text(account(upstream.url + "/token"))
        config = json.dumps(_config(upstream.url, rules))
        environment = {"CLIENT": CLIENT_KEY, "POOR": POOR_KEY, "PROVIDER": PROVIDER_KEY}
        with Flyball(folder, config, environment) as flyball:
            yield Google(flyball, upstream)


def _config(url: str, rules: Path) -> dict[str, Any]:
    keys = [{"name": "k", "key_env": "CLIENT"}, {"name": "poor", "key_env": "POOR"}]
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "policy": {"dir": str(rules)},
        "providers": {
            "studio": {"dialect": "gemini", "base_url": url, "api_key_env": "PROVIDER"},
            "vertex": {"dialect": "gemini", "base_url": url + LOCATION, "service_account_file": "account.json"},
        },
        "routes": [
            {"model": "gemini-3-flash-preview", "targets": [{"provider": "vertex"}]},
            {"model": "v-flash", "targets": [{"provider": "vertex", "model": "gemini-2.5-flash"}]},
            {"model": "gemini-*", "targets": [{"provider": "studio"}]},
        ],
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": keys}]}],
        "budgets": [
            {"name": "all", "scope": "org:acme", "window": "total", "limit_usd": 1000, "hard": False},
            {"name": "none", "scope": "key:acme/t/poor", "window": "total", "limit_usd": 0, "hard": True},
        ],
        "limits": {"hosted_tools_ceiling_usd": 1},
    }
