"""What a client is spared by a gateway that fails over and tries again: run.py --gateway failover."""

import unittest

import anthropic
import openai
import served
from google import genai
from google.genai import types
from served import LABELS, QUESTION, TEXT, TOKEN, Reads

MESSAGES = [{"role": "user", "content": QUESTION}]


class Spared:
    """Asked with a client that tries once."""

    @classmethod
    def setUpClass(cls):
        if served.now.gateway != "failover":
            raise unittest.SkipTest("for a gateway that fails over")

    def test_a_failure_is_tried_again_with_the_other_token(self):
        bad, good = LABELS
        for upstream, status in (
            (f"{bad}: 401", 401),
            (f"{bad}: 429", 429),
            (f"{bad}: 503", 503),
            # There it is a status that does not come.
            (f"{bad}: {{ fault: reset }}", 200),
        ):
            for ask in (self.ask, self.stream):
                with self.subTest(upstream=upstream, ask=ask.__name__):
                    self.will(f"{{ {upstream}, {good}: 200 }}")
                    # Which token is drawn first is chance.
                    for _ in range(200):
                        self.assertEqual(ask(), TEXT)
                        entries = served.now.journal(self.kind)
                        if len(entries) > 1 and entries[-2]["token"] != entries[-1]["token"]:
                            failed, answered = entries[-2:]
                            if failed["token"] == bad:
                                break
                    else:
                        self.fail("the bad token was never drawn")
                    self.assertEqual((failed["status"], answered["status"], answered["token"]), (status, 200, good))

    def test_what_no_token_is_good_for_is_an_error(self):
        self.will("default: 429")
        with self.assertRaises(self.error):
            self.ask()
        self.assert_answered(429, 429)


class OpenAi(Spared, Reads):
    kind, error = "openai", openai.RateLimitError

    def client(self):
        client = openai.OpenAI(base_url=self.url("/v1"), api_key=TOKEN, max_retries=0, timeout=10)
        self.addCleanup(client.close)
        return client.chat.completions

    def ask(self):
        return self.client().create(model="gpt-4o", messages=MESSAGES).choices[0].message.content

    def stream(self):
        stream = self.client().create(model="gpt-4o", messages=MESSAGES, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


class Anthropic(Spared, Reads):
    kind, error = "anthropic", anthropic.RateLimitError

    def client(self):
        client = anthropic.Anthropic(base_url=self.url(), api_key=TOKEN, max_retries=0, timeout=10)
        self.addCleanup(client.close)
        return client.messages

    def ask(self):
        return self.client().create(model="claude-rehearsal", max_tokens=100, messages=MESSAGES).content[0].text

    def stream(self):
        with self.client().stream(model="claude-rehearsal", max_tokens=100, messages=MESSAGES) as stream:
            return "".join(stream.text_stream)


class Gemini(Spared, Reads):
    kind, error = "gemini", genai.errors.ClientError

    def client(self):
        once = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(base_url=self.url(), timeout=10_000, retry_options=once)
        client = genai.Client(api_key=TOKEN, http_options=options)
        self.addCleanup(client.close)
        return client.models

    def ask(self):
        return self.client().generate_content(model="gemini-2.5-flash", contents=QUESTION).text

    def stream(self):
        stream = self.client().generate_content_stream(model="gemini-2.5-flash", contents=QUESTION)
        return "".join(part.text for part in stream)
