"""The environment of a deployed function, with names that lead nowhere."""

from typing import Final

ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "JOBS_TABLE": "jobs",
    "TELEMETRY_TABLE": "telemetry",
    "USAGE_TABLE": "usage",
    "RESULTS_BUCKET": "results",
    "REQUEST_QUEUE_URL": "http://127.0.0.1:9/queue",
    "REQUEST_DLQ_URL": "http://127.0.0.1:9/dlq",
    "LOST_REQUESTS_URL": "http://127.0.0.1:9/lost",
    "KEYS_SECRET_ID": "keys",
    "MEDIA_JOB_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:jobs",
    "LONG_SPEECH_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:speeches",
    "PROVIDER_ALERTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:alerts",
    "TOKENS_SECRET_ID": "tokens",
    "FAL_JWKS_URL": "http://127.0.0.1:9/jwks",
    "MEDIA_RESULTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:results",
}
