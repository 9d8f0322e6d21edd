"""How Sphinx builds the reference and the lessons: `python -m sphinx -W --keep-going docs site`."""

import importlib
import re
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from sphinx.ext.autodoc.mock import mock

from microgrid import Primitive, functional
from microgrid.drawing import formula_page, playground

HERE = Path(__file__).parent

project = "microgrid"
author = "the microgrid maintainers"
release = version = metadata.version("microgrid-autodiff")
language = "en"
html_show_copyright = False

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["lessons/pictures", "pages"]

# A docstring's single backticks are code, and a link where they hold one of the library's names.
default_role = "py:obj"
autodoc_default_options = {"members": True, "member-order": "bysource", "no-value": True}
napoleon_custom_sections = [("Raises when called", "params_style")]
# What `interop` is for, where it is not installed: its pages need no more than the names.
autodoc_mock_imports = [
    name for name in ("dask", "safetensors", "sklearn", "torch") if find_spec(name) is None
]
autodoc_type_aliases = {"Scalar": "float | Value"}
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# The lessons are kept without their outputs: they are run here, and again once they have changed.
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
# A widget is shown as the page that it is elsewhere, which needs no program from another server.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_ipywidgets_js = {}
# All cells that are folded are solutions.
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
if tags.has("lite"):  # noqa: F821  (Sphinx defines it)
    mathjax_path = "mathjax.js"  # which `lite.py` copies: this site asks for nothing from elsewhere

html_theme = "furo"
html_title = "microgrid"
html_static_path = ["static"]
html_extra_path = ["pages"]  # written below
html_css_files = ["lessons.css"]

MODULES = [
    module
    for page in sorted((HERE / "reference").glob("*.md"))
    for module in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))
    if module != "microgrid.interop.dask"  # which nobody imports: its page says what it does
]


def copy_lessons() -> None:
    """Put the notebooks and the README's pictures where Sphinx looks for pages: in this folder."""
    shutil.copytree(HERE.parent / "notebooks", HERE / "lessons", dirs_exist_ok=True)


def write_pages() -> None:
    """Write the pages that compute by themselves: they lie beside those that Sphinx makes."""
    formula_page().save(HERE / "pages" / "formula-alone.html")
    playground().save(HERE / "pages" / "playground-alone.html")


def mark_up(app, what, name, obj, options, lines):
    """Let |x|, *args, `Value`s and indented code be what a reader of plain text takes them for."""
    in_code = in_example = False
    for i, line in enumerate(lines):
        in_code = in_code and (not line or line.startswith("    "))
        in_example = line.lstrip().startswith(">>>") or (in_example and line != "")
        if not (in_code or in_example):
            parts = re.split(r"(`+[^`]*`+)", line)
            for k in range(0, len(parts), 2):
                escaped = re.sub(r"([|*])", r"\\\1", parts[k])
                parts[k] = re.sub(r"^(?=\w)", r"\\ ", escaped) if k else escaped
            lines[i] = "".join(parts)
            if line.endswith(":") and "".join(lines[i + 1 : i + 3]).startswith("    "):
                in_code = not lines[i + 1]  # else it is a section, such as Args
                lines[i] += ":" if in_code else ""


def leave_out(app, what, name, obj, skip, options):
    """Leave out methods that `functional` describes, and the fields of a named tuple."""
    is_function = isinstance(obj, Primitive) or getattr(functional, name, None) is obj
    is_field = str(obj.__doc__).startswith("Alias for field number")
    return True if what == "class" and (is_function or is_field) else None


def require_all_names(app, exception):
    """Fail if a public name is on no page."""
    if exception or app.builder.name != "html":
        return
    shown = {name.split(".")[-1] for name in app.env.get_domain("py").objects}
    for module in MODULES:
        with mock(autodoc_mock_imports):
            names = importlib.import_module(module).__all__
        if missing := [name for name in names if name not in shown]:
            raise ValueError(f"{module}: {', '.join(missing)} on no page of docs/reference")


def setup(app):
    """Connect the functions above."""
    copy_lessons()
    write_pages()
    app.connect("autodoc-process-docstring", mark_up, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", leave_out)
    app.connect("build-finished", require_all_names)
