"""Modules of pages, run in Node.js without a browser."""

import json
import shutil
import subprocess

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(not NODE, reason="there is no Node.js to run modules in")


def run_module(script, given=None):
    """Run a module, which reads what is given as JSON from its input; return what it prints."""
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script],
        input=json.dumps(given),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
