"""The page's files: complete, without a word to anyone else, and in step with the library's own tables."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

import elocute
from elocute.phones.inventory import PHONES, VOWELS, ipa_name
from elocute.phones.l1 import l1_codes, l1_profile
from elocute.picture import colours
from elocute.server.wanted import Advice

PAGE = Path(elocute.__file__).parent / "server" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
NAMESPACES = {"http://www.w3.org/2000/svg"}


class Document(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed((PAGE / "index.html").read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def test_the_page_has_what_it_names() -> None:
    named = {at.get("src") or at.get("href") for _, at in Document().elements} - {None}
    assert {"app.js", "style.css"} <= named
    for script in SCRIPTS:
        content = script.read_text(encoding="utf-8")
        named |= set(re.findall(r'(?:from "\./|addModule\(")([\w.]+)"', content))
    assert {name for name in named if not (PAGE / str(name)).is_file()} == set()
    named.add("offline.js")  # a service worker has to lie beside the page; device/device.js names it
    assert {script.name for script in SCRIPTS} <= named  # nothing lies about unused


def test_every_element_that_a_script_asks_for_is_there_once() -> None:
    ids = [at["id"] for _, at in Document().elements if "id" in at]
    assert len(ids) == len(set(ids))
    asked = {
        name for script in SCRIPTS for name in re.findall(r'byId\("([\w-]+)"\)', script.read_text(encoding="utf-8"))
    }
    assert "record" in asked
    assert asked <= set(ids)


def test_the_page_offers_every_first_language_and_every_reader_of_advice() -> None:
    offered = {
        name: re.findall(
            r'<option value="(\w*)"[^>]*>([^<]*)', re.search(rf'id="{name}">(.*?)</select>', page, re.S)[1]
        )
        for page in [read("index.html")]
        for name in ("l1", "advice")
    }
    assert offered["l1"][0] == ("", "not said")
    assert dict(offered["l1"][1:]) == {code: l1_profile(code).name for code in l1_codes()}
    assert {level for level, _ in offered["advice"]} == {*get_args(Advice)} - {"off"}
    # Every wish has an element: the script asks for them by a list of names.
    wishes = re.search(r"WISHES = \[(.*?)\]", read("app.js"))
    assert wishes
    assert set(re.findall(r'"(\w+)"', wishes[1])) <= {at.get("id") for _, at in Document().elements}


@pytest.mark.parametrize(
    "path", sorted(path for path in PAGE.rglob("*") if path.is_file()), ids=lambda path: str(path.relative_to(PAGE))
)
def test_no_file_names_another_server(path: Path) -> None:
    found = set(re.findall(r"(?:https?:)?//[a-z][\w./-]+", re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M)))
    assert found - NAMESPACES == set()
    assert not re.search(r"@import|url\(", path.read_text())


def test_the_policy_lets_nothing_in_and_the_page_keeps_it() -> None:
    elements = Document().elements
    (policy,) = (at["content"] for _, at in elements if at.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(maxsplit=1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in str(policy)
    for tag, attributes in elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes["src"]
    for script in SCRIPTS:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script.read_text())


def test_every_sound_has_its_name_and_a_tip() -> None:
    rows = re.findall(r'^  (\w+): \["(\S+)", "(\w+)", "(.+)"\],$', read("sounds.js"), flags=re.M)
    assert [row[0] for row in rows] == list(PHONES)
    for phone, ipa, word, tip in rows:
        assert ipa == (ipa_name(phone, 1) if phone in VOWELS else ipa_name(phone))
        assert word.isascii()
        assert len(tip) > 20
    (reduced,) = re.findall(r"REDUCED = (\{.*\})", read("sounds.js"))
    for phone, ipa in re.findall(r'(\w+): \["(\S+)"', reduced):
        assert ipa == ipa_name(phone, 0)


def test_colours_are_those_of_the_pictures() -> None:
    (block,) = re.findall(r"ANCHORS = (\[.*?\n\]);", read("colours.js"), flags=re.S)
    anchors = ast.literal_eval(block)
    assert [(share, tuple(rgb)) for share, rgb in anchors] == list(colours._ANCHORS)
    assert f'UNSCORED = "{colours.UNSCORED}"' in read("colours.js")
    for share, code in re.findall(r"\.s(\d+) \{ background: (#\w+)", read("style.css")):
        assert code == colours.colour(int(share) / 100)


def test_the_page_and_the_pictures_draw_by_one_sheet() -> None:
    from elocute.picture import page

    shared = read("drawing.css")
    assert page._DRAWING.read_text(encoding="utf-8") == shared
    rules = {line.split("{")[0].strip() for line in shared.splitlines() if "{" in line}
    picture = (PAGE.parents[1] / "picture" / "page.css").read_text(encoding="utf-8")
    for sheet in (read("style.css"), picture):
        assert not rules & {line.split("{")[0].strip() for line in sheet.splitlines() if "{" in line} - {""}
        assert "--ink:" not in sheet
        names = set(re.findall(r"var\((--\w[\w-]*)\)", sheet + shared))
        assert {name for name in names if f"{name}:" not in shared} == set()


def test_every_word_error_of_a_report_has_words() -> None:
    from typing import get_args

    from elocute.report import WordError

    (block,) = re.findall(r"WORD_ERRORS = \{(.*?)\}", read("captions.js"), flags=re.S)
    assert set(re.findall(r"(\w+):", block)) == set(get_args(WordError))


def test_every_sentence_can_be_pronounced() -> None:
    from elocute.phones import phonemize

    sentences = re.findall(r'^  \["(.+?)", ', read("sentences.js"), flags=re.M)
    assert len(sentences) == len(set(sentences)) >= 10
    for sentence in sentences:
        assert len(phonemize(sentence).words) >= 6
