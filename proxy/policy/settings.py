"""What flyball.yaml says about policy (DESIGN §7)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from proxy.core.secret import Secret
from proxy.policy.approvals import ApprovalSettings
from proxy.policy.bundles.settings import BundleSettings
from proxy.policy.decision_log.settings import DecisionLogSettings
from proxy.policy.findings import FindingsSettings

MOST_DEADLINE_MS: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Where policies come from, and what it means that one cannot be evaluated."""

    url: str | None = field(
        default=None,
        metadata={
            "doc": "An OPA server that decides in place of the engine in the process, http(s)://host:port; without a "
            "port 8181, with https 443."
        },
    )
    token: Secret | None = field(
        default=None,
        metadata={"doc": "What the OPA server is shown as a bearer token (by token_env or token_file only)."},
    )
    deadline_ms: int = field(
        default=250,
        metadata={"doc": "How long the OPA server may take for one decision, in milliseconds; it is asked once."},
    )
    points: tuple[Literal["request", "route", "tool_call", "response"], ...] = field(
        default=("request", "route", "tool_call"),
        metadata={
            "doc": "Where the OPA server is asked; at the others a known key is granted without asking. `response` "
            "makes the end of each answer wait for it."
        },
    )
    send_text: bool = field(
        default=False,
        metadata={"doc": "Whether the OPA server gets what was said (`messages.text`) too, not only its measures."},
    )
    dir: Path | None = field(
        default=None,
        metadata={
            "doc": "A folder of Rego (v1) and data that stands in the place of the starter library; "
            "data documents merge by path, as `opa run` does it."
        },
    )
    bundle: BundleSettings | None = field(
        default=None,
        metadata={"doc": "A bundle in OPA's format that stands in the place of the starter library."},
    )
    settings: Path | None = field(
        default=None,
        metadata={
            "doc": "A JSON file with `settings` for the starter library's rules: each rule waits until its own is set."
        },
    )
    base: Literal["flyball", "none"] = field(
        default="flyball",
        metadata={
            "doc": "Whether the grant to known principals is loaded beside `dir` or `bundle`; `none` leaves it out."
        },
    )
    findings: FindingsSettings = field(
        default=FindingsSettings(),
        metadata={"doc": "How texts are looked through where a rule reads `input.findings`."},
    )
    on_failure: Literal["closed"] = field(
        default="closed", metadata={"doc": "What a policy that cannot be evaluated means; `closed` answers 503."}
    )
    approvals: ApprovalSettings = field(
        default=ApprovalSettings(), metadata={"doc": "How many calls may wait for a person, and with how much."}
    )

    decision_log: DecisionLogSettings = field(
        default=DecisionLogSettings(),
        metadata={"doc": "Who gets each decision beside ClickHouse, in the format of OPA's decision logs."},
    )

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        found = [*self.findings.contradictions(), *self.decision_log.contradictions()]
        if self.url is not None:
            found += self._of_the_server()
        if self.url is None and self.token is not None:
            found.append("policy.token: is shown to the OPA server, and there is no policy.url")
        own = "policy.dir" if self.bundle is None else "policy.bundle"
        if self.has_own and self.settings is not None:
            found.append(f"policy.settings: is for the starter library; put data documents into {own}")
        if self.url is None and not self.has_own and self.base == "none":
            found.append("policy.base: none leaves no grant at all without a policy.dir of your own")
        if self.bundle is not None:
            if self.dir is not None:
                found.append("policy.bundle: stands in the place of policy.dir; leave out one of them")
            found += self.bundle.contradictions()
        return found + self.approvals.contradictions()

    @property
    def has_own(self) -> bool:
        """Whether policies of one's own stand in the place of the starter library."""
        return self.dir is not None or self.bundle is not None

    @property
    def by_file(self) -> str:
        """Which setting says where policies come from; empty where the API may."""
        named = {"policy.url": self.url, "policy.dir": self.dir, "policy.bundle": self.bundle}
        named["policy.settings"] = self.settings
        return next((name for name, value in named.items() if value is not None), "")

    @property
    def fetched(self) -> BundleSettings | None:
        """The bundle that is to be fetched from a server, if one is."""
        return self.bundle if self.bundle is not None and self.bundle.url is not None else None

    def _of_the_server(self) -> list[str]:
        found = []
        if not is_opa_url(self.url):
            found.append("policy.url: must be http://host:port or https://host:port, and nothing behind it")
        if self.has_own or self.settings is not None or self.base == "none":
            found.append(
                "policy.url: an OPA server has its own policies; leave out policy.dir, bundle, settings and base"
            )
        if not 1 <= self.deadline_ms <= MOST_DEADLINE_MS:
            found.append(f"policy.deadline_ms: must be from 1 to {MOST_DEADLINE_MS}; it is {self.deadline_ms}")
        if not self.points:
            found.append("policy.points: names no point, so the OPA server would never be asked")
        return found


def is_opa_url(url: str | None) -> bool:
    """Whether it says scheme, host and perhaps port, and neither a user nor anything behind."""
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare and port != 0
