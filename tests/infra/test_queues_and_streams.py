"""What keeps a message from being lost: visibility, dead-letter queues, their alarms, failure handling of streams."""

import json
from typing import Any

import pytest

from mediarelay.aws.clients import STORE_CONFIG
from mediarelay.dispatch.batches import ANSWER_SECONDS, RESERVE_SECONDS
from tests.harness.template import as_list, load_template, of_type
from tools.localaws.fixes.event_sources.event_pattern import matches

Template = dict[str, Any]
TIMINGS = sorted(load_template()["Mappings"]["Timing"])
QUEUES = sorted(of_type(load_template(), "AWS::SQS::Queue"))
TABLES = sorted(of_type(load_template(), "AWS::DynamoDB::Table"))
FAILURE_BLOCK = {
    "FunctionResponseTypes",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "DestinationConfig",
}


def sources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    functions = of_type(template, "AWS::Serverless::Function")
    return {
        name: event["Properties"]
        for name, function in functions.items()
        for event in function.get("Events", {}).values()
        if event["Type"] == kind
    }


def dead_letter_queues(template: Template) -> set[str]:
    redriven = {
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in of_type(template, "AWS::SQS::Queue").values()
        if "RedrivePolicy" in queue
    }
    destinations = {
        source["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for source in sources(template, "DynamoDB").values()
    }
    asynchronous = {
        function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for function in of_type(template, "AWS::Serverless::Function").values()
        if "EventInvokeConfig" in function
    }
    return redriven | destinations | asynchronous


def alarmed(template: Template, queue: str, metric: str) -> bool:
    dimension = {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}
    alarms = of_type(template, "AWS::CloudWatch::Alarm").values()
    return any(alarm["MetricName"] == metric and alarm["Dimensions"] == [dimension] for alarm in alarms)


def tls_only(template: Template, kind: str, attachment: str, logical_id: str) -> bool:
    """Whether a policy of this type, attached to this resource, denies every call without TLS."""
    return any(
        {"Ref": logical_id} in as_list(policy[attachment])
        and statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for policy in of_type(template, kind).values()
        for statement in policy["PolicyDocument"]["Statement"]
    )


@pytest.mark.parametrize("timing", TIMINGS)
def test_visibility_outlasts_a_run_twice_and_what_a_message_takes_six_times(template: Template, timing: str) -> None:
    seconds = template["Mappings"]["Timing"][timing]

    assert seconds["Visibility"] >= 2 * seconds["FunctionTimeout"]
    assert seconds["Visibility"] >= 6 * float(seconds["MessageTime"])


@pytest.mark.parametrize("timing", TIMINGS)
def test_a_run_has_time_to_take_further_messages_and_to_finish_each_of_them(template: Template, timing: str) -> None:
    seconds = template["Mappings"]["Timing"][timing]

    taking = seconds["FunctionTimeout"] - RESERVE_SECONDS - ANSWER_SECONDS - float(seconds["MessageTime"])
    assert taking >= seconds["FunctionTimeout"] / 4


@pytest.mark.parametrize("timing", TIMINGS)
def test_the_age_alarm_tolerates_one_lost_worker(template: Template, timing: str) -> None:
    seconds = template["Mappings"]["Timing"][timing]

    assert seconds["QueueAge"] > seconds["Visibility"] + seconds["FunctionTimeout"]


@pytest.mark.parametrize(
    ("queue", "function"), [("RequestQueue", "DispatchRequestFunction"), ("PictureQueue", "DrawPictureFunction")]
)
def test_a_request_queue_and_its_function_take_their_times_from_the_mapping(
    template: Template, queue: str, function: str
) -> None:
    def mapped(name: str) -> dict[str, Any]:
        return {"Fn::FindInMap": ["Timing", {"Ref": "Timing"}, name]}

    properties = template["Resources"][function]["Properties"]
    assert template["Resources"][queue]["Properties"]["VisibilityTimeout"] == mapped("Visibility")
    assert properties["Timeout"] == mapped("FunctionTimeout")
    assert properties["Environment"]["Variables"]["MESSAGE_SECONDS"] == mapped("MessageTime")


@pytest.mark.parametrize("parameter", ["SpeechThreads", "PictureThreads"])
def test_a_worker_has_a_thread_for_each_message_of_a_batch_and_a_connection_for_each_thread(
    template: Template, parameter: str
) -> None:
    allowed = template["Parameters"][parameter]
    batches = [source["BatchSize"] for source in sources(template, "SQS").values()]

    assert allowed["MinValue"] >= max(batches)
    assert allowed["MaxValue"] <= STORE_CONFIG.max_pool_connections


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_is_encrypted_and_refuses_plain_http(template: Template, queue: str) -> None:
    assert template["Resources"][queue]["Properties"]["SqsManagedSseEnabled"] is True
    assert tls_only(template, "AWS::SQS::QueuePolicy", "Queues", queue)


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_has_a_dead_letter_queue_or_is_one(template: Template, queue: str) -> None:
    assert "RedrivePolicy" in template["Resources"][queue]["Properties"] or queue in dead_letter_queues(template)


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_has_the_alarm_of_its_promise(template: Template, queue: str) -> None:
    dead = queue in dead_letter_queues(template)

    assert alarmed(template, queue, "ApproximateNumberOfMessagesVisible" if dead else "ApproximateAgeOfOldestMessage")


def test_dead_letters_are_kept_as_long_as_sqs_allows_and_say_who_may_redrive_into_them(template: Template) -> None:
    for name in dead_letter_queues(template):
        queue = template["Resources"][name]["Properties"]
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert queue["RedriveAllowPolicy"]["redrivePermission"] in {"allowAll", "denyAll"}


def test_every_stream_consumer_has_the_whole_failure_block(template: Template) -> None:
    consumers = sources(template, "DynamoDB")

    assert consumers
    for name, source in consumers.items():
        assert source.keys() >= FAILURE_BLOCK, name
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["MaximumRetryAttempts"] > 0
        assert 0 < source["MaximumRecordAgeInSeconds"] < 24 * 3600, "a stream keeps its records for a day"


def test_every_stream_consumer_has_an_iterator_age_alarm(template: Template) -> None:
    watched = [
        alarm["Dimensions"][0]["Value"]["Ref"]
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "IteratorAge"
    ]

    assert sorted(watched) == sorted(sources(template, "DynamoDB"))


def test_lateness_is_alarmed_well_before_a_record_is_given_up(template: Template) -> None:
    sources_ = sources(template, "DynamoDB")
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        if alarm["MetricName"] == "IteratorAge":
            source = sources_[alarm["Dimensions"][0]["Value"]["Ref"]]
            rings_after = alarm["Threshold"] / 1000 + alarm["Period"] * alarm["EvaluationPeriods"]
            assert rings_after <= source["MaximumRecordAgeInSeconds"] / 2


def test_every_queue_consumer_reports_single_failures_and_is_bounded(template: Template) -> None:
    consumers = sources(template, "SQS")

    assert consumers
    for source in consumers.values():
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        queue = source["Queue"]["Fn::GetAtt"][0]
        bound = {
            "MaximumConcurrency": {"Ref": "PictureConcurrency" if queue == "PictureQueue" else "MaximumConcurrency"}
        }
        if queue == "LostRequestQueue":
            assert source["ScalingConfig"] == bound
            continue
        if queue in ("CallbackQueue", "EventsQueue"):
            assert source["ScalingConfig"] == {"MaximumConcurrency": 20 if queue == "CallbackQueue" else 10}
            continue
        # Lambda refuses a mapping with both: its guide, "Configuring scaling behavior for SQS event source mappings".
        pollers = queue.replace("Queue", "Pollers")
        without = {"Ref": "AWS::NoValue"}
        always = {key: {"Ref": pollers} for key in ("MinimumPollers", "MaximumPollers")}
        assert source["ScalingConfig"] == {"Fn::If": [f"Has{pollers}", without, bound]}
        assert source["ProvisionedPollerConfig"] == {"Fn::If": [f"Has{pollers}", always, without]}
        assert template["Conditions"][f"Has{pollers}"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": pollers}, 0]}]}


@pytest.mark.parametrize("table", TABLES)
def test_table_streams_both_images_to_who_reads_them_expires_by_ttl_and_is_encrypted(
    template: Template, table: str
) -> None:
    properties = template["Resources"][table]["Properties"]

    read = [source["Stream"]["Fn::GetAtt"][0] for source in sources(template, "DynamoDB").values()]
    assert properties.get("StreamSpecification") == (
        {"StreamViewType": "NEW_AND_OLD_IMAGES"} if table in read else None
    )
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_bucket_is_private_encrypted_expiring_and_refuses_plain_http(template: Template) -> None:
    bucket = template["Resources"]["ResultsBucket"]["Properties"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["BucketEncryption"]
    assert {"Ref": "ResultRetentionDays"} in [
        rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]
    ]
    assert tls_only(template, "AWS::S3::BucketPolicy", "Bucket", "ResultsBucket")


@pytest.mark.parametrize("topic", sorted(of_type(load_template(), "AWS::SNS::Topic")))
def test_topic_is_encrypted_and_refuses_plain_http(template: Template, topic: str) -> None:
    assert template["Resources"][topic]["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": ["TopicsKey", "Arn"]}
    assert tls_only(template, "AWS::SNS::TopicPolicy", "Topics", topic)


@pytest.mark.parametrize(
    ("image", "passes"),
    [
        ({"pk": "HEALTH", "news": "opened"}, True),
        ({"pk": "HEALTH"}, False),
        ({"pk": "KEY#openai", "status": "rejected"}, True),
        ({"pk": "KEY#openai", "tat": "1"}, False),
        ({"pk": "POOL"}, True),
        ({"pk": "CAPABILITY"}, True),
        ({"pk": "LIMIT"}, True),
        ({"pk": "LEASE#openai-tts", "tat": "1"}, False),
        ({"pk": "BEAT"}, True),
        ({"pk": "METRIC#openai-tts#1"}, False),
        ({"pk": "HEALTH", "sk": "TRIAL#openai-tts", "holder": ""}, False),
    ],
)
def test_only_what_operators_hear_of_and_the_beat_go_the_way_of_the_alerts(
    template: Template, image: dict[str, str], *, passes: bool
) -> None:
    changes = template["Resources"]["AlertOperatorsFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    patterns = [json.loads(entry["Pattern"]) for entry in changes["FilterCriteria"]["Filters"]]
    wire = {name: {"S": value} for name, value in image.items()}
    record = {"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": wire["pk"]}, "NewImage": wire}}
    assert any(matches(record, pattern) for pattern in patterns) is passes


def test_the_api_is_limited_and_authorizes_every_request_anew(template: Template) -> None:
    api = template["Resources"]["HttpApi"]["Properties"]
    assert 0 < api["DefaultRouteSettings"]["ThrottlingRateLimit"] <= 50
    assert api["Auth"]["Authorizers"]["BearerToken"]["Identity"]["ReauthorizeEvery"] == 0
    # Programs that publish and wait keep nobody from the page: each has a route of its own.
    routes = [
        f"{event['Properties']['Method']} {event['Properties']['Path']}"
        for function in of_type(template, "AWS::Serverless::Function").values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    assert {"POST /api/v1/requests", "GET /api/v1/jobs/{request_id}/wait"} <= set(api["RouteSettings"]) <= set(routes)


def test_callbacks_have_what_is_deployed_for_them_and_nothing_without_hosts(template: Template) -> None:
    """An empty list of hosts costs no poll of a queue, no alarm and no delivery."""
    named = {name: each for name, each in template["Resources"].items() if "Callback" in name}
    assert {each.get("Condition") for each in named.values()} == {"HasCallbacks", "HasCallbackEvents"}
    assert template["Conditions"]["HasCallbacks"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CallbackHosts"}, ""]}]}
    assert template["Parameters"]["CallbackHosts"]["Default"] == ""


def test_what_nobody_asked_to_be_told_of_is_sent_nowhere(template: Template) -> None:
    """Without a bus, a chat or a pager there is no queue, no function, no subscription and no alarm."""
    of_events = {"HasEvents", "HasEventBus", "HasChatAlerts", "HasPager"}
    made = ("EventsQ", "EventsD", "EventsOf", "EventsLate", "ForwardEvents", "ForwardTo", "ChatAlerts")
    named = {name: each for name, each in template["Resources"].items() if name.startswith(made)}
    assert {each.get("Condition") for each in named.values()} == of_events
    assert {template["Parameters"][name]["Default"] for name in ("EventBus", "PagerSecretName")} == {""}
    assert template["Parameters"]["ChatAlerts"]["Default"] == "off"


def test_results_are_sent_to_a_bus_alone_and_alarms_to_nobody(template: Template) -> None:
    resources = template["Resources"]
    assert resources["EventsOfResults"]["Condition"] == "HasEventBus"
    assert resources["EventsOfAlerts"]["Properties"]["FilterPolicy"] == {"severity": [{"exists": True}]}


def test_results_that_ask_for_it_and_no_others_go_the_way_of_callbacks(template: Template) -> None:
    subscription = template["Resources"]["CallbackSubscription"]["Properties"]
    assert subscription["FilterPolicy"] == {"callback": [{"exists": True}]}
    assert subscription["TopicArn"] == {"Ref": "MediaResultsTopic"}
    (allowed,) = [
        each
        for each in template["Resources"]["CallbackQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if each["Effect"] == "Allow"
    ]
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "MediaResultsTopic"}}}


def test_a_callback_stays_hidden_for_as_long_as_its_function_may_take(template: Template) -> None:
    resources = template["Resources"]
    timeout = resources["DeliverCallbackFunction"]["Properties"]["Timeout"]
    assert resources["CallbackQueue"]["Properties"]["VisibilityTimeout"] >= 6 * timeout
    assert timeout >= 30, "a call may take 15 seconds"
