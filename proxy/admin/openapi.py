"""The OpenAPI 3.1 document, made from the route table and the shapes; nothing in it is written twice."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from proxy.admin.call import Answer, Call
from proxy.admin.roles import PERMISSIONS, Permission
from proxy.admin.route import ROOT, Example, Route
from proxy.admin.shapes.common import Shape

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Orgs, teams, keys, budgets, spend, operations, decisions and admin tokens of Flyball. Every request carries "
    "`Authorization: Bearer <admin token>`; a token bound to an org or team reaches nothing else. Unknown fields and "
    "parameters are refused, all problems of a request are said at once."
)


class Document(Shape, frozen=True, kw_only=True):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    security: list[dict[str, list[str]]]
    paths: dict[str, dict[str, Any]]
    components: dict[str, Any]


class ErrorDetails(Shape, frozen=True, kw_only=True):
    """What went wrong; `flyball.problems` lists all that is wrong with a request."""

    message: str
    type: str
    param: str | None
    code: str
    flyball: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Error(Shape, frozen=True, kw_only=True):
    """Every answer that is not a success has this shape, the data port's."""

    error: ErrorDetails


def openapi_document(routes: Sequence[Route], version: str) -> Route:
    """The route that answers with the document of these routes and of itself."""
    made: list[Document] = []

    def openapi(call: Call) -> Answer:
        """This document."""
        return Answer(made[0])

    route = Route(
        method="GET",
        path="/openapi.json",
        permission=Permission.KNOW_ONESELF,
        handler=openapi,
        answer=Document,
        example=Example(),
    )
    made.append(describe((*routes, route), version))
    return route


def describe(routes: Sequence[Route], version: str) -> Document:
    """The document of these routes."""
    shapes: list[Any] = [Error]
    for route in routes:
        shapes += [route.answer] if route.body is None else [route.answer, route.body]
        shapes += [field.type for field in msgspec.structs.fields(route.query)]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    schema_of = {id(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(ROOT + route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return Document(
        openapi="3.1.0",
        info={"title": "Flyball admin API", "version": version or "0", "description": _ABOUT},
        servers=[{"url": "http://127.0.0.1:4001"}],
        security=[{"admin_token": []}],
        paths=paths,
        components={"schemas": components, "securitySchemes": {"admin_token": {"type": "http", "scheme": "bearer"}}},
    )


def _operation(route: Route, schema_of: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    roles = [role.value for role, permissions in PERMISSIONS.items() if route.permission in permissions]
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": f"{route.text}\n\nRoles: {', '.join(roles)}.",
        "tags": [route.path.split("/")[1].split(".")[0]],
        "parameters": [*_in_path(route), *_in_query(route), *_in_headers(route)],
        "responses": {
            str(route.status): {
                "description": "As asked.",
                "content": {
                    "application/json": {"schema": schema_of[id(route.answer)]},
                    **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in route.files},
                },
            },
            "default": {
                "description": "A refusal.",
                "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
            },
        },
    }
    if route.body is not None:
        content = {"schema": schema_of[id(route.body)], "example": route.example.body}
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def _in_path(route: Route) -> list[dict[str, Any]]:
    return [
        _parameter("path", name, {"type": "string"}, example=route.example.path.get(name), required=True)
        for name in route.pattern.groupindex
    ]


def _in_query(route: Route) -> list[dict[str, Any]]:
    found = []
    for field in msgspec.structs.fields(route.query):
        (schema,), _ = msgspec.json.schema_components([field.type], ref_template=_REF)
        schema = dict(schema)
        text = schema.pop("description", "")
        each = _parameter("query", field.encode_name, schema, required=field.required)
        found.append({**each, "description": text, "explode": True} if text else {**each, "explode": True})
    return found


def _in_headers(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found = []
    if route.conditional:
        found.append(_parameter("header", "If-Match", text, example='"3"'))
        if route.method == "PUT":
            found.append(_parameter("header", "If-None-Match", text, example="*"))
    if route.method == "POST" and route.repeatable:
        found.append(_parameter("header", "Idempotency-Key", text, example="2f1c6f0a-6d0e-4f0e-9c0a-1f4f6f3b9d11"))
    return found


def _parameter(
    place: Literal["path", "query", "header"],
    name: str,
    schema: dict[str, Any],
    *,
    example: str | None = None,
    required: bool = False,
) -> dict[str, Any]:
    found: dict[str, Any] = {"in": place, "name": name, "required": required, "schema": schema}
    return found if example is None else {**found, "example": example}
