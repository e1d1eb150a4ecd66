"""Google's own client of Gemini."""

import asyncio
import json

import httpx2
import served
from google import genai
from google.genai import errors, types
from served import ASKED, QUESTION, SAID, TEXT, TOKEN, Reads

ASK = {"model": "gemini-2.5-flash", "contents": QUESTION}


class Gemini(Reads):
    kind = "gemini"

    @classmethod
    def setUpClass(cls):
        cls.client = genai.Client(api_key=TOKEN, http_options=types.HttpOptions(base_url=cls.url()))
        cls.addClassCleanup(cls.client.close)

    def config(self, retries=0, timeout=10, **config):
        # It tries so often in all, and does not read when to come back.
        again = types.HttpRetryOptions(attempts=1 + retries, initial_delay=0.05, jitter=0)
        options = types.HttpOptions(timeout=int(timeout * 1000), retry_options=again)
        return types.GenerateContentConfig(http_options=options, **config)

    def ask(self, **config):
        return self.client.models.generate_content(**ASK, config=self.config(**config))

    def read(self, **config):
        """A stream to its end, and the text that came before."""
        self.text, parts = "", []
        for part in self.client.models.generate_content_stream(**ASK, config=self.config(**config)):
            self.text += part.text
            parts.append(part)
        return parts


class Answers(Gemini):
    def check_end(self, answer):
        usage = answer.usage_metadata
        found = (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count)
        self.assertEqual(found, (ASKED, SAID, ASKED + SAID))
        self.assertEqual(answer.candidates[0].finish_reason, types.FinishReason.STOP)
        self.assertEqual(answer.model_version, "gemini-2.5-flash")

    def check_stream(self, parts):
        self.assertEqual("".join(part.text for part in parts), TEXT)
        self.assertEqual(len(parts), 6)
        self.assertEqual({part.candidates[0].finish_reason for part in parts[:-1]}, {None})
        self.assertEqual(len({part.response_id for part in parts}), 1)
        self.check_end(parts[-1])

    def test_an_answer(self):
        self.will("{}")
        answer = self.ask()
        self.assertEqual((answer.text, answer.candidates[0].content.role), (TEXT, "model"))
        self.check_end(answer)

    def test_a_stream(self):
        self.will("{}")
        self.check_stream(self.read())

    def test_without_waiting(self):
        async def both():
            async with self.client.aio as client:
                answer = await client.models.generate_content(**ASK)
                self.assertEqual(answer.text, TEXT)
                self.check_end(answer)
                self.check_stream([part async for part in await client.models.generate_content_stream(**ASK)])

        self.will("{}")
        asyncio.run(both())

    def test_an_answer_that_is_cut_says_so(self):
        self.will("{}")
        answer = self.ask(max_output_tokens=2)
        found = (answer.candidates[0].finish_reason, answer.usage_metadata.candidates_token_count)
        self.assertEqual(found, (types.FinishReason.MAX_TOKENS, 2))


class Errors(Gemini):
    def test_each_status_is_an_error(self):
        for status, word, error in (
            (400, "INVALID_ARGUMENT", errors.ClientError),
            (401, "UNAUTHENTICATED", errors.ClientError),
            (403, "PERMISSION_DENIED", errors.ClientError),
            (404, "NOT_FOUND", errors.ClientError),
            (429, "RESOURCE_EXHAUSTED", errors.ClientError),
            (500, "INTERNAL", errors.ServerError),
            (503, "UNAVAILABLE", errors.ServerError),
            (529, "INTERNAL", errors.ServerError),
        ):
            for ask in (self.ask, self.read):
                with self.subTest(status=status, ask=ask.__name__):
                    self.will(f"default: {status}")
                    raised = self.raises(error, ask)
                    self.assertEqual((raised.code, raised.status), (status, word))
                    self.assertEqual(raised.details["error"]["code"], status)
                    self.assertGreater(len(raised.message), 10)
                    self.assertNotIn(TOKEN, str(raised))

    def detail(self, raised, kind):
        of_kind = f"type.googleapis.com/google.rpc.{kind}"
        (found,) = [detail for detail in raised.details["error"]["details"] if detail["@type"] == of_kind]
        return found

    def test_when_to_come_back_is_in_the_body(self):
        self.will("default: { status: 429, retryAfter: 7s }")
        raised = self.raises(errors.ClientError, self.ask)
        self.assertEqual(self.detail(raised, "RetryInfo")["retryDelay"], "7s")
        self.assertIn("Please retry in 7s.", raised.message)

    def test_a_bad_key(self):
        self.will("default: { status: 400, error: API_KEY_INVALID }")
        raised = self.raises(errors.ClientError, self.ask)
        self.assertEqual(raised.status, "INVALID_ARGUMENT")
        self.assertEqual(self.detail(raised, "ErrorInfo")["reason"], "API_KEY_INVALID")

    def test_a_quota_that_is_used_up(self):
        self.will("quotas: [{ requests: 2, per: 1m }]")
        self.ask()
        self.ask()
        raised = self.raises(errors.ClientError, self.ask)
        (violation,) = self.detail(raised, "QuotaFailure")["violations"]
        self.assertEqual(violation["quotaValue"], "2")
        self.assertEqual(violation["quotaId"], "GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
        self.assertTrue(0 < float(self.detail(raised, "RetryInfo")["retryDelay"].removesuffix("s")) <= 60)
        self.assert_answered(200, 200, 429)

    def test_errors_that_pass_are_retried(self):
        for status in (429, 500, 503):
            with self.subTest(status=status):
                self.will(f"default: [{status}, 200]")
                self.assertEqual(self.ask(retries=1).text, TEXT)
                self.assert_answered(status, 200)

    def test_what_is_the_clients_fault_is_not_retried(self):
        self.will("default: [403, 200]")
        self.raises(errors.ClientError, lambda: self.ask(retries=1))
        self.assert_answered(403)


class Faults(Gemini):
    """This client lets the errors of its HTTP library through."""

    def test_a_connection_that_breaks(self):
        for fault, error in (
            ("reset", self.seen(httpx2.ReadError, errors.ServerError)),
            ("resetAfterHeaders", self.seen(httpx2.ReadError, httpx2.RemoteProtocolError)),
            ("{ cut: { bytes: 20 } }", httpx2.RemoteProtocolError),
            ("malformedChunk", httpx2.RemoteProtocolError),
            ("wrongLength", httpx2.RemoteProtocolError),
        ):
            for ask in (self.ask, self.read):
                with self.subTest(fault=fault, ask=ask.__name__):
                    self.will(f"default: {{ fault: {fault} }}")
                    self.raises(error, ask)

    def test_a_stall_is_retried_and_a_reset_is_not(self):
        self.will("default: [{ fault: stall, times: 1 }, 200]")
        self.assertEqual(self.ask(retries=1, timeout=1).text, TEXT)
        self.assert_answered(200, 200)
        self.will("default: [{ fault: reset, times: 1 }, 200]")
        if served.now.gateway:
            # It is a 503 to this client.
            self.assertEqual(self.ask(retries=1).text, TEXT)
            self.assert_answered(200, 200)
        else:
            self.raises(httpx2.ReadError, lambda: self.ask(retries=1))
            self.assert_answered(200)

    def test_a_stream_that_is_cut_leaves_what_came_before(self):
        self.will("default: { fault: { cut: { events: 3 } } }")
        self.raises(httpx2.RemoteProtocolError, self.read)
        self.assertEqual(self.text, "One two three ")

    def test_a_stall_runs_into_the_timeout(self):
        for fault in ("stall", "{ stallAfter: { bytes: 20 } }"):
            for ask in (self.ask, self.read):
                with self.subTest(fault=fault, ask=ask.__name__):
                    self.will(f"default: {{ fault: {fault} }}")
                    self.raises(httpx2.ReadTimeout, lambda: ask(timeout=0.3))

    def test_what_is_no_json(self):
        for ask, error in ((self.ask, json.JSONDecodeError), (self.read, errors.UnknownApiResponseError)):
            with self.subTest(ask=ask.__name__):
                self.will("default: { fault: invalidJson }")
                self.raises(error, ask)

    def test_an_error_inside_a_stream(self):
        for script, code, word, error in (
            ("{ fault: errorEvent }", 503, "UNAVAILABLE", errors.ServerError),
            ("{ status: 429, fault: errorEvent }", 429, "RESOURCE_EXHAUSTED", errors.ClientError),
        ):
            with self.subTest(script=script):
                self.will(f"default: {script}")
                raised = self.raises(error, self.read)
                self.assertEqual((raised.code, raised.status), (code, word))
                self.assertEqual(raised.response.status_code, 200)

    def test_a_drip_is_whole_in_the_end(self):
        self.will("default: { fault: { drip: { bytes: 50, every: 1ms } } }")
        self.assertEqual(self.ask().text, TEXT)
        self.read()
        self.assertEqual(self.text, TEXT)
