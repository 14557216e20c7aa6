from __future__ import annotations

import asyncio

import pytest

from mediarelay_client import AsyncRelay, JobRejected, Relay, WaitTimeout
from tests.harness.client_stack import ClientStack


def test_a_job_can_be_awaited_and_many_iterated(stack: ClientStack) -> None:
    async def scenario() -> list[int | None]:
        async with AsyncRelay(Relay(stack.settings())) as relay:
            assert (await (await relay.say("hello"))).ok
            both = await asyncio.gather(*[(await relay.draw(prompt)).result(20) for prompt in ("a", "b")])
            assert all(result.ok for result in both)
            requests = ({"kind": "tts", "input": {"text": str(number)}} for number in range(30))
            return [result.input_index async for result in relay.submit_many(requests, in_flight=7)]

    assert sorted(filter(None, asyncio.run(scenario()))) == list(range(1, 30))
    assert not stack.queues


def test_a_loop_may_be_cancelled_while_it_waits(stack: ClientStack) -> None:
    stack.answer = lambda _: None

    async def scenario() -> None:
        async with AsyncRelay(Relay(stack.settings())) as relay:

            async def all_results() -> None:
                async for _ in relay.submit_many([{"kind": "tts", "input": {"text": "slow"}}]):
                    pass

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(all_results(), 0.1)

    asyncio.run(scenario())
    assert not stack.queues


def test_it_fails_and_ends_waits_as_the_other_does(stack: ClientStack) -> None:
    stack.answer = lambda body: (
        None
        if body["input"]["text"] == "slow"
        else {"status": "rejected", "error": {"code": "no_provider", "message": "none", "retryable": False}}
    )

    async def scenario() -> None:
        async with AsyncRelay(Relay(stack.settings())) as relay:
            with pytest.raises(JobRejected):
                await (await relay.say("hello"))
            job = await relay.say("slow")
            with pytest.raises(WaitTimeout):
                await job.result(timeout=0.05)
            assert await job.status() == "running"
            await job.cancel()

    asyncio.run(scenario())
    assert "cancel" in stack.published[-1]
