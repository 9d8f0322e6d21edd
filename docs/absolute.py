"""Makes the README's links and pictures work outside of the repository, as on a package index.

`python docs/absolute.py https://github.com/OWNER/NAME v1.0.0` rewrites README.md in place: links
lead to the files of that tag, pictures to their contents. In pyproject.toml it says where the
project is, which the index shows beside its page.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
PYPROJECT = README.with_name("pyproject.toml")
LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?:)([^)]+)\)")


def absolute(text: str, address: str, tag: str) -> str:
    """Return a text of the repository's top with absolute links.

    >>> absolute("[x](a.md#b)", "https://h/o/n", "v1"), absolute("![y](c.svg)", "https://h", "v1")
    ('[x](https://h/o/n/blob/v1/a.md#b)', '![y](https://h/raw/v1/c.svg)')
    """

    def rewrite(link: re.Match[str]) -> str:
        is_picture, words, target = link.groups()
        kind = "raw" if is_picture else "blob"
        path = README.name + target if target.startswith("#") else target
        return f"{is_picture}{words}({address.rstrip('/')}/{kind}/{tag}/{path})"

    return LINK.sub(rewrite, text)


def with_urls(text: str, address: str, tag: str) -> str:
    """Return a pyproject.toml that says where the project is.

    >>> print(with_urls("[tool.x]", "https://h/o/n", "v1"))
    [project.urls]
    Homepage = "https://h/o/n"
    Documentation = "https://h/o/n/blob/v1/docs/index.md"
    Changes = "https://h/o/n/blob/v1/CHANGELOG.md"
    Issues = "https://h/o/n/issues"
    <BLANKLINE>
    [tool.x]
    """
    home = address.rstrip("/")
    urls = {
        "Homepage": home,
        "Documentation": f"{home}/blob/{tag}/docs/index.md",
        "Changes": f"{home}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{home}/issues",
    }
    table = "[project.urls]\n" + "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    return text.replace("[tool.", f"{table}\n[tool.", 1)


if __name__ == "__main__":
    for file, rewrite in [(README, absolute), (PYPROJECT, with_urls)]:
        file.write_text(rewrite(file.read_text(encoding="utf-8"), *sys.argv[1:]), encoding="utf-8")
