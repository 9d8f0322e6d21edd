"""A real browser for tests, Debian's chromium driven by Playwright, and servers of notebooks."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from urllib.parse import urlparse

import pytest

CHROMIUM = shutil.which("chromium")
# Without these it calls home when it starts; and no sandbox, as CI runs as root.
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
HERE = ("", "127.0.0.1", "localhost")


@contextmanager
def browser():
    """Give a browser, or skip the test and say what is missing."""
    reason = "a browser is driven by playwright, from the extra `browser`"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    if CHROMIUM is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@contextmanager
def watched(browser, **options):
    """Give a page; raise afterwards if it wrote an error or asked for something far away."""
    page = browser.new_page(**options)
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}") or dialog.dismiss())
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert errors == []
    assert [url for url in asked if (urlparse(url).hostname or "") not in HERE] == []


def opened(page, shown, folder):
    """Save what is shown as a page to a folder, and open it."""
    page.goto(f"file://{shown.save(folder / 'page.html')}")
    return page


@contextmanager
def server(command, folder, address, **environment):
    """Start a server; give the address that `address()` finds once it is there, else None."""
    log = folder / "log"
    with log.open("w") as said:
        started = subprocess.Popen(
            [sys.executable, "-m", *command], env=os.environ | environment, stdout=said, stderr=said
        )
    try:
        for _ in range(600):
            if found := address():
                yield found
                break
            assert started.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            raise AssertionError(log.read_text())
    finally:
        started.terminate()
        started.wait(20)


@contextmanager
def jupyter(module, folder, sources):
    """Start JupyterLab or Notebook, with cells.ipynb and nobody's settings; give its address."""
    cells = [
        {"cell_type": "code", "id": f"cell{i}", "metadata": {}, "source": source}
        | {"outputs": [], "execution_count": None}
        for i, source in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "cells.ipynb").write_text(json.dumps(notebook))
    # without its news, which come from far away
    (folder / "labconfig").mkdir()
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (folder / "labconfig" / "page_config.json").write_text(json.dumps(news))
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")

    def address():  # which it writes down when it listens
        for file in folder.glob("jpserver-*.json"):
            url = json.loads(file.read_text())["url"]
            with urllib.request.urlopen(f"{url}api") as answer:
                assert answer.status == 200
            return url
        return None

    command = [
        *(module, "--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1"),
        *("--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"),
    ]
    settings = dict.fromkeys(own, str(folder)) | {"JUPYTER_PREFER_ENV_PATH": "1"}
    with server(command, folder, address, **settings) as found:
        yield found


@contextmanager
def marimo(folder, sources):
    """Start marimo with cells that share what the first one defines; give its address."""
    first, *others = ["".join(f"    {line}\n" for line in x.splitlines()) for x in sources]
    cells = [f"@app.cell\ndef _(mg, a, loss):\n{source}    return\n" for source in others]
    (folder / "cells.py").write_text(
        "import marimo\napp = marimo.App()\n"
        f"@app.cell\ndef _():\n{first}    return mg, a, loss\n{''.join(cells)}"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"

    def address():
        try:
            with urllib.request.urlopen(f"{url}health"):
                return url
        except OSError:
            return None

    command = ["marimo", "-q", "run", str(folder / "cells.py"), "--headless", "--no-token"]
    home = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    with server([*command, f"--port={port}"], folder, address, **home) as found:
        yield found
