"""What the clients ask: a mock with a provider of each kind, by itself or behind a gateway."""

import json
import shlex
import signal
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

TEXT = "One two three four five six."
QUESTION = "Hello?"
# What both of them are worth, at four bytes an LLM token.
ASKED, SAID = 2, 7
# Made up, like every token here.
TOKEN = "sk-rehearsal"
# What a gateway sends in its place, first and second in its file; and what the mock calls them.
POOL = ["sk-of-the-pool-Nv6Yk1Rb8Tg3Xw5Qz0Lm", "sk-of-the-pool-Ds4Hp9Jc2Wf7Ue1Ka6Bt"]
LABELS = ["first", "second"]
KINDS = ("openai", "anthropic", "gemini", "azure", "deepseek", "qwen")

# What is being served, as run.py started it.
now = None


class Served:
    """`binary` is firedrill; `gateway` and `through` are what stands in front of it, as run.py says."""

    def __init__(self, binary, gateway=None, through=None):
        self._started, self.gateway = [], gateway
        providers = [{"type": kind, "path": f"/{kind}", "answer": TEXT} for kind in KINDS]
        if gateway:
            for provider in providers:
                provider["tokens"] = dict(zip(POOL, LABELS))
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            # JSON is YAML.
            json.dump({"providers": providers}, file)
            file.flush()
            mock = self._start([binary, "mock", file.name, "--port", "0", "--control-port", "0", "--quiet"])
        self.address, self._control = mock["mock"], mock["control"]
        self._gateways = {kind: self._gateway(binary, kind) for kind in KINDS} if gateway else {}
        if through:
            command = [word.replace("{mock}", self.address) for word in shlex.split(through)]
            self.address = self._start(command)["gateway"]

    def _gateway(self, binary, kind):
        """Starts a gateway for one provider. Gives where it is asked."""
        provider = {"type": kind, "apiTokens": POOL[:1]}
        if self.gateway == "failover":
            provider["apiTokens"] = POOL
            # Each is back before the next question, or soon after: which one is drawn must stay chance.
            provider["failover"] = {"enabled": True, "failureThreshold": 1, "cooldownDuration": 1, "healthCheckInterval": 10}
            provider["retryOnFailure"] = {"enabled": True}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"provider": provider, "upstream": f"{self.address}/{kind}", "admin": "none"}, file)
            file.flush()
            command = [binary, "gateway", file.name, "--port", "0", "--quiet"]
            if self.gateway != "failover":
                return self._start(command)["gateway"]
            # It warns of every token that is taken out. That is kept where CI looks for tokens.
            kept = Path(binary).parent.parent / "tmp"
            kept.mkdir(exist_ok=True)
            with open(kept / f"clients-{kind}.log", "w") as warnings:
                return self._start(command, stderr=warnings)["gateway"]

    def _start(self, command, stderr=None):
        """Starts a server. Gives the line of JSON that it prints when it can be asked."""
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        self._started.append(server)
        line = server.stdout.readline()
        if not line:
            self.__exit__()
            raise SystemExit(f"{command[0]} ended before it could be asked: {server.returncode}")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self._started):
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            server.stdout.close()

    def url(self, kind):
        """Where the paths of a provider begin."""
        return self._gateways.get(kind) or f"{self.address}/{kind}"

    def will(self, kind, upstream):
        """What a provider will do from now on. It begins anew."""
        self._call("DELETE", "/journal")
        self._call("PUT", f"/upstream/{kind}", upstream)

    def journal(self, kind):
        """What a provider was asked since."""
        return self._call("GET", f"/journal?provider={kind}")["entries"]

    def _call(self, method, path, body=""):
        request = urllib.request.Request(self._control + path, data=body.encode(), method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


class Reads(unittest.TestCase):
    """A client that reads a provider of this kind."""

    kind = None
    maxDiff = None

    def will(self, upstream):
        now.will(self.kind, upstream)

    @staticmethod
    def seen(alone, behind):
        """What is expected: `alone`, or `behind` a gateway, which answers 503 to what was reset before it was answered, and breaks
        off what breaks off without a reset."""
        return behind if now.gateway else alone

    @classmethod
    def url(cls, path=""):
        return now.url(cls.kind) + path

    def raises(self, error, call):
        """The error that `call` raises: this very one, no kind of it."""
        with self.assertRaises(error) as raised:
            call()
        self.assertIs(type(raised.exception), error)
        return raised.exception

    def assert_answered(self, *statuses):
        self.assertEqual([entry["status"] for entry in now.journal(self.kind)], list(statuses))

    def assert_waited(self, least, most):
        """Between its first two requests, in milliseconds."""
        first, second = now.journal(self.kind)[:2]
        waited = second["at"] - first["at"]
        self.assertTrue(least <= waited < most, f"waited for {waited} ms, expected {least} to {most}")
