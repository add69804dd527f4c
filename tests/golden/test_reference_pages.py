"""The pages of docs/reference say what the code says."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(build: ModuleType) -> dict[str, str]:
    found: dict[str, str] = build.pages()
    return found


@pytest.mark.parametrize("name", ["api.md", "catalog.md", "cli.md", "openapi.json", "scenario-format.md"])
def test_a_page_is_as_the_code_has_it(name: str, pages: dict[str, str]):
    file = DOCS / "reference" / name
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    assert written == pages[name], f"docs/reference/{name} is out of date: run make docs"


def test_a_bound_is_spelled_in_one_way(pages: dict[str, str]):
    """Else it would depend on which of two types is seen first, `ge=0` or `ge=0.0`."""
    assert re.findall(r'"(?:exclusive)?(?:minimum|maximum)": [-\d]+\.0\b', pages["openapi.json"], re.IGNORECASE) == []


def test_there_is_no_other_page(pages: dict[str, str]):
    assert {file.name for file in (DOCS / "reference").iterdir()} == {*pages}


def test_the_terminal_does_not_matter(build: ModuleType, pages: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("VOLTBENCH_TOKEN", "secret")
    assert build.pages() == pages
