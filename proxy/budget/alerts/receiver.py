"""Receivers of alerts, checked: where, how, and of what."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from proxy.budget.alerts.alert import Alert
from proxy.budget.alerts.settings import AlertSettings, ReceiverEntry
from proxy.budget.alerts.signing import signing_keys
from proxy.core.secret import Secret

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_URL: Final = re.compile(r"[\x21-\x7e]{1,2048}")
_SLACK: Final = "hooks.slack.com"
_MOST: Final = 64


class BadReceiver(ValueError):
    """A receiver that cannot be meant as it stands; `field` is the key that is wrong, no URL or secret is repeated."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Someone who is told of alerts. Its URL is kept as a secret: for many receivers it is one."""

    name: str
    url: Secret
    kind: Literal["webhook", "slack"]
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    orgs: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    allow_private: bool = False

    @property
    def host(self) -> str:
        """The host of its URL: all of it that may be shown."""
        return urlsplit(self.url.reveal()).hostname or ""

    def wants(self, alert: Alert) -> bool:
        """Whether it is told of an alert."""
        return (not self.orgs or alert.org in self.orgs) and (not self.kinds or alert.kind in self.kinds)


def receiver_of(entry: ReceiverEntry, environment: Mapping[str, str]) -> Receiver:
    """A receiver from its entry.

    Raises:
        BadReceiver: a name, URL or secret that cannot be used.
    """
    if not _NAME.fullmatch(entry.name):
        raise BadReceiver("name", "a receiver's name has 1 to 64 letters, digits, dots, dashes or underscores")
    key, url = _url(entry, environment)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or not _URL.fullmatch(url):
        raise BadReceiver(key, "must be an http:// or https:// URL with a host, without a user, in plain ASCII")
    try:
        keys = () if entry.secret is None else signing_keys(entry.secret.reveal())
    except ValueError as error:
        raise BadReceiver("secret", str(error)) from None
    return Receiver(
        name=entry.name,
        url=Secret(url),
        kind=entry.kind or ("slack" if urlsplit(url).hostname == _SLACK else "webhook"),
        keys=keys,
        orgs=frozenset(entry.orgs),
        kinds=frozenset(entry.kinds),
        allow_private=entry.allow_private,
    )


def receivers_of(settings: AlertSettings, environment: Mapping[str, str]) -> tuple[Receiver, ...]:
    """All receivers.

    Raises:
        BadReceiver: as `receiver_of`; also too many, or two of one name.
    """
    receivers = tuple(receiver_of(entry, environment) for entry in settings.receivers)
    if len(receivers) > _MOST:
        raise BadReceiver("receivers", f"there are {len(receivers)} receivers; {_MOST} are the most")
    names = [each.name for each in receivers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadReceiver("receivers", f"there are two receivers {twice[0]!r}")
    return receivers


def _url(entry: ReceiverEntry, environment: Mapping[str, str]) -> tuple[str, str]:
    """The key that states the URL, and the URL."""
    stated = [name for name in ("url", "url_env", "url_file") if getattr(entry, name) is not None]
    if len(stated) != 1:
        raise BadReceiver("url", "exactly one of url, url_env and url_file says where alerts go")
    if entry.url_env is not None:
        url = environment.get(entry.url_env, "").strip()
        if not url:
            raise BadReceiver("url_env", "names an environment variable that is not set")
        return "url_env", url
    if entry.url_file is not None:
        try:
            return "url_file", entry.url_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadReceiver("url_file", f"cannot be read: {error}") from None
    return "url", entry.url or ""
