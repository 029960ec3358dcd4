"""docs/admin-api.md, made from the route table and from what a running server really answers to its examples."""

import json
import re
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from proxy.admin.faults import Fault
from proxy.admin.roles import PERMISSIONS, Permission
from proxy.admin.route import ROOT, Route

INTRO = """# The admin API

Served on the admin port (`server.admin_listen`, 127.0.0.1:4001 unless set). Made from the route table and from the
answers of a running server by `tests/unit/admin/test_admin_reference.py`; do not edit by hand: run that test with
`FLYBALL_WRITE_DOCS=1`. The OpenAPI 3.1 document is at `/admin/v1/openapi.json`.

**Who.** Every request carries `Authorization: Bearer <admin token>` of a named person; the token in the file
`admin-token` of the state folder is an owner named `bootstrap`. A token bound to an org (and team) reaches nothing
else: naming another org or team is 403 `outside_binding` whether it exists or not, an id or name of a thing elsewhere
is 404, lists and spend are narrowed. A team's token sees its org and changes only what is its team's.

**Bodies** are JSON objects in the words of flyball.yaml, at most 1 MB. Unknown fields and parameters are refused, and
all problems are said at once: `error.flyball.problems` lists `{param, message}`. Money goes in as decimal text or a
JSON number, read exactly as written; it comes out as `*_usd` decimal text and `*_nano` whole nano-dollars. Moments are
RFC 3339; only `spend` counts Unix seconds.

**Lists** answer `{"object":"list","data":[…],"has_more":…,"next_page":…}`; `limit` is 100 unless given, `page` takes
`next_page` as it is.

**Conditions.** Answers about one thing carry an `ETag`. `If-Match: "<tag>"` changes it only if nobody else has since,
`If-Match: *` only if it is there, `If-None-Match: *` only if it is not; otherwise 412 `precondition_failed`.

**Repeats.** `Idempotency-Key` (1 to 255 visible ASCII characters) on a POST gives the same answer for a day to the same
request with the same token, marked `idempotent-replayed: true`. Another request under the same key is 422, one that is
still being answered 409; a refused one can be tried again. No secret is kept for this: a secret made under an
Idempotency-Key is HMAC-SHA256 under the server's hash-key of a random nonce (kept with the answer), the admin token and
the Idempotency-Key (neither is kept), so that only the same person repeating the same request gets it again. Choose
keys that nobody can guess, such as UUIDs.

**Secrets** of keys and tokens stand in the one answer that made them and are kept as HMAC-SHA256(hash-key,
SHA-256(secret)). One that is brought along (20 to 256 printable ASCII characters without spaces) is never shown back.

**Every change** is put into the audit trail with who, when, before and after, after it was made. Objects with
`managed_by: file` follow flyball.yaml and answer 409 `managed_by_file` to changes.

**Host.** Other Host names than loopback ones and those of `server.allowed_hosts` are 421, but for `/healthz`. There is
no CORS. `/metrics` is Prometheus text, `/console` the console.
"""

_SECRET = re.compile(r"(fba?-)[A-Za-z0-9_-]{43}")
_PREFIX = re.compile(r'("prefix": "fba?-)[A-Za-z0-9_-]{4}"')
_ID = re.compile(r"\b(key|bud|tok|rai|kil|pur|apr|adj)_[0-9a-f]{32}")
_REVISION = re.compile(r"\b[0-9a-f]{64}\b")
_HIDDEN = {"openapi"}


def render(routes: Sequence[Route], answers: Sequence[tuple[Route, httpx.Response]]) -> str:
    """The whole page."""
    parts = [INTRO, _roles(), _faults(), "## Calls\n"]
    parts += [_call(route, response) for route, response in answers]
    assert len(answers) == len(routes)
    return "\n".join(parts)


def _roles() -> str:
    head = f"| may | {' | '.join(role.value for role in PERMISSIONS)} |"
    rows = [
        f"| {each.value} | {' | '.join('yes' if each in held else '' for held in PERMISSIONS.values())} |"
        for each in Permission
    ]
    return "\n".join(["## Roles\n", head, "|---" * (len(PERMISSIONS) + 1) + "|", *rows, ""])


def _faults() -> str:
    rows = [f"| {each.code} | {each.status} | {each.error_type} |" for each in Fault]
    shape = 'Every refusal is `{"error":{"message","type","param","code"}}`.\n'
    return "\n".join(["## Refusals\n", shape, "| code | status | type |", "|---|---|---|", *rows, ""])


def _call(route: Route, response: httpx.Response) -> str:
    request = response.request
    target = request.url.raw_path.decode("ascii")
    lines = [f"{request.method} {_tidy(target)}"]
    lines += [f"{name}: {value}" for name, value in route.example.headers.items()]
    if route.example.body is not None:
        lines += ["", json.dumps(route.example.body, indent=2)]
    roles = [role.value for role, held in PERMISSIONS.items() if route.permission in held]
    text = [f"### {route.method} {ROOT}{route.path}\n", route.text, "", f"Roles: {', '.join(roles)}.", ""]
    text += _parameters(route)
    text += ["```http", *lines, "```", "", f"{response.status_code}", ""]
    if route.name not in _HIDDEN:
        text += ["```json", _tidy(json.dumps(response.json(), indent=2)), "```", ""]
    return "\n".join(text)


def _parameters(route: Route) -> list[str]:
    fields = msgspec.structs.fields(route.query)
    if not fields:
        return []
    return [f"Parameters: {', '.join(f'`{each.encode_name}`' + _need(each) for each in fields)}.", ""]


def _need(field: Any) -> str:
    return " (needed)" if field.required else ""


def _tidy(text: str) -> str:
    """What differs from run to run, as something that stands still."""
    text = _PREFIX.sub(r'\1Ab3d"', text)
    text = _SECRET.sub(r"\1(43 characters, shown this once)", text)
    text = _REVISION.sub("3b1c" * 16, text)
    return _ID.sub(r"\1_019a9f3c8e007b4c8000000000000002", text)
