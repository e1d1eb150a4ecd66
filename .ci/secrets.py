"""Searches what the test suite leaves behind for its tokens: python3 .ci/secrets.py [FILE...]

Looks into every snapshot of the repository, whatever tests left in target/tmp, and each FILE, as what `cargo test` printed. The
tokens are those of secrets.txt; half of one is as bad as all of it, as it is, in lower case, in base64, in hexadecimal or
percent-encoded. First it plants each of them and finds it. Exits with 1 if a token is found that nobody planted.
"""

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
LIST = ROOT / ".ci" / "secrets.txt"


def forms(secret):
    """What a secret may look like."""
    plain = secret.encode()
    yield plain
    yield plain.lower()
    yield plain.hex().encode()
    for encoded in ("".join(f"%{byte:02x}" for byte in plain),):
        yield encoded.encode()
        yield encoded.upper().encode()
    # In the middle of something it may begin at any of three places.
    for before in range(3):
        whole = b"\0" * before + plain
        yield base64.b64encode(whole[: len(whole) // 3 * 3])[4 * min(before, 1) :]


def halves(secrets):
    """By their length: every half of every form."""
    by_length = {}
    for secret in secrets:
        for form in forms(secret):
            half = len(form) // 2
            windows = {form[at : at + half] for at in range(len(form) - half + 1)}
            by_length.setdefault(half, set()).update(windows)
    return by_length


def shown(content, by_length):
    """The first half of a secret in `content`."""
    for length, wanted in by_length.items():
        for at in range(len(content) - length + 1):
            if content[at : at + length] in wanted:
                return content[at : at + length].decode()
    return None


def found(files, by_length):
    """Which files show which half."""
    for file in files:
        part = shown(file.read_bytes(), by_length)
        if part:
            yield file, part


def prove(secrets, by_length):
    """That what is planted is found, in a file as in any other."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "planted.snap"
        for secret in secrets:
            for form in forms(secret):
                half = len(form) // 2
                for at in (0, len(form) // 4, len(form) - half):
                    file.write_bytes(b"nothing\n" * 9 + form[at : at + half] + b"\n")
                    if not list(found([file], by_length)):
                        raise SystemExit(f"a secret that was planted is not found: {form[at : at + half].decode()}")
        file.write_bytes(b"nothing\n" * 9)
        if list(found([file], by_length)):
            raise SystemExit("a secret is found where there is none")


def main():
    secrets = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    by_length = halves(secrets)
    prove(secrets, by_length)
    listed = subprocess.run(["git", "ls-files", "-z", "*.snap", "*.snap.new"], cwd=ROOT, check=True, capture_output=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    files += [file for file in (TARGET / "tmp").rglob("*") if file.is_file()]
    files += [Path(name) for name in sys.argv[1:]]
    bad = list(found(files, by_length))
    for file, part in bad:
        print(f"{file}: shows `{part}`", file=sys.stderr)
    print(f"{len(secrets)} tokens, {len(files)} files, {sum(file.stat().st_size for file in files)} bytes: {len(bad)} show one")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
