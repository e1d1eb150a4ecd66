"""OpenAI's own client, and what else is asked with it: Azure, DeepSeek, Qwen."""

import asyncio
import json

import openai
from served import ASKED, QUESTION, SAID, TEXT, TOKEN, Reads

ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": QUESTION}]}
STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


class OpenAi(Reads):
    kind = "openai"

    @classmethod
    def setUpClass(cls):
        cls.kept = openai.OpenAI(base_url=cls.url("/v1"), api_key=TOKEN)
        cls.addClassCleanup(cls.kept.close)

    def client(self, retries=0, timeout=10):
        return self.kept.with_options(max_retries=retries, timeout=timeout)

    def ask(self, **options):
        return self.client(**options).chat.completions.create(**ASK)

    def stream(self, **options):
        return self.client(**options).chat.completions.create(**STREAM)

    def assert_usage(self, usage):
        found = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        self.assertEqual(found, (ASKED, SAID, ASKED + SAID))


class Answers(OpenAi):
    def check_answer(self, answer):
        (choice,) = answer.choices
        self.assertEqual((choice.message.content, choice.message.role), (TEXT, "assistant"))
        self.assertEqual((choice.finish_reason, answer.model, answer.object), ("stop", "gpt-4o", "chat.completion"))
        self.assert_usage(answer.usage)

    def check_stream(self, chunks):
        *chunks, last = chunks
        self.assertEqual(last.choices, [])
        self.assert_usage(last.usage)
        self.assertEqual({chunk.usage for chunk in chunks}, {None})
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        deltas = [chunk.choices[0].delta for chunk in chunks]
        self.assertEqual(deltas[0].role, "assistant")
        self.assertEqual("".join(delta.content or "" for delta in deltas), TEXT)
        self.assertGreaterEqual(len(chunks), 6)
        reasons = [chunk.choices[0].finish_reason for chunk in chunks]
        self.assertEqual(reasons, [None] * (len(chunks) - 1) + ["stop"])

    def test_an_answer(self):
        self.will("{}")
        answer = self.ask()
        self.check_answer(answer)
        self.assertRegex(answer._request_id, "^req_")

    def test_a_stream(self):
        self.will("{}")
        self.check_stream(self.stream())

    def test_a_stream_that_the_client_puts_together(self):
        self.will("{}")
        with self.client().chat.completions.stream(**ASK, stream_options={"include_usage": True}) as stream:
            stream.until_done()
            self.check_answer(stream.get_final_completion())

    def test_without_waiting(self):
        async def both():
            async with openai.AsyncOpenAI(base_url=self.url("/v1"), api_key=TOKEN) as client:
                self.check_answer(await client.chat.completions.create(**ASK))
                self.check_stream([chunk async for chunk in await client.chat.completions.create(**STREAM)])

        self.will("{}")
        asyncio.run(both())

    def test_an_answer_that_is_cut_says_so(self):
        self.will("{}")
        answer = self.client().chat.completions.create(**ASK, max_completion_tokens=2)
        self.assertEqual((answer.choices[0].finish_reason, answer.usage.completion_tokens), ("length", 2))

    def test_quotas_count_down_in_headers(self):
        self.will("quotas: [{ requests: 3, per: 1m }, { llmTokens: 1000, per: 1h }]")
        raw = self.client().chat.completions.with_raw_response
        for left in (2, 1):
            headers = raw.create(**ASK).headers
            self.assertEqual(headers["x-ratelimit-limit-requests"], "3")
            self.assertEqual(headers["x-ratelimit-remaining-requests"], str(left))
            self.assertEqual(headers["x-ratelimit-remaining-tokens"], str(1000 - (3 - left) * (ASKED + SAID)))
            self.assertRegex(headers["x-ratelimit-reset-requests"], "^(1m0s|[0-9.]+s)$")


class Errors(OpenAi):
    def test_each_status_is_an_error_of_its_own(self):
        for status, kind, code, error in (
            (400, "invalid_request_error", None, openai.BadRequestError),
            (401, "invalid_request_error", "invalid_api_key", openai.AuthenticationError),
            (403, "request_forbidden", "unsupported_country_region_territory", openai.PermissionDeniedError),
            (404, "invalid_request_error", "model_not_found", openai.NotFoundError),
            (429, "requests", "rate_limit_exceeded", openai.RateLimitError),
            (500, "server_error", None, openai.InternalServerError),
            (503, "service_unavailable_error", "server_is_overloaded", openai.InternalServerError),
            (529, "server_error", None, openai.InternalServerError),
        ):
            for ask in (self.ask, self.stream):
                with self.subTest(status=status, ask=ask.__name__):
                    self.will(f"default: {status}")
                    raised = self.raises(error, ask)
                    found = (raised.status_code, raised.type, raised.code, raised.param)
                    self.assertEqual(found, (status, kind, code, None))
                    self.assertIn(raised.body["message"], raised.message)
                    self.assertGreater(len(raised.body["message"]), 10)
                    self.assertRegex(raised.request_id, "^req_")
                    self.assertNotIn(TOKEN, str(raised))

    def test_when_to_come_back(self):
        self.will("default: { status: 429, retryAfter: 7s }")
        raised = self.raises(openai.RateLimitError, self.ask)
        self.assertEqual(raised.response.headers["retry-after"], "7")
        self.assertIn("Please try again in 7s.", raised.message)

    def test_an_error_by_its_name(self):
        self.will("default: { status: 429, error: insufficient_quota }")
        raised = self.raises(openai.RateLimitError, self.ask)
        self.assertEqual((raised.type, raised.code), ("insufficient_quota", "insufficient_quota"))

    def test_a_quota_that_is_used_up(self):
        self.will("quotas: [{ requests: 1, per: 1m }]")
        self.ask()
        raised = self.raises(openai.RateLimitError, self.ask)
        self.assertEqual((raised.type, raised.code), ("requests", "rate_limit_exceeded"))
        self.assertIn("Limit 1, Used 1, Requested 1", raised.message)
        self.assertEqual(raised.response.headers["x-ratelimit-remaining-requests"], "0")
        self.assertTrue(0 < int(raised.response.headers["retry-after"]) <= 60)

    def test_a_question_that_lacks_something(self):
        self.will("{}")
        ask = self.client().chat.completions.create
        raised = self.raises(openai.BadRequestError, lambda: ask(model="gpt-4o", messages=[]))
        self.assertEqual(raised.type, "invalid_request_error")

    def test_a_path_that_is_not_served(self):
        self.will("{}")
        raised = self.raises(openai.NotFoundError, lambda: self.client().models.list())
        self.assertIn("Invalid URL", raised.message)

    def test_a_retry_waits_as_long_as_it_is_told(self):
        self.will("default: [{ status: 429, retryAfter: 2s, times: 1 }, 200]")
        self.assertEqual(self.ask(retries=1).choices[0].message.content, TEXT)
        self.assert_answered(429, 200)
        # By itself it waits for half a second at most.
        self.assert_waited(2000, 10_000)

    def test_a_retry_waits_little_if_nothing_is_told(self):
        self.will("default: [503, 200]")
        self.assertEqual(self.ask(retries=1).choices[0].message.content, TEXT)
        self.assert_answered(503, 200)
        self.assert_waited(300, 2000)

    def test_retries_end(self):
        self.will("default: 500")
        self.raises(openai.InternalServerError, lambda: self.ask(retries=1))
        self.assert_answered(500, 500)

    def test_what_is_the_clients_fault_is_not_retried(self):
        self.will("default: [401, 200]")
        self.raises(openai.AuthenticationError, lambda: self.ask(retries=1))
        self.assert_answered(401)


class Faults(OpenAi):
    def read(self, **options):
        """A stream to its end, and the text that came before."""
        self.text = ""
        for chunk in self.stream(**options):
            self.text += chunk.choices[0].delta.content or "" if chunk.choices else ""

    def test_a_connection_that_breaks(self):
        broken = openai.APIConnectionError
        for fault, error in (
            ("reset", self.seen(broken, openai.InternalServerError)),
            ("resetAfterHeaders", broken),
            ("{ cut: { bytes: 20 } }", broken),
            ("malformedChunk", broken),
        ):
            for ask in (self.ask, self.read):
                with self.subTest(fault=fault, ask=ask.__name__):
                    self.will(f"default: {{ fault: {fault} }}")
                    self.raises(error, ask)

    def test_a_body_that_is_shorter_than_promised(self):
        self.will("default: { fault: wrongLength }")
        self.raises(openai.APIConnectionError, self.ask)

    def test_a_broken_connection_is_retried(self):
        self.will("default: [{ fault: reset, times: 1 }, 200]")
        self.assertEqual(self.ask(retries=1).choices[0].message.content, TEXT)
        self.assert_answered(200, 200)

    def test_a_stream_that_is_cut_leaves_what_came_before(self):
        self.will("default: { fault: { cut: { events: 4 } } }")
        self.raises(openai.APIConnectionError, self.read)
        self.assertEqual(self.text, "One two three ")

    def test_a_stall_runs_into_the_timeout(self):
        for fault in ("stall", "{ stallAfter: { bytes: 20 } }"):
            for ask in (self.ask, self.read):
                with self.subTest(fault=fault, ask=ask.__name__):
                    self.will(f"default: {{ fault: {fault} }}")
                    self.raises(openai.APITimeoutError, lambda: ask(timeout=0.3))

    def test_a_stream_that_stalls_leaves_what_came_before(self):
        self.will("default: { fault: { stallAfter: { events: 4 } } }")
        self.raises(openai.APITimeoutError, lambda: self.read(timeout=1))
        self.assertEqual(self.text, "One two three ")

    def test_what_is_no_json(self):
        for ask in (self.ask, self.read):
            with self.subTest(ask=ask.__name__):
                self.will("default: { fault: invalidJson }")
                self.raises(json.JSONDecodeError, ask)

    def test_an_error_inside_a_stream(self):
        for script, kind, code in (
            ("{ fault: errorEvent }", "service_unavailable_error", "server_is_overloaded"),
            ("{ status: 429, fault: errorEvent }", "requests", "rate_limit_exceeded"),
            ("{ status: 500, fault: errorEvent }", "server_error", None),
        ):
            with self.subTest(script=script):
                self.will(f"default: {script}")
                raised = self.raises(openai.APIError, self.read)
                self.assertEqual((raised.type, raised.code), (kind, code))
                self.assertEqual(raised.message, raised.body["message"])

    def test_a_drip_is_whole_in_the_end(self):
        self.will("default: { fault: { drip: { bytes: 50, every: 1ms } } }")
        self.assertEqual(self.ask().choices[0].message.content, TEXT)
        self.read()
        self.assertEqual(self.text, TEXT)


class Azure(Reads):
    kind = "azure"

    def ask(self, retries=0, **options):
        client = openai.AzureOpenAI(
            azure_endpoint=self.url(), api_key=TOKEN, api_version="2024-10-21", max_retries=retries, timeout=10
        )
        self.addCleanup(client.close)
        return client.chat.completions.create(**ASK, **options)

    def test_an_answer_and_a_stream(self):
        self.will("{}")
        answer = self.ask()
        self.assertEqual(answer.choices[0].message.content, TEXT)
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.completion_tokens), (ASKED, SAID))
        chunks = [chunk.choices[0] for chunk in self.ask(stream=True) if chunk.choices]
        self.assertEqual("".join(chunk.delta.content or "" for chunk in chunks), TEXT)
        self.assertEqual(chunks[-1].finish_reason, "stop")

    def test_a_retry_waits_for_milliseconds(self):
        self.will("default: [{ status: 429, retryAfter: 1200ms, times: 1 }, 200]")
        raised = self.raises(openai.RateLimitError, self.ask)
        self.assertEqual((raised.code, raised.response.headers["retry-after-ms"]), ("429", "1200"))
        self.will("default: [{ status: 429, retryAfter: 1200ms, times: 1 }, 200]")
        self.ask(retries=1)
        # Not two seconds, as `retry-after` says.
        self.assert_waited(1200, 2000)


class Compatible:
    """Vendors that tell their users to take this client."""

    def test_they_are_read_alike(self):
        client = openai.OpenAI(base_url=self.url(self.path), api_key=TOKEN, max_retries=0, timeout=10)
        self.addCleanup(client.close)
        self.will("{}")
        answer = client.chat.completions.create(**ASK)
        self.assertEqual(answer.choices[0].message.content, TEXT)
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.completion_tokens), (ASKED, SAID))
        *chunks, last = list(client.chat.completions.create(**STREAM))
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        self.assertEqual((said, last.usage.completion_tokens), (TEXT, SAID))
        self.will("default: 429")
        self.raises(openai.RateLimitError, lambda: client.chat.completions.create(**ASK))
        self.will("default: 401")
        raised = self.raises(openai.AuthenticationError, lambda: client.chat.completions.create(**ASK))
        self.assertEqual(raised.code, self.unauthorized)


class DeepSeek(Compatible, Reads):
    kind, path, unauthorized = "deepseek", "", "invalid_request_error"


class Qwen(Compatible, Reads):
    kind, path, unauthorized = "qwen", "/compatible-mode/v1", "invalid_api_key"
