"""The API's documentation: its OpenAPI description, and Swagger UI from files of our own (no CDN)."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from voltbench.apps.api.problems import Problem

_ASSETS = "/docs/assets"
_SCHEMAS = "#/components/schemas/{name}"
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_told: set[type[msgspec.Struct]] = set()
"""Structs of ours that routes have named with `says` and `body_of`."""


def says(struct: type[msgspec.Struct], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """How a route's description says that it answers with one of our structs."""
    return {status: {"description": "Successful Response", "content": _json_of(struct)}}


def body_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """How a route's description says that it reads one of our structs."""
    return {"requestBody": {"required": True, "content": _json_of(struct)}}


def _json_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    _told.add(struct)
    return {"application/json": {"schema": {"$ref": _SCHEMAS.format(name=struct.__name__)}}}


class DescribedAPI(FastAPI):
    """An application whose description also knows our structs, and whose `/docs` need no other host."""

    has_token = False
    """Whether a token is asked for."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI description."""
        if self.openapi_schema is None:
            self._complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema

    def _complete(self, description: dict[str, Any]) -> None:
        components = description.setdefault("components", {"schemas": {}})
        components["schemas"].update(msgspec.json.schema_components(_told, ref_template=_SCHEMAS)[1])
        components["schemas"].update(_problem_schemas())
        _spell_bounds_alike(description)
        if self.has_token:
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            description["security"] = [{"token": []}]

    def serve_docs(self) -> None:
        """Serve Swagger UI at `/docs`."""
        self.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]), "docs-assets")
        self.add_route("/docs", _page, include_in_schema=False)


def _spell_bounds_alike(description: Any) -> None:
    """Write the bounds of numbers as whole numbers where they are.

    To Python `Meta(ge=0)` and `Meta(ge=0.0)` are the same: of two types that differ in that alone, whichever is seen
    first (by the order of imports, or of a set) gives both its spelling.
    """
    for name, part in description.items() if isinstance(description, dict) else enumerate(description):
        if name in _BOUNDS and isinstance(part, float) and part.is_integer():
            description[name] = int(part)
        elif isinstance(part, (dict, list)):
            _spell_bounds_alike(part)


def _problem_schemas() -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"Problem": problem, **problem.pop("$defs")}


async def _page(request: Request) -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="voltbench",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
    )
