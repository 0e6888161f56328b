"""The README's example of the testing kit passes as a project of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
TITLED_BLOCK = re.compile(r'^```python title="(?P<name>[\w.]+)"\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
SETTINGS = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"


def test_readme_testing_example_passes(tmp_path: Path) -> None:
    files = {match["name"]: match["code"] for match in TITLED_BLOCK.finditer(README.read_text())}
    assert files.keys() == {"shop.py", "test_shop.py", "conftest.py"}
    for name, text in {**files, "pytest.ini": SETTINGS}.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "interactor", "-p", "asyncio"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
