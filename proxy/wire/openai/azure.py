"""How Azure OpenAI's clients name a model: as a deployment, in the path; the body may name none, or another one.

Source: Azure OpenAI REST API reference (data plane), and the paths that openai-python 3.51's AzureOpenAI asks for.
"""

from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec

from proxy.wire.bodies import MAX_MODEL_CHARS, members_of
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.members import open_end
from proxy.wire.multipart import NotAForm, read_form, with_field
from proxy.wire.openai.edit import with_model

DEPLOYMENTS: Final = "/deployments/"
_FIELD: Final = b'\r\ncontent-disposition: form-data; name="model"\r\n\r\n%b\r\n'


class Deployed(NamedTuple):
    """A path behind a deployment's, and whose it is."""

    model: str
    path: str
    endpoint: Endpoint


def read_deployment(path: str) -> Deployed | None:
    """What `/deployments/{name}/…` says; None for any other path, and for a name that no model has."""
    if not path.startswith(DEPLOYMENTS):
        return None
    name, slash, rest = path.removeprefix(DEPLOYMENTS).partition("/")
    endpoint, model = PATHS.get(slash + rest), unquote(name)
    if endpoint is None or not model.strip() or not model.isprintable() or len(model) > MAX_MODEL_CHARS:
        return None
    return Deployed(model, slash + rest, endpoint)


def with_deployment(content_type: bytes, body: bytes, model: str) -> bytes:
    """The body with the deployment's name as its model: in the place of the one it names, or as its first member.

    Raises:
        Refused: INVALID_REQUEST for a body that is neither a form nor a JSON object.
    """
    if content_type.lstrip()[:10].lower() == b"multipart/":
        return _form_with_model(content_type, body, model)
    members = members_of(body)
    if "model" in members:
        return with_model(body, model)
    at = open_end(body)
    return body[:at] + b'"model":' + msgspec.json.encode(model) + (b"," if members else b"") + body[at:]


def _form_with_model(content_type: bytes, body: bytes, model: str) -> bytes:
    try:
        form = read_form(content_type, body)
    except NotAForm:
        return body  # who reads it next refuses it, and says why
    if any(part.name == "model" for part in form.parts):
        return with_field(form, "model", model)
    return body[: body.index(b"\r\n")] + _FIELD % model.encode() + body
