"""What a client says about a call: its run, step, agent, user and tags (DESIGN §3). Attribution, never authority."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from msgspec import Struct, field

from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal, agent_scope, run_scope, tag_scope, user_scope
from proxy.runs.names import NO_RUN_NAMES, Aliases, RunNames

MAX_TAGS: Final = 16
MAX_KEY_BYTES: Final = 64
MAX_VALUE_BYTES: Final = 256
MAX_NAME_BYTES: Final = 256
TAG_KEY: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # token of RFC 9110 §5.6.2, as W3C Baggage asks
TRACE_PARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})
CLAIM_HEADERS: Final = frozenset(
    {b"x-flyball-run", b"x-flyball-parent-run", b"x-flyball-step", b"x-flyball-agent", b"x-flyball-user"}
)


class Claims(Struct, frozen=True, kw_only=True):
    """Who and what a call is attributed to; `run_source` says where the run's name was read."""

    run: str = ""
    run_source: str = ""
    parent_run: str = ""
    step: str = ""
    agent: str = ""
    end_user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def scopes(self, org: str, kinds: Collection[str]) -> list[str]:
        """The scopes that the call falls under beside its key's, of those kinds; none for what it does not claim."""
        scopes = []
        if self.agent and "agent" in kinds:
            scopes.append(agent_scope(org, self.agent))
        if self.end_user and "user" in kinds:
            scopes.append(user_scope(org, self.end_user))
        if self.run and "run" in kinds:
            scopes.append(run_scope(org, self.run))
        if "tag" in kinds:
            scopes += [tag_scope(org, key, value) for key, value in self.tags.items()]
        return scopes


def read_claims(
    headers: Mapping[bytes, bytes],
    principal: Principal,
    *,
    body_user: str | None,
    body_session: str | None,
    body_tags: Mapping[str, str] = NO_TAGS,
    names: RunNames = NO_RUN_NAMES,
) -> Claims:
    """Read a call's claims; what is pinned on the key wins over what the client says.

    `headers` maps lower-case names to values. The run comes from `x-flyball-run`, else from the first alias in
    `names`, else the body's `metadata.session_id`, else the trace id of `traceparent`. `body_tags` stand behind
    those of `x-flyball-tags`.

    Raises:
        Refused: INVALID_REQUEST for a header that breaks its grammar or names an agent the key does not list.
    """
    run, source = _run(headers, body_session, names.aliases)
    return Claims(
        run=run,
        run_source=source,
        parent_run=_name(headers, b"x-flyball-parent-run") or _aliased(headers, names.parent_aliases)[0],
        step=_name(headers, b"x-flyball-step"),
        agent=_agent(headers, principal),
        end_user=_name(headers, b"x-flyball-user") or (body_user or "")[:MAX_NAME_BYTES],
        tags=_tags(headers, principal, body_tags),
    )


def _run(headers: Mapping[bytes, bytes], body_session: str | None, aliases: Aliases) -> tuple[str, str]:
    if named := _name(headers, b"x-flyball-run"):
        return named, "header"
    aliased = _aliased(headers, aliases)
    if aliased[0]:
        return aliased
    if body_session:
        return body_session[:MAX_NAME_BYTES], "metadata.session_id"
    if parent := headers.get(b"traceparent"):
        match = TRACE_PARENT.fullmatch(parent.strip())
        if match:
            return match[1].decode(), "traceparent"
    return "", ""


def _aliased(headers: Mapping[bytes, bytes], aliases: Aliases) -> tuple[str, str]:
    """The first alias that is there and its name; one that is no name of a run is passed over: it is not ours."""
    for header, spelled in aliases:
        if header in headers:
            raw = headers[header].strip()
            name = raw.decode("utf-8", "replace")
            if raw and len(raw) <= MAX_NAME_BYTES and name.isprintable() and "\ufffd" not in name:
                return name, spelled
    return "", ""


def _name(headers: Mapping[bytes, bytes], header: bytes) -> str:
    raw = headers.get(header)
    if not raw:
        return ""
    name = header.decode()
    if len(raw) > MAX_NAME_BYTES:
        raise _bad(name, f"is longer than {MAX_NAME_BYTES} bytes")
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise _bad(name, "is not UTF-8") from None
    if not text.isprintable():
        raise _bad(name, "holds a character that cannot be printed")
    return text


def _agent(headers: Mapping[bytes, bytes], principal: Principal) -> str:
    claimed = _name(headers, b"x-flyball-agent")
    if not principal.agents:
        return principal.key_name
    if not claimed:
        return principal.agents[0] if len(principal.agents) == 1 else principal.key_name
    if claimed not in principal.agents:
        raise _bad("x-flyball-agent", f"names an agent this key does not list; it lists {', '.join(principal.agents)}")
    return claimed


def _tags(headers: Mapping[bytes, bytes], principal: Principal, body_tags: Mapping[str, str]) -> Mapping[str, str]:
    raw = headers.get(b"x-flyball-tags")
    if not raw:
        return {**body_tags, **principal.tags} if body_tags else principal.tags
    members = [member for member in raw.decode("latin-1").split(",") if member.strip()]
    if len(members) > MAX_TAGS:
        raise _bad("x-flyball-tags", f"holds {len(members)} tags; at most {MAX_TAGS} are kept")
    tags = dict(_tag(member) for member in members)
    if body_tags:
        tags = dict([*tags.items(), *((key, value) for key, value in body_tags.items() if key not in tags)][:MAX_TAGS])
    tags.update(principal.tags)
    return tags


def _tag(member: str) -> tuple[str, str]:
    key, equals, value = member.partition(";")[0].partition("=")
    key, value = key.strip(), unquote(value.strip())
    if not equals or not TAG_KEY.fullmatch(key):
        raise _bad("x-flyball-tags", "must be written like `feature=search,env=prod` (W3C Baggage)")
    if len(key) > MAX_KEY_BYTES or len(value.encode()) > MAX_VALUE_BYTES:
        raise _bad("x-flyball-tags", f"holds a tag over {MAX_KEY_BYTES} bytes of key or {MAX_VALUE_BYTES} of value")
    if not value.isprintable():
        raise _bad("x-flyball-tags", "holds a character that cannot be printed")
    return key, value


def _bad(header: str, what: str) -> Refused:
    return Refused(Refusal.INVALID_REQUEST, f"The header {header} {what}.", param=header)
