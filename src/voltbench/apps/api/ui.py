"""The page at `/ui`: files of `voltbench/web`, which talk only to this API."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from voltbench.errors import NotFound

router = APIRouter(prefix="/ui", include_in_schema=False)

_TYPES = {"index.html": "text/html", "board.css": "text/css", "board.js": "text/javascript"}
_HEADERS = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data:", "Cache-Control": "no-cache"}


@router.get("")
async def read_page() -> Response:
    """The page itself."""
    return await read_part("index.html")


@router.get("/{name}")
async def read_part(name: str) -> Response:
    """A file of the page."""
    if name not in _TYPES:
        raise NotFound("file", name)
    return Response(_web.joinpath(name).read_bytes(), media_type=_TYPES[name], headers=_HEADERS)


_web = files("voltbench") / "web"
