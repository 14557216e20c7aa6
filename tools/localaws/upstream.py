"""Every MiniStack module that a fix touches, in one place. Importable only where MiniStack is installed."""

from importlib import import_module
from typing import Any

apigateway: Any = import_module("ministack.services.apigateway")
cloudwatch: Any = import_module("ministack.services.cloudwatch")
concurrency: Any = import_module("ministack.core.concurrency")
dynamodb: Any = import_module("ministack.services.dynamodb")
iam_actions: Any = import_module("ministack.core.iam_actions")
iam_evaluator: Any = import_module("ministack.core.iam_evaluator")
lambda_runtime: Any = import_module("ministack.core.lambda_runtime")
lambda_service: Any = import_module("ministack.services.lambda_svc")
provisioners: Any = import_module("ministack.services.cloudformation.provisioners")
responses: Any = import_module("ministack.core.responses")
s3: Any = import_module("ministack.services.s3")
sns: Any = import_module("ministack.services.sns")
sqs: Any = import_module("ministack.services.sqs")
stepfunctions: Any = import_module("ministack.services.stepfunctions")
