"""Fails if an operation of the engine takes over a tenth more instructions than its baseline, and says if one takes
over a tenth less. With --accept, what it counts becomes the baseline. Installs what it counts with, if need be."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benches" / "instructions.json"
TOOLS = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "tools"
# An incremental build is another one: it inlines less.
ENV = {**os.environ, "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}", "CARGO_INCREMENTAL": "0"}
COUNT = ["cargo", "bench", "--quiet", "--locked", "--package", "firedrill-benches", "--no-default-features"]
COUNT += ["--features", "instructions", "--bench", "instructions", "--", "--output-format=json", "--parallel=auto"]


def read(*command):
    return subprocess.run(command, cwd=ROOT, env=ENV, check=True, stdout=subprocess.PIPE, text=True).stdout


def install():
    """Valgrind, and the runner of the very version that the workspace has of gungraun."""
    if not shutil.which("valgrind"):
        apt = [] if os.geteuid() == 0 else ["sudo"]
        apt += ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--quiet"]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "install", "--yes", "--no-install-recommends", "valgrind"], check=True)
    version = read("cargo", "pkgid", "--locked", "gungraun").strip().rsplit("@")[-1]
    runner = shutil.which("gungraun-runner", path=ENV["PATH"])
    if not runner or read(runner, "--version").split()[-1] != version:
        command = ["cargo", "install", "--quiet", "gungraun-runner", "--version", version, "--locked"]
        # It reads what valgrind wrote: optimising it takes longer than it would ever save.
        command += ["--debug", "--root", str(TOOLS)]
        subprocess.run(command, env={**ENV, "CARGO_PROFILE_DEV_DEBUG": "0"}, check=True)


def count():
    """Instructions of each case, by name."""
    runs = [json.loads(line) for line in read(*COUNT).splitlines()]
    return {
        f"{run['function_name']}::{run['id']}": run["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]
        for run in runs
    }


def compare(baseline, counts):
    """A line for each case, and whether all may pass."""
    lines, passes = [f"{'':36}{'baseline':>10}{'now':>10}  growth"], True
    for name in {**baseline, **counts}:
        was, now = baseline.get(name), counts.get(name)
        growth, verdict = "", ""
        if not was or not now:
            verdict, passes = ("not in the baseline" if now else "in the baseline, but not counted"), False
        else:
            growth = f"{(now - was) / was:+.1%}"
            if now * 10 > was * 11:
                verdict, passes = "too much", False
            elif now * 10 < was * 9:
                verdict = "less: make it the baseline"
        lines.append(f"{name:36}{was or '-':>10}{now or '-':>10}{growth:>8}  {verdict}".rstrip())
    return lines, passes


def try_gate(counts):
    """Whatever it says of the right baseline, it must see through wrong ones."""
    assert counts and compare(counts, counts)[1]
    for name, now in counts.items():
        others = {other: counts[other] for other in counts if other != name}
        for baseline, passes in (
            ({**counts, name: int(now / 1.2)}, False),
            ({**counts, name: int(now / 1.09)}, True),
            ({**counts, name: int(now * 1.2)}, True),
            (others, False),
        ):
            assert compare(baseline, counts)[1] == passes, f"the gate is wrong on {name}"
        assert not compare(counts, others)[1], f"the gate does not miss {name}"


def main():
    install()
    version = dict(line.split(": ") for line in read("rustc", "-vV").splitlines() if ": " in line)
    rust = f"{version['release']} {version['host']}"
    counts = count()
    if sys.argv[1:] == ["--accept"]:
        BASELINE.write_text(json.dumps({"rust": rust, "instructions": counts}, indent=2) + "\n")
        return 0
    try_gate(counts)
    baseline = json.loads(BASELINE.read_text())
    lines, passes = compare(baseline["instructions"], counts)
    print("\n".join(lines))
    if rust != baseline["rust"]:
        print(f"the baseline is of Rust {baseline['rust']}, this is {rust}: some of the growth may be the compiler's")
    if not passes:
        print("if this is meant, commit a new baseline with the change: just accept-instructions")
    return 0 if passes else 1


sys.exit(main())
