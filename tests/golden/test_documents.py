"""What the documents point to is there, and the commands they show can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from voltbench.apps.cli import COMMANDS, GROUPS, app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
named = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))


def headings(document: Path) -> set[str]:
    """The anchors a page has, as GitHub makes them of headings, and those it names itself."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"<[^>]*>|[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in found]
    return {*plain, *re.findall(r'<a id="([^"]+)">', text)}


@named
def test_every_link_leads_somewhere(document: Path):
    for link in LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name} links to {link}"
        assert target.is_relative_to(ROOT), f"{document.name} links out of the repository: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in headings(target), f"{document.name} links to {link}"


def command_lines(document: Path) -> Iterator[list[str]]:
    """The words after `voltbench` of each command line in a document's shell blocks and inline code."""
    text = document.read_text(encoding="utf-8")
    shown = [
        line for kind, block in FENCE.findall(text) if kind == "sh" for line in block.replace("\\\n", " ").split("\n")
    ]
    shown += re.findall(r"`((?:\.venv/bin/)?voltbench [^`\n]*)`", FENCE.sub("", text))
    for line in (line for line in shown if "voltbench " in line):
        words = shlex.split(line, comments=True, posix=True)
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        if words and words[0].rpartition("/")[2] == "voltbench":
            yield [word for word in words[1:] if word != "&"]


@cache
def options(*commands: str) -> dict[str, bool]:
    """Each option of a command, and whether a value follows it; those of the program for no command."""
    made = typer.main.get_command(app(commands))
    for command in commands:
        assert command in made.commands, f"there is no voltbench {' '.join(commands)}"  # type: ignore[attr-defined]
        made = made.commands[command]  # type: ignore[attr-defined]
    spelled = {"--help": False}
    for parameter in made.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            spelled[name] = not getattr(parameter, "is_flag", False)
    return {name: takes for name, takes in spelled.items() if name.startswith("-")}


@named
def test_every_command_that_is_shown_can_be_typed(document: Path):
    for words in command_lines(document):
        command = next((word for word in words if not word.startswith("-")), "")
        assert command in {"", *COMMANDS}, f"{document.name}: voltbench {' '.join(words)}"
        commands = words[:2] if command in GROUPS else [command] if command else []
        for word in words:
            if word.startswith("-") and not re.fullmatch(r"-[\d.]+", word):  # a negative number is no option
                name = word.partition("=")[0]
                assert name in options(*commands), f"{document.name}: {' '.join(commands)} has no {name}"


def test_the_readme_shows_commands():
    assert len(list(command_lines(ROOT / "README.md"))) > 5
