"""Lets the official Python clients read the mock: python3 tests/clients/run.py [-k PATTERN] [--gateway MODE | --through COMMAND]

Needs python3 and cargo; installs the clients of requirements.txt from PyPI into a folder of target/, once for as long as
that file stays as it is. Exits with 1 if a client reads something else than it should.

-k PATTERN         only tests whose names match; may be given more than once
--gateway MODE     asks through `firedrill gateway`, one of them for each provider: `plain`, one token and no failover, so that a
                   client should read what it reads without it; or `failover`, two tokens, failover and retries, for the tests
                   of what a client is spared
--through COMMAND  asks through a gateway: COMMAND starts it, with `{mock}` replaced by the address of the mock, and prints a
                   line of JSON, {"gateway": "http://..."}, on standard output when it can be asked. It passes paths on as
                   they are
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
VENV = TARGET / "python-clients"
REQUIREMENTS = HERE / "requirements.txt"


def install():
    """The clients, in an environment of their own. Gives its Python."""
    python, installed = VENV / "bin" / "python", VENV / "installed.txt"
    # An environment belongs to the Python that made it.
    wanted = f"# {sys.version}\n{REQUIREMENTS.read_text()}"
    if python.exists() and installed.exists() and installed.read_text() == wanted:
        return python
    if not importlib.util.find_spec("ensurepip"):
        # Debian's Python leaves it out.
        apt = [] if os.geteuid() == 0 else ["sudo"]
        apt += ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--quiet"]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "install", "--yes", "--no-install-recommends", "python3-venv"], check=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "check"], check=True)
    installed.write_text(wanted)
    return python


def read(arguments):
    """Runs the tests with the Python that has the clients. Gives the exit code."""
    import served

    loader = unittest.TestLoader()
    # With failover a client reads something else than upstream says: that is a module of its own.
    only = arguments.k or (["test_failover*"] if arguments.gateway == "failover" else [])
    loader.testNamePatterns = [pattern if "*" in pattern else f"*{pattern}*" for pattern in only] or None
    tests = loader.discover(str(HERE))
    if tests.countTestCases() == 0:
        print(f"no test is called so: {' '.join(arguments.k)}", file=sys.stderr)
        return 1
    with served.Served(TARGET / "debug" / "firedrill", arguments.gateway, arguments.through) as served.now:
        result = unittest.TextTestRunner(verbosity=2).run(tests)
    return 0 if result.wasSuccessful() else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="PATTERN", action="append", default=[], help=argparse.SUPPRESS)
    through = parser.add_mutually_exclusive_group()
    through.add_argument("--gateway", choices=["plain", "failover"], help=argparse.SUPPRESS)
    through.add_argument("--through", metavar="COMMAND", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if Path(sys.prefix) == VENV:
        return read(arguments)
    subprocess.run(["cargo", "build", "--quiet", "--package", "firedrill"], cwd=ROOT, check=True)
    # What a developer has set for real providers, a key above all, is nothing to a mock; and no proxy is in between.
    foreign = re.compile("(openai|azure|anthropic|google|gemini)_.*|.*_proxy", re.IGNORECASE)
    env = {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}
    return subprocess.run([install(), "-B", __file__, *sys.argv[1:]], env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
