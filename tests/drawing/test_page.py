"""The laws of pages: one file of modules that stay as they were written."""

import json
import re
from urllib.parse import unquote

import pytest

from microgrid import Value, explore
from microgrid.drawing import playground
from microgrid.drawing.page import STYLE, Page, assemble, style_of, with_imports
from tests.browser import opened
from tests.javascript import needs_node, run_module

HARD = "export const hard = `50 % #1 </b> \\u{1F389} 🎉 \"double\" 'single'\n\ttwo`;\n"
TEXT = "50 % #1 </b> 🎉 🎉 \"double\" 'single'\n\ttwo"


@pytest.fixture
def modules(tmp_path):
    """Return a module that needs two others, both of which need a third one."""
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "hard.js").write_text(HARD, encoding="utf-8")
    for name in ("left", "right"):
        text = f'import {{ hard }} from "./others/hard.js";\nexport const {name} = [hard];\n'
        (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
    main = tmp_path / "main.js"
    main.write_text(
        'import { left } from "./left.js";\nimport { right } from "./right.js";\n'
        "export function page(element, state) {\n"
        "  element.textContent = JSON.stringify([left[0] === right[0], left[0], state]);\n}\n",
        encoding="utf-8",
    )
    return main


def test_a_module_is_in_a_page_once_and_as_it_was_written(modules):
    page = assemble("A page", modules, None)
    (found,) = re.findall('<script type="importmap">(.*)</script>', page)
    imports = json.loads(found)["imports"]
    assert sorted(imports) == ["microgrid/hard.js", "microgrid/left.js", "microgrid/right.js"]
    _, _, text = imports["microgrid/hard.js"].partition(",")
    assert unquote(text) == f"{HARD}//# sourceURL=hard.js\n"
    assert not re.search(r'from "\.', page)


def test_a_module_that_imports_nothing_needs_no_map(tmp_path):
    main = tmp_path / "main.js"
    main.write_text("export function page() {}", encoding="utf-8")
    assert "importmap" not in assemble("A page", main, None)


def test_two_modules_of_one_name_are_refused(modules):
    (modules.parent / "others" / "left.js").write_text("", encoding="utf-8")
    text = modules.read_text(encoding="utf-8")
    modules.write_text(f'import "./others/left.js";\n{text}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"names of their own, got two left\.js"):
        assemble("A page", modules, None)


def test_no_text_ends_the_state(modules):
    page = assemble("<b>", modules, {"text": "</script><script>alert(1)</script>"})
    (state,) = re.findall(r'<script type="application/json" id="state">(.*)</script>', page)
    assert json.loads(state) == {"text": "</script><script>alert(1)</script>"}
    assert "<title>&lt;b&gt;</title>" in page


def test_a_page_looks_like_all_pages_then_like_what_its_sheet_imports_then_like_its_sheet(modules):
    (modules.parent / "others" / "shared.css").write_text("p { margin: 0; }\n", encoding="utf-8")
    sheet = modules.with_suffix(".css")
    sheet.write_text('@import "others/shared.css";\np { color: red; }\n', encoding="utf-8")
    style = f"{STYLE.read_text(encoding='utf-8')}p {{ margin: 0; }}\n\np {{ color: red; }}\n"
    assert style_of(modules) == style
    assert f"{style}</style>" in assemble("A page", modules, None)


WITH_WIDGETS = {"explore": lambda: explore(Value(2.0).exp()), "playground": playground}


@pytest.mark.parametrize("name", WITH_WIDGETS)
def test_a_widget_looks_like_its_page(name):
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    shown = WITH_WIDGETS[name]()
    assert f"{shown.widget._css}</style>" in shown.html()


LOOKS = """[...document.querySelectorAll("main *")].map((element) => {
  const look = getComputedStyle(element);
  return [...look].map((name) => `${name}: ${look.getPropertyValue(name)}`).join("; ");
})"""


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_WIDGETS)
def test_a_widget_looks_the_same_beside_others(page, tmp_path, name):
    """A notebook has the style of each of its widgets, one after the other."""
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    opened(page, WITH_WIDGETS[name](), tmp_path)
    before = page.evaluate(LOOKS)
    for other in WITH_WIDGETS.values():
        page.add_style_tag(content=other().widget._css)
    changed = [pair for pair in zip(before, page.evaluate(LOOKS), strict=True) if len({*pair}) > 1]
    assert changed == []


@needs_node
@pytest.mark.parametrize("is_alone", [False, True], ids=["where they lie", "inside of the first"])
def test_modules_run(modules, tmp_path, is_alone):
    main = modules
    if is_alone:  # with those that it needs inside of it
        main = tmp_path / "alone" / "main.mjs"
        main.parent.mkdir()
        main.write_text(with_imports(modules), encoding="utf-8")
    script = f"""
        import {{ page }} from {json.dumps(main.as_uri())};
        const element = {{}};
        page(element, null);
        console.log(element.textContent);
    """
    assert run_module(script) == [True, TEXT, None]


class Shown(Page):
    def __init__(self, main):
        self.main = main

    def html(self):
        return assemble("A page", self.main, [1, "</script>"])


@pytest.mark.browser
@pytest.mark.parametrize("is_framed", [False, True])
def test_a_page_runs_from_a_file_and_in_a_frame(page, modules, tmp_path, is_framed):
    path = tmp_path / "page.html"
    shown = Shown(modules)
    if is_framed:
        path.write_text(shown._repr_mimebundle_()["text/html"], encoding="utf-8")
    else:
        shown.save(path)
    page.goto(f"file://{path}")
    place = page.frame_locator("iframe") if is_framed else page
    text = place.locator("main").inner_text()
    same, hard, state = json.loads(text)
    assert (same, state) == (True, [1, "</script>"])
    assert hard == TEXT
