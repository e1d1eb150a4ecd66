"""Anthropic's own client."""

import asyncio
import json
from datetime import datetime

import anthropic
import httpx2
from served import ASKED, QUESTION, SAID, TEXT, TOKEN, Reads

ASK = {"model": "claude-rehearsal", "max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]}


class Anthropic(Reads):
    kind = "anthropic"

    @classmethod
    def setUpClass(cls):
        cls.kept = anthropic.Anthropic(base_url=cls.url(), api_key=TOKEN)
        cls.addClassCleanup(cls.kept.close)

    def client(self, retries=0, timeout=10):
        return self.kept.with_options(max_retries=retries, timeout=timeout)

    def ask(self, **options):
        return self.client(**options).messages.create(**ASK)

    def stream(self, **options):
        return self.client(**options).messages.create(**ASK, stream=True)


class Answers(Anthropic):
    def check_answer(self, answer):
        (block,) = answer.content
        self.assertEqual((block.type, block.text, answer.role), ("text", TEXT, "assistant"))
        self.assertEqual((answer.stop_reason, answer.model), ("end_turn", "claude-rehearsal"))
        self.assertEqual((answer.usage.input_tokens, answer.usage.output_tokens), (ASKED, SAID))

    def check_stream(self, events):
        kinds = [event.type for event in events]
        deltas = kinds.count("content_block_delta")
        self.assertGreaterEqual(deltas, 6)
        around = ["message_start", "content_block_start"], ["content_block_stop", "message_delta", "message_stop"]
        self.assertEqual(kinds, around[0] + ["content_block_delta"] * deltas + around[1])
        self.assertEqual("".join(event.delta.text for event in events[2 : 2 + deltas]), TEXT)
        self.assertEqual(events[0].message.usage.input_tokens, ASKED)
        self.assertEqual((events[-2].delta.stop_reason, events[-2].usage.output_tokens), ("end_turn", SAID))

    def test_an_answer(self):
        self.will("{}")
        answer = self.ask()
        self.check_answer(answer)
        self.assertRegex(answer._request_id, "^req_")

    def test_a_stream(self):
        self.will("{}")
        self.check_stream(list(self.stream()))

    def test_a_stream_that_the_client_puts_together(self):
        self.will("{}")
        with self.client().messages.stream(**ASK) as stream:
            self.assertEqual("".join(stream.text_stream), TEXT)
            self.check_answer(stream.get_final_message())

    def test_without_waiting(self):
        async def both():
            async with anthropic.AsyncAnthropic(base_url=self.url(), api_key=TOKEN) as client:
                self.check_answer(await client.messages.create(**ASK))
                self.check_stream([event async for event in await client.messages.create(**ASK, stream=True)])

        self.will("{}")
        asyncio.run(both())

    def test_an_answer_that_is_cut_says_so(self):
        self.will("{}")
        answer = self.client().messages.create(**{**ASK, "max_tokens": 2})
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("max_tokens", 2))

    def test_quotas_count_down_in_headers(self):
        self.will("quotas: [{ requests: 3, per: 1m }]")
        raw = self.client().messages.with_raw_response
        for left in (2, 1):
            headers = raw.create(**ASK).headers
            self.assertEqual(headers["anthropic-ratelimit-requests-limit"], "3")
            self.assertEqual(headers["anthropic-ratelimit-requests-remaining"], str(left))
            reset = datetime.fromisoformat(headers["anthropic-ratelimit-requests-reset"].replace("Z", "+00:00"))
            self.assertTrue(0 < (reset - datetime.now(reset.tzinfo)).total_seconds() <= 61)


class Errors(Anthropic):
    def test_each_status_is_an_error_of_its_own(self):
        for status, kind, error in (
            (400, "invalid_request_error", anthropic.BadRequestError),
            (401, "authentication_error", anthropic.AuthenticationError),
            (403, "permission_error", anthropic.PermissionDeniedError),
            (404, "not_found_error", anthropic.NotFoundError),
            (429, "rate_limit_error", anthropic.RateLimitError),
            (500, "api_error", anthropic.InternalServerError),
            (503, "api_error", anthropic.ServiceUnavailableError),
            (529, "overloaded_error", anthropic.OverloadedError),
        ):
            for ask in (self.ask, self.stream):
                with self.subTest(status=status, ask=ask.__name__):
                    self.will(f"default: {status}")
                    raised = self.raises(error, ask)
                    self.assertEqual((raised.status_code, raised.type, raised.error_code), (status, kind, None))
                    self.assertGreater(len(raised.api_message), 8)
                    self.assertRegex(raised.request_id, "^req_")
                    self.assertEqual(raised.body["request_id"], raised.request_id)
                    self.assertNotIn(TOKEN, str(raised))

    def test_when_to_come_back(self):
        self.will("default: { status: 429, retryAfter: 7s }")
        raised = self.raises(anthropic.RateLimitError, self.ask)
        self.assertEqual(raised.response.headers["retry-after"], "7")

    def test_an_error_with_details(self):
        self.will("default: { status: 429, error: enforced_spend_limit_reached }")
        raised = self.raises(anthropic.types.shared.EnforcedSpendLimitReachedError, self.ask)
        self.assertEqual((raised.type, raised.error_code), ("rate_limit_error", "enforced_spend_limit_reached"))
        self.assertEqual(raised.details.error_code, "enforced_spend_limit_reached")

    def test_a_quota_that_is_used_up(self):
        self.will("quotas: [{ requests: 1, per: 1m }]")
        self.ask()
        raised = self.raises(anthropic.RateLimitError, self.ask)
        self.assertIn("1 requests per minute", raised.api_message)
        self.assertEqual(raised.response.headers["anthropic-ratelimit-requests-remaining"], "0")
        self.assertTrue(0 < int(raised.response.headers["retry-after"]) <= 60)

    def test_a_question_that_lacks_something(self):
        self.will("{}")
        ask = self.client().messages.create
        raised = self.raises(anthropic.BadRequestError, lambda: ask(**{**ASK, "messages": []}))
        self.assertEqual(raised.type, "invalid_request_error")

    def test_a_retry_waits_as_long_as_it_is_told(self):
        self.will("default: [{ status: 429, retryAfter: 2s, times: 1 }, 200]")
        self.assertEqual(self.ask(retries=1).content[0].text, TEXT)
        self.assert_answered(429, 200)
        # By itself it waits for half a second at most.
        self.assert_waited(2000, 10_000)

    def test_an_overload_is_retried(self):
        self.will("default: [529, 200]")
        self.assertEqual(self.ask(retries=1).content[0].text, TEXT)
        self.assert_answered(529, 200)
        self.assert_waited(300, 2000)

    def test_what_is_the_clients_fault_is_not_retried(self):
        self.will("default: [403, 200]")
        self.raises(anthropic.PermissionDeniedError, lambda: self.ask(retries=1))
        self.assert_answered(403)


class Faults(Anthropic):
    """Once a stream has begun this client lets the errors of its HTTP library through."""

    def read(self, **options):
        """A stream to its end, and the text that came before."""
        self.text = ""
        for event in self.stream(**options):
            self.text += event.delta.text if event.type == "content_block_delta" else ""

    def test_a_connection_that_breaks(self):
        early, broken = anthropic.APIConnectionError, httpx2.RemoteProtocolError
        reset = self.seen(early, anthropic.ServiceUnavailableError)
        for fault, of_an_answer, of_a_stream in (
            ("reset", reset, reset),
            ("resetAfterHeaders", early, self.seen(httpx2.ReadError, broken)),
            ("{ cut: { bytes: 20 } }", early, broken),
            ("malformedChunk", early, broken),
            ("wrongLength", early, broken),
        ):
            for ask, error in ((self.ask, of_an_answer), (self.read, of_a_stream)):
                with self.subTest(fault=fault, ask=ask.__name__):
                    self.will(f"default: {{ fault: {fault} }}")
                    self.raises(error, ask)

    def test_a_broken_connection_is_retried(self):
        self.will("default: [{ fault: reset, times: 1 }, 200]")
        self.assertEqual(self.ask(retries=1).content[0].text, TEXT)
        self.assert_answered(200, 200)

    def test_a_stream_that_is_cut_leaves_what_came_before(self):
        # The first three events are of no text.
        self.will("default: { fault: { cut: { events: 5 } } }")
        self.raises(httpx2.RemoteProtocolError, self.read)
        self.assertEqual(self.text, "One two ")

    def test_a_stall_runs_into_the_timeout(self):
        for fault, ask, timeout, error in (
            ("stall", self.ask, 0.3, anthropic.APITimeoutError),
            ("stall", self.read, 0.3, anthropic.APITimeoutError),
            ("{ stallAfter: { bytes: 20 } }", self.ask, 0.3, anthropic.APITimeoutError),
            # The headers must be there by then.
            ("{ stallAfter: { bytes: 20 } }", self.read, 1, httpx2.ReadTimeout),
        ):
            with self.subTest(fault=fault, ask=ask.__name__):
                self.will(f"default: {{ fault: {fault} }}")
                self.raises(error, lambda: ask(timeout=timeout))

    def test_what_is_no_json(self):
        for ask in (self.ask, self.read):
            with self.subTest(ask=ask.__name__):
                self.will("default: { fault: invalidJson }")
                self.raises(json.JSONDecodeError, ask)

    def test_an_error_inside_a_stream(self):
        for script, kind in (
            ("{ fault: errorEvent }", "overloaded_error"),
            ("{ status: 429, fault: errorEvent }", "rate_limit_error"),
            ("{ status: 500, fault: errorEvent }", "api_error"),
        ):
            with self.subTest(script=script):
                self.will(f"default: {script}")
                # The status was 200, so it cannot be of a kind that has one.
                raised = self.raises(anthropic.APIStatusError, self.read)
                self.assertEqual((raised.status_code, raised.type), (200, kind))
                self.assertEqual(raised.body["request_id"], raised.request_id)

    def test_a_drip_is_whole_in_the_end(self):
        self.will("default: { fault: { drip: { bytes: 50, every: 1ms } } }")
        self.assertEqual(self.ask().content[0].text, TEXT)
        self.read()
        self.assertEqual(self.text, TEXT)
