"""Fails if a crate that firedrill is built from has a licence that it may not have, or none, or comes from elsewhere
than the registry. Reads what cargo has already fetched."""

import json
import subprocess
import sys

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    # For data: the certificates that everybody trusts.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}


def accepted(expression):
    """Whether one of the alternatives of an SPDX expression has allowed licences only."""
    expression = expression.replace("/", " OR ").replace(" or ", " OR ").replace(" and ", " AND ")
    alternatives = expression.replace("(", "").replace(")", "").split(" OR ")
    if " AND " in expression:
        # `(A OR B) AND C`: every name must be allowed, or stand beside one that is.
        parts = expression.replace("(", "").replace(")", "").split(" AND ")
        return all(any(name.strip() in ALLOWED for name in part.split(" OR ")) for part in parts)
    return any(name.strip() in ALLOWED for name in alternatives)


def main():
    version = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    host = next(line.removeprefix("host: ") for line in version.splitlines() if line.startswith("host: "))
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host]
    packages = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    wrong = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not accepted(package["license"] or ""):
            wrong.append(f"{name}: the licence is {package['license']!r}")
        if not (package["source"] or "registry+").startswith("registry+"):
            wrong.append(f"{name}: comes from {package['source']}")
    print("\n".join(wrong) or f"{len(packages)} crates, every licence allowed")
    return 1 if wrong else 0


sys.exit(main())
