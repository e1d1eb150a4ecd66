"""Searches what the test suite leaves behind for its tokens: python3 .ci/secrets.py [FILE...]

Looks into every file of the repository but its sources (see HELD), whatever tests left in target/tmp, and each FILE, as what `cargo
test` printed. The tokens are those of secrets.txt, in which every token that a test makes up must be; half of one is as bad as all of
it, as it is, in lower case, in base64, in hexadecimal or percent-encoded. First it plants each of them and finds it. Exits with 1 if
a token is found that nobody planted, or one that is not listed.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
LIST = ROOT / ".ci" / "secrets.txt"

# What people write, with tokens on purpose: the tests, and what is given to them. Nothing else may hold one.
HELD = [
    "*.rs",
    "*.py",
    ".ci/secrets.txt",
    "fixtures/bad/gateway/*.yaml",
    "fixtures/bad/mocks/token-label-like-a-key.yaml",
    "fuzz/http.dict",
    "fuzz/seeds/*",
]
# In the form of a token, with figures and capitals as no word has them.
MADE_UP = re.compile(rb"\b(?:sk-|gsk_|AIza|admin-)(?=(?:[\w-]*[\dA-Z]){4})[\w-]{12,}")
# Too plain to be searched for; masking is tested on them, byte for byte.
PLAIN = {"crates/gateway/src/mask.rs"}

# Each half of a token has a block of so many bytes in it that begins at a multiple of that.
BLOCK = 6


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


def blocks(secrets):
    """In which forms each block stands, and where."""
    standing = {}
    for secret in secrets:
        for form in forms(secret):
            if len(form) // 2 < 2 * BLOCK - 1:
                raise SystemExit(f"too short to search for half of it: {secret}")
            for at in range(0, len(form) - BLOCK + 1, BLOCK):
                standing.setdefault(form[at : at + BLOCK], []).append((form, at))
    return standing


def same(one, two):
    """How many bytes both begin with."""
    length = min(len(one), len(two))
    return next((at for at in range(length) if one[at] != two[at]), length)


def shown(content, standing):
    """The first half of a secret in `content`, or more of it."""
    for found in range(len(content) - BLOCK + 1):
        for form, at in standing.get(content[found : found + BLOCK], ()):
            before = same(content[max(found - at, 0) : found][::-1], form[:at][::-1])
            after = same(content[found : found + len(form) - at], form[at:])
            if before + after >= len(form) // 2:
                return content[found - before : found + after].decode()
    return None


def found(files, standing):
    """Which files show which half."""
    for file in files:
        part = shown(file.read_bytes(), standing)
        if part:
            yield file, part


def prove(secrets, standing):
    """That what is planted is found, in a file as in any other, and that one that is not listed is."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "planted.snap"
        for secret in secrets:
            for form in forms(secret):
                half = len(form) // 2
                for at in range(len(form) - half + 1):
                    planted = b"nothing\n" * 9 + form[at : at + half] + b"\n"
                    if not shown(planted, standing):
                        raise SystemExit(f"a secret that was planted is not found: {form[at : at + half].decode()}")
                file.write_bytes(planted)
                if not list(found([file], standing)):
                    raise SystemExit(f"a secret that was planted in a file is not found: {secret}")
        file.write_bytes(b"nothing\n" * 9)
        if list(found([file], standing)):
            raise SystemExit("a secret is found where there is none")
        file.write_bytes(b"x = 'sk-new-Jt6Vb1Wq8Xz3Lp5N'")
        if list(unlisted([file], secrets)) != [(file, "sk-new-Jt6Vb1Wq8Xz3Lp5N")]:
            raise SystemExit("a token that is not listed is not found")


def unlisted(files, secrets):
    """Which files have which token that is not in the list."""
    for file in files:
        for token in MADE_UP.findall(file.read_bytes()):
            if token.decode() not in secrets:
                yield file, token.decode()


def main():
    secrets = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    standing = blocks(secrets)
    prove(secrets, standing)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    held = {pattern: [name for name in names if fnmatch(name, pattern)] for pattern in HELD}
    files = [ROOT / name for name in names if not any(name in those for those in held.values())]
    files += [file for file in (TARGET / "tmp").rglob("*") if file.is_file()]
    files += [Path(name) for name in sys.argv[1:]]
    said = [f"{file}: shows `{part}`" for file, part in found(files, standing)]
    own = [ROOT / name for name in names if name not in PLAIN and name != ".ci/secrets.py"]
    said += [f"{file}: `{token}` is not in {LIST.relative_to(ROOT)}" for file, token in unlisted(own, secrets)]
    said += [f"{pattern}: holds no token" for pattern, those in held.items() if not list(found([ROOT / name for name in those], standing))]
    print(*said, sep="\n", end="\n" if said else "", file=sys.stderr)
    print(f"{len(secrets)} tokens, {len(files)} files, {sum(file.stat().st_size for file in files)} bytes: {len(said)} are wrong")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
