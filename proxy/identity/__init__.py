"""Who is calling: client keys and the principals behind them, and the named people of the admin port."""

from proxy.identity.errors import IdentityError
from proxy.identity.keyring import Keyring
from proxy.identity.private_files import load_or_make_admin_token as load_or_make_admin_token
from proxy.identity.private_files import load_or_make_body_key as load_or_make_body_key
from proxy.identity.private_files import load_or_make_hash_key
from proxy.identity.records import AdminIdentity
from proxy.identity.settings import IdentitySettings
from proxy.identity.settings import OrgSettings as OrgSettings
from proxy.identity.store import KeyStore
from proxy.identity.tokens import AdminTokens

__all__ = [
    "AdminIdentity",
    "AdminTokens",
    "IdentityError",
    "IdentitySettings",
    "KeyStore",
    "Keyring",
    "load_or_make_hash_key",
]
