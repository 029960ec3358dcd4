"""Who signs for AWS, where a provider's settings ask for it."""

from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.credentials import Signer
from proxy.upstream.settings import ProviderSettings
from proxy.upstream.sigv4 import sigv4_of


def aws_signer_of(name: str, settings: ProviderSettings) -> Signer | None:
    """The signer of a provider of Bedrock's dialect that has no key; None for any other.

    Raises:
        BadProvider: settings that cannot work.
    """
    if _says_who_signs(settings) and (settings.dialect != "bedrock" or settings.api_key is not None):
        raise BadProvider(f"provider {name}: aws_… settings are for signing: for dialect: bedrock, without api_key")
    if settings.dialect == "bedrock" and settings.api_key is None:
        return sigv4_of(name, settings)
    return None


def _says_who_signs(settings: ProviderSettings) -> bool:
    told = (
        settings.aws_region,
        settings.aws_profile,
        settings.aws_access_key_id,
        settings.aws_secret_access_key,
        settings.aws_session_token,
    )
    return any(each is not None for each in told)
