import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.simulator.speaking import speak
from tools.simulator.client import SimulatorError
from tools.simulator.config import SimulatorConfig
from tools.simulator.state.accounts import key_id
from tools.simulator.vendors import VENDORS

VOICE = "JBFqnCBsd6RMkjVDRZzb"


def say(simulator, text, key):
    url = f"{simulator.urls['ELEVENLABS_BASE_URL']}/v1/text-to-speech/{VOICE}"
    return requests.post(url, json={"text": text}, headers={"xi-api-key": key}, timeout=600)


def test_sibling_keys_share_one_bucket_and_strangers_do_not(simulator, control):
    limited = {"keys": ["a1", "a2"], "requests_per_second": 0.01, "burst": 3}
    control.configure({"vendors": {"openai": {"a": limited, "b": {"keys": ["b1"]}}}, "latency": {}})
    assert [speak(simulator, key=key).status_code for key in ("a1", "a2", "a1", "a2", "a1", "b1")] == [200] * 3 + [
        429
    ] * 2 + [200]


def test_sibling_keys_share_one_concurrency_cap(simulator, control):
    slow = {"*": {"speech": {"kind": "fixed", "seconds": 2}}}
    control.configure({"vendors": {"elevenlabs": {"a": {"keys": ["a1", "a2"], "concurrency": 2}}}, "latency": slow})
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: say(simulator, f"text {n}", f"a{n % 2 + 1}"), range(6)))
    refused = [answer.json()["detail"]["code"] for answer in answers if answer.status_code == 429]
    gauge = next(row for row in control.stats()["accounts"] if row["account"] == "a")
    assert gauge["max_in_flight"] <= 2
    assert set(refused) == {"concurrent_limit_exceeded"}
    assert len(control.paid()) == 6 - len(refused)


def test_a_balance_is_shared_and_runs_out(simulator, control):
    control.configure({"vendors": {"elevenlabs": {"a": {"keys": ["a1", "a2"], "balance": 10}}}, "latency": {}})
    assert say(simulator, "sixsix", "a1").status_code == 200
    assert say(simulator, "sixsix", "a2").json()["detail"]["code"] == "quota_exceeded"


def test_account_states_answer_as_the_vendor_would(simulator, control):
    states = {"empty": {"keys": ["k1"], "state": "out_of_quota"}, "gone": {"keys": ["k2"], "state": "disabled"}}
    control.configure({"vendors": {"openai": states}, "latency": {}})
    assert speak(simulator, key="k1").json()["error"]["code"] == "insufficient_quota"
    assert speak(simulator, key="k2").json()["error"]["code"] == "invalid_api_key"
    models = f"{simulator.urls['OPENAI_BASE_URL']}/models"
    assert requests.get(models, headers={"Authorization": "Bearer k1"}, timeout=600).ok


def test_rows_are_per_operation_account_and_key_id_and_hold_no_key(simulator, control):
    speak(simulator, "four")
    speak(simulator, "")
    speak(simulator, key="sim-openai-key-3")
    speak(simulator, key="nobodys-key")
    stats = control.stats()
    rows = {(row["account"], row["key_id"]): row for row in stats["rows"]}
    mine = rows["main", key_id("sim-openai-key-1")]
    assert (mine["requests"], mine["paid"], mine["units"], mine["in_flight"]) == (2, 1, 4, 0)
    assert mine["by_status"] == {"200": 1, "400": 1}
    assert mine["by_outcome"] == {"ok": 1, "invalid_request": 1}
    assert rows["backup", key_id("sim-openai-key-3")]["paid"] == 1
    assert rows["", key_id("nobodys-key")]["by_outcome"] == {"bad_key": 1}
    assert (stats["requests"], stats["paid"], stats["in_flight"]) == (4, 2, 0)
    assert "sim-openai-key" not in str(stats)


def test_the_ledger_counts_each_text_per_vendor(simulator, control):
    for text in ("one", "one", "two"):
        speak(simulator, text)
    say(simulator, "one", "sim-elevenlabs-key-1")
    assert control.paid() == {"one": 3, "two": 1}
    assert control.paid("openai") == {"one": 2, "two": 1}


def test_a_long_text_is_named_by_its_hash_and_beginning(simulator, control):
    text = "long " * 100
    speak(simulator, text)
    assert control.paid() == {f"{key_id(text)}:{text[:80]}": 1}


def test_reset_forgets_counters_faults_and_spent_limits(simulator, control):
    limited = {"keys": ["a1"], "requests_per_second": 0.01, "burst": 1}
    control.configure({"vendors": {"openai": {"a": limited}}, "latency": {}})
    assert [speak(simulator, key="a1").status_code for _ in range(2)] == [200, 429]
    control.fault(status=500)
    control.reset()
    assert (control.faults(), control.paid(), control.stats()["rows"]) == ([], {}, [])
    assert speak(simulator, key="a1").status_code == 200


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"vendors": {"openai": {"a": {"keys": []}}}}, "keys: Tuple should have at least 1"),
        ({"vendors": {"openai": {"a": {"keys": ["k"]}, "b": {"keys": ["k"]}}}}, "a key is listed twice"),
        ({"latency": {"*": {"*": {"kind": "psychic"}}}}, "latency"),
    ],
)
def test_a_bad_configuration_is_refused_and_the_old_one_stays(simulator, control, config, message):
    with pytest.raises(SimulatorError, match=message):
        control.configure(config)
    assert speak(simulator).status_code == 200


def test_the_built_in_keys_are_obviously_fake():
    keys = [key for accounts in SimulatorConfig().vendors.values() for one in accounts.values() for key in one.keys]
    assert len(keys) == len(set(keys)) == 4 * len(VENDORS)
    assert all(key.startswith("sim-") for key in keys)


def test_a_body_that_is_not_json_and_a_path_of_nobody_are_answered(simulator, control):
    headers = {"Authorization": "Bearer sim-openai-key-1"}
    url = f"{simulator.urls['OPENAI_BASE_URL']}/audio/speech"
    for body in (b"{", b"[1]", b"\xff"):
        assert (
            requests.post(url, data=body, headers=headers, timeout=600).json()["error"]["type"]
            == "invalid_request_error"
        )
    assert requests.get(f"{control.base_url}/nowhere", timeout=600).status_code == 404
    assert control.stats()["unmatched"] == {"GET /nowhere": 1}


def test_each_call_is_seen_with_its_times_its_key_id_and_how_it_ended(simulator, control):
    control.fault(vendor="openai", operation="speech", error="server_error", count=1)
    before = time.time()
    speak(simulator, "first")
    speak(simulator, "second", key="sim-openai-key-3")
    first, second = control.calls()
    assert (first["operation"], first["outcome"], second["outcome"]) == ("speech", "server_error", "ok")
    assert second["key_id"] == key_id("sim-openai-key-3")
    assert before <= first["began"] <= first["ended"] <= second["began"] <= second["ended"] <= time.time()
