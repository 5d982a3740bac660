"""The checks of the transformed template hold, and each of them finds the faults that it is there for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from personas_tools import template
from personas_tools.template_nodes import Node
from support import deployment_checks, template_checks
from support.deployed import Deployed, target, transform
from support.template_checks import Check

TEMPLATE: Final = Path(__file__).parents[2] / "template.yaml"
WHOLE: Final = "the template as it is"
TRACED: Final = "the template with tracing"
CANARY: Final = "the template with canaries"
_BY_CODE_DEPLOY: Final = ("    Default: AllAtOnce\n", "    Default: Canary10Percent5Minutes\n")

CHECKS: Final = (*template_checks.CHECKS, *deployment_checks.CHECKS)

pytestmark = pytest.mark.sam


class Mutation(NamedTuple):
    """A fault: what stands in its place in template.yaml, the check that finds it, and words of what it says.

    ``by_code_deploy``: it shows where CodeDeploy moves the callers.
    """

    before: str
    after: str
    found_by: Check
    says: str
    by_code_deploy: bool = False


RELEASES: Final[Mapping[str, tuple[str, str]]] = {
    "another layer": ("ContentUri: layers/shared/", "ContentUri: layers/another/"),
    "more memory": ("      MemorySize: 1769\n", "      MemorySize: 3008\n"),
    "other code": ("CodeUri: functions/get/", "CodeUri: functions/get/another/"),
    "another variable": ("STAGE: !Ref Stage", "STAGE: another"),
}
"""Changes of a release, each of which has to publish a version of GetFunction at least."""
SILENT: Final = "the template with a layer that publishes nothing"
UNPUBLISHED: Final = "another layer that publishes nothing"


MUTATIONS: Final[Mapping[str, Mutation]] = {
    "an action is a wildcard": Mutation(
        "Action: [s3:GetObject]",
        "Action: ['s3:*']",
        template_checks.no_statement_is_a_wildcard,
        "GetFunctionRole.Views allows the action s3:*",
    ),
    "a resource is a wildcard": Mutation(
        'Action: [s3:GetObject]\n              Resource: !Sub "${Bucket.Arn}/views/*"',
        'Action: [s3:GetObject]\n              Resource: "*"',
        template_checks.no_statement_is_a_wildcard,
        "GetFunctionRole.Views names the resource *",
    ),
    "a statement without its condition": Mutation(
        "              Condition:\n                ForAllValues:StringLike:"
        ' { "dynamodb:LeadingKeys": ["key#*", "profile#*"] }\n',
        "",
        template_checks.no_statement_is_a_wildcard,
        "GetFunctionRole.Identity is about items of every kind",
    ),
    "a statement about every partition": Mutation(
        '"dynamodb:LeadingKeys": ["key#*", "profile#*"]',
        '"dynamodb:LeadingKeys": ["*"]',
        template_checks.no_statement_is_a_wildcard,
        "GetFunctionRole.Identity is about items of every kind",
    ),
    "a listing of the whole bucket": Mutation(
        '              Condition:\n                StringLikeIfExists: { "s3:prefix": ["views/*"] }\n',
        "",
        template_checks.no_statement_is_a_wildcard,
        "GetFunctionRole.Listing is about items of every kind",
    ),
    "a role that may do what is written elsewhere": Mutation(
        "      Policies:\n",
        "      Policies:\n        - arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\n",
        template_checks.roles_are_their_functions_own,
        "GetFunctionRole has the policy arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ),
    "a condition that is turned round": Mutation(
        'HasNoticeTopic: !Not [!Equals [!Ref NoticeTopicArn, ""]]',
        'HasNoticeTopic: !Equals [!Ref NoticeTopicArn, ""]',
        deployment_checks.conditions_tell_whether_something_is_given,
        "HasNoticeTopic is not: NoticeTopicArn is given",
    ),
    "no on-failure destination": Mutation(
        "        DestinationConfig:\n          OnFailure:\n            Type: SQS\n"
        "            Destination: !GetAtt ScheduleDeadLetters.Arn\n",
        "",
        template_checks.what_fails_unseen_is_kept,
        "RefreshFunction is invoked asynchronously and has no on-failure destination",
    ),
    "the schedule's dead letters are missing": Mutation(
        "            DeadLetterConfig:\n              Arn: !GetAtt ScheduleDeadLetters.Arn\n",
        "",
        template_checks.what_fails_unseen_is_kept,
        "RefreshFunctionSchedule has no dead-letter queue",
    ),
    "the queue's dead letters are missing": Mutation(
        "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt RefreshDeadLetters.Arn\n"
        "        maxReceiveCount: 3\n",
        "",
        template_checks.what_fails_unseen_is_kept,
        "RefreshQueueMapping reads a queue without a dead-letter queue",
    ),
    "a stream whose failures go to a queue": Mutation(
        "          Destination: !GetAtt Bucket.Arn\n",
        "          Destination: !GetAtt RefreshDeadLetters.Arn\n",
        template_checks.what_fails_unseen_is_kept,
        "RecordHistoryMapping does not leave what fails in a bucket",
    ),
    "a stream that hands over drafts and keys": Mutation(
        '[{"prefix": "persona#"}]',
        '[{"prefix": ""}]',
        template_checks.what_fails_unseen_is_kept,
        "RecordHistoryMapping hands over more than what is written of personas",
    ),
    "a record that holds up the others for a day": Mutation(
        "      MaximumRetryAttempts: 10\n",
        "      MaximumRetryAttempts: -1\n",
        template_checks.what_fails_unseen_is_kept,
        "RecordHistoryMapping has no MaximumRetryAttempts",
    ),
    "failures that nobody counts": Mutation(
        "      MetricsConfig:\n        Metrics: [EventCount]\n",
        "",
        template_checks.what_fails_unseen_is_kept,
        "RecordHistoryMapping does not count what it gives up",
    ),
    "an alarm by another dimension": Mutation(
        "MetricName: 5xx, Dimensions: [{Name: ApiId, Value: !Ref Api}]",
        "MetricName: 5xx, Dimensions: [{Name: ApiName, Value: !Ref Api}]",
        template_checks.alarms_look_at_what_exists,
        "AWS/ApiGateway 5xx is not kept by ApiName",
    ),
    "an alarm of another resource's dimension": Mutation(
        "Dimensions: [{Name: FunctionName, Value: !Ref SearchFunction}]",
        "Dimensions: [{Name: FunctionName, Value: !GetAtt SearchFunction.Arn}]",
        template_checks.alarms_look_at_what_exists,
        "is no FunctionName",
    ),
    "an alarm on a metric that nobody writes": Mutation(
        "MetricName: 5xx",
        "MetricName: 5XXError",
        template_checks.alarms_look_at_what_exists,
        "AWS/ApiGateway 5XXError, which nobody writes",
    ),
    "an alarm that tells nobody": Mutation(
        "      AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n",
        "",
        template_checks.alarms_can_go_on,
        "ServerErrorsAlarm does not tell the topic",
    ),
    "an alarm that pages and never says that it is over": Mutation(
        "      OKActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n",
        "",
        template_checks.alarms_can_go_on,
        "ServerErrorsAlarm does not tell that it is over",
    ),
    "a notice that pages": Mutation(
        "      AlarmActions: !If [HasNoticeTopic, [!Ref NoticeTopicArn], !Ref AWS::NoValue]\n",
        "      AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n",
        template_checks.alarms_can_go_on,
        "does not tell the topic NoticeTopicArn",
    ),
    "an index whose throttling nobody sees": Mutation(
        "Value: !Ref PersonasTable}, {Name: GlobalSecondaryIndexName, Value: due}",
        "Value: !Ref PersonasTable}",
        template_checks.each_part_is_watched,
        "no alarm looks at ReadThrottleEvents of due",
    ),
    "a table whose throttling nobody sees": Mutation(
        "MetricName: WriteThrottleEvents, Dimensions: [{Name: TableName, Value: !Ref IdempotencyTable}]",
        "MetricName: WriteThrottleEvents, Dimensions: [{Name: TableName, Value: !Ref PersonasTable}]",
        template_checks.each_part_is_watched,
        "no alarm looks at WriteThrottleEvents of IdempotencyTable",
    ),
    "an alarm on a local index, which has no series": Mutation(
        "{Name: GlobalSecondaryIndexName, Value: due}",
        "{Name: GlobalSecondaryIndexName, Value: changes}",
        template_checks.alarms_look_at_what_exists,
        "changes is no GlobalSecondaryIndexName",
    ),
    "an alarm that a late value holds off": Mutation(
        "100 * conflicts / calls",
        "100 * FILL(conflicts, 0) / calls",
        template_checks.alarms_can_go_on,
        "ConflictsAlarm computes with FILL",
    ),
    "an alarm that counts a series for nothing": Mutation(
        "100 * throttles / (throttles + invocations)",
        "100 * throttles",
        template_checks.alarms_can_go_on,
        "ThrottlesAlarm does not compute with exactly the series that it names",
    ),
    "a queue whose age nobody sees": Mutation(
        "Value: !GetAtt RefreshQueue.QueueName",
        "Value: !GetAtt RefreshDeadLetters.QueueName",
        template_checks.each_part_is_watched,
        "no alarm looks at ApproximateAgeOfOldestMessage of RefreshQueue",
    ),
    "a function whose time nobody sees": Mutation(
        "MetricName: Duration\n      Dimensions: [{Name: FunctionName, Value: !Ref RefreshFunction}]",
        "MetricName: Duration\n      Dimensions: [{Name: FunctionName, Value: !Ref GetFunction}]",
        template_checks.each_part_is_watched,
        "no alarm looks at Duration of RefreshFunction",
    ),
    "concurrency by a function, which has no such series": Mutation(
        "MetricName: ClaimedAccountConcurrency\n",
        "MetricName: ClaimedAccountConcurrency\n      Dimensions: [{Name: FunctionName, Value: !Ref GetFunction}]\n",
        template_checks.alarms_look_at_what_exists,
        "AWS/Lambda ClaimedAccountConcurrency is not kept by FunctionName",
    ),
    "wrong keys that no dashboard shows": Mutation(
        '["Personas", "Unauthenticated", ',
        '["Personas", "Conflicts", ',
        template_checks.dashboards_show_what_alarms_look_at,
        "no dashboard shows what AuthenticationFailuresAlarm looks at",
    ),
    "a budget that nobody is told of": Mutation(
        "Subscribers: [{ SubscriptionType: SNS, Address: !Ref NoticeTopicArn }]",
        "Subscribers: [{ SubscriptionType: SNS, Address: !Ref AlarmTopicArn }]",
        deployment_checks.the_bill_is_told,
        "Budget is not told before and after it is used up",
    ),
    "a budget without a rule": Mutation(
        '    RuleCondition: !Not [!Equals [!Ref MonthlyBudget, "0"]]\n',
        '    RuleCondition: !Equals [!Ref MonthlyBudget, "none"]\n',
        deployment_checks.the_bill_is_told,
        "a budget that nobody is told of is accepted",
    ),
    "a prod that nobody hears": Mutation(
        "    RuleCondition: !Equals [!Ref Stage, prod]\n",
        "    RuleCondition: !Equals [!Ref Stage, production]\n",
        deployment_checks.prod_has_somebody_who_hears_it,
        "prod is deployed without AlarmTopicArn",
    ),
    "dead letters that nobody looks at": Mutation(
        "Value: !GetAtt ScheduleDeadLetters.QueueName",
        "Value: !GetAtt RefreshDeadLetters.QueueName",
        template_checks.each_part_is_watched,
        "no alarm looks at ApproximateNumberOfMessagesVisible of ScheduleDeadLetters",
    ),
    "a variable renamed": Mutation(
        "        REFRESH_QUEUE_URL: !Ref RefreshQueue\n",
        "        QUEUE_URL: !Ref RefreshQueue\n",
        template_checks.environment_is_what_the_settings_read,
        "SearchFunction lacks the variable REFRESH_QUEUE_URL",
    ),
    "a function without a log group": Mutation(
        "      LoggingConfig:\n        LogGroup: !Ref SearchLogs\n",
        "",
        template_checks.every_function_has_a_log_group,
        "SearchFunction has no log group",
    ),
    "runs that nobody tells of": Mutation(
        "nobody else tells: docs/adr/0060.\n        SystemLogLevel: INFO\n",
        "nobody else tells: docs/adr/0060.\n",
        template_checks.every_function_has_a_log_group,
        "has another SystemLogLevel than INFO",
    ),
    "two lines more for each call": Mutation(
        "      SystemLogLevel: WARN\n",
        "      SystemLogLevel: INFO\n",
        template_checks.every_function_has_a_log_group,
        "SearchFunction has another SystemLogLevel than WARN",
    ),
    "a log group kept for ever": Mutation(
        '      LogGroupName: !Sub "/personas/${AWS::StackName}/search"\n      RetentionInDays: !Ref LogRetentionDays\n',
        '      LogGroupName: !Sub "/personas/${AWS::StackName}/search"\n',
        template_checks.every_function_has_a_log_group,
        "SearchLogs keeps its records for another time",
    ),
    "a route that is in no registry": Mutation(
        "Path: /api/v5/artifacts/personas/search",
        "Path: /api/v5/artifacts/personas/find",
        template_checks.routes_are_those_of_the_registry,
        "POST /api/v5/artifacts/personas/find is in no registry",
    ),
    "a function of another folder": Mutation(
        "CodeUri: functions/search/",
        "CodeUri: functions/get/",
        template_checks.functions_and_folders,
        "functions/search/ has no function",
    ),
    "a bucket that speaks without TLS": Mutation(
        'aws:SecureTransport: "false"',
        'aws:SecureTransport: "true"',
        template_checks.the_bucket_speaks_tls_and_keeps_what_is_needed,
        "Bucket may be spoken to without TLS",
    ),
    "a schedule with a fixed name": Mutation(
        'Name: !Sub "${AWS::StackName}-refresh"',
        "Name: personas-refresh",
        template_checks.two_stacks_cannot_collide,
        "RefreshFunctionSchedule.Name is the same in every stack",
    ),
    "a schedule without a name": Mutation(
        '            Name: !Sub "${AWS::StackName}-refresh"\n',
        "",
        template_checks.two_stacks_cannot_collide,
        "RefreshFunctionSchedule",
    ),
    "a table that goes with the stack": Mutation(
        "    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Retain",
        "    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Delete",
        template_checks.what_people_made_outlives_the_stack,
        "PersonasTable goes with the stack",
    ),
    "a queue in clear text": Mutation(
        "      SqsManagedSseEnabled: true\n",
        "",
        template_checks.everything_at_rest_is_encrypted,
        "RefreshQueue is not encrypted",
    ),
    "an access log that is no JSON": Mutation(
        '{"requestId": "$context.requestId", ',
        '{requestId: "$context.requestId", ',
        template_checks.the_api_is_bounded_and_logged,
        "does not log its access in JSON",
    ),
    "a runtime that is updated at any time": Mutation(
        "    RuntimeManagementConfig:\n      UpdateRuntimeOn: FunctionUpdate\n",
        "",
        template_checks.functions_run_alike,
        "GetFunction gets another SDK whenever AWS has one",
    ),
    "a long call without a throttle": Mutation(
        "        POST /api/v5/artifacts/personas/export: { ThrottlingRateLimit: 5, ThrottlingBurstLimit: 10 }\n",
        "",
        deployment_checks.long_calls_have_throttles_of_their_own,
        "does not throttle POST /api/v5/artifacts/personas/export",
    ),
    "a throttle for a route that does not exist": Mutation(
        "POST /api/v5/artifacts/personas/delete: {",
        "POST /api/v5/artifacts/personas/remove: {",
        deployment_checks.long_calls_have_throttles_of_their_own,
        "has settings for POST /api/v5/artifacts/personas/remove, which is no route",
    ),
    "a throttle by a parameter": Mutation(
        "refresh: { ThrottlingRateLimit: 5,",
        "refresh: { ThrottlingRateLimit: !Ref RequestsPerSecond,",
        deployment_checks.long_calls_have_throttles_of_their_own,
        "does not throttle POST /api/v5/artifacts/personas/refresh",
    ),
    "exports that are bounded by default": Mutation(
        '  ExportConcurrency:\n    Type: String\n    Default: ""\n',
        '  ExportConcurrency:\n    Type: String\n    Default: "10"\n',
        deployment_checks.exports_may_be_bounded,
        "ExportConcurrency is not empty by default",
    ),
    "exports that nothing can bound": Mutation(
        "      ReservedConcurrentExecutions: !If [HasExportConcurrency, !Ref ExportConcurrency, !Ref AWS::NoValue]\n",
        "",
        deployment_checks.exports_may_be_bounded,
        "ExportFunction has another bound",
    ),
    "a queue that feeds the latest code": Mutation(
        "FunctionName: !Ref RefreshFunction.Alias",
        "FunctionName: !Ref RefreshFunction",
        deployment_checks.everything_invokes_the_alias,
        "RefreshQueueMapping invokes RefreshFunction, which is no alias",
    ),
    "functions without an alias": Mutation(
        "    AutoPublishAlias: live\n    AutoPublishAliasAllProperties: true\n",
        "",
        deployment_checks.everything_invokes_the_alias,
        "SearchFunction has no alias live",
    ),
    "canaries that no alarm ends": Mutation(
        '        - !Sub "${AWS::StackName}-ServerErrorsAlarm"\n',
        "",
        deployment_checks.new_versions_are_guarded,
        "GetFunctionDeploymentGroup does not look at ServerErrorsAlarm",
        by_code_deploy=True,
    ),
    "canaries that look at an alarm that is not": Mutation(
        '        - !Sub "${AWS::StackName}-LatencyAlarm"\n',
        '        - !Sub "${AWS::StackName}-SlownessAlarm"\n',
        deployment_checks.new_versions_are_guarded,
        "GetFunctionDeploymentGroup looks at other alarms than the stack's",
        by_code_deploy=True,
    ),
    "aliases that wait for the API, which waits for them": Mutation(
        '        - !Sub "${AWS::StackName}-ServerErrorsAlarm"\n',
        "        - !Ref ServerErrorsAlarm\n",
        deployment_checks.nothing_depends_on_itself,
        "in a circle: ",
        by_code_deploy=True,
    ),
}


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Deployed | str]:
    """Return the template and its mutations as SAM transforms them, by name."""
    text = TEMPLATE.read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("templates") / "template.yaml"
    documents = {}
    changes: dict[str, list[tuple[str, str]]] = {
        WHOLE: [],
        TRACED: [("Default: Disabled", "Default: Active")],
        CANARY: [_BY_CODE_DEPLOY],
        **{name: [each] for name, each in RELEASES.items()},
        SILENT: [("      PublishLambdaVersion: true\n", "")],
        UNPUBLISHED: [("      PublishLambdaVersion: true\n", ""), RELEASES["another layer"]],
    }
    for name, mutation in MUTATIONS.items():
        changes[name] = [mutation[:2], *([_BY_CODE_DEPLOY] if mutation.by_code_deploy else [])]
    for name, replacements in changes.items():
        changed = text
        for before, after in replacements:
            assert before in changed, name
            changed = changed.replace(before, after, 1)
        path.write_text(changed, encoding="utf-8")
        documents[name] = template.load(path)
    return dict(zip(documents, transform(list(documents.values())), strict=True))


def deployed(transformed: Mapping[str, Deployed | str], name: str) -> Deployed:
    found = transformed[name]
    assert isinstance(found, Deployed), f"{name}: {found}"
    return found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(transformed: Mapping[str, Deployed | str], check: Check) -> None:
    assert list(check(deployed(transformed, WHOLE))) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds_with_canaries(transformed: Mapping[str, Deployed | str], check: Check) -> None:
    assert list(check(deployed(transformed, CANARY))) == []


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_publishes_versions(transformed: Mapping[str, Deployed | str], name: str) -> None:
    # Given the versions of the template and those of a release that changed something,
    # then the function has another one, and if the layer did, all of them have.
    before, after = versions(deployed(transformed, WHOLE)), versions(deployed(transformed, name))
    published = {function for function, version in before.items() if after[function] != version}
    assert "GetFunction" in published
    assert name != "another layer" or published == set(before)


def test_a_layer_by_itself_publishes_nothing(transformed: Mapping[str, Deployed | str]) -> None:
    # This is why the layer of the template says PublishLambdaVersion.
    assert versions(deployed(transformed, UNPUBLISHED)) == versions(deployed(transformed, SILENT))


def versions(stack: Deployed) -> dict[str, str]:
    """Return the logical id of the version that each function publishes."""
    return {str(target(each["FunctionName"])): name for name, each in stack.of_type("AWS::Lambda::Version").items()}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_is_found(transformed: Mapping[str, Deployed | str], name: str) -> None:
    mutation = MUTATIONS[name]

    faults = list(mutation.found_by(deployed(transformed, name)))

    assert [fault for fault in faults if mutation.says in fault], faults


@pytest.mark.parametrize(
    ("name", "config", "policies"),
    [
        (WHOLE, None, [template_checks.BASIC]),
        (
            TRACED,
            {"Mode": {"Ref": "Tracing"}},
            [template_checks.BASIC, "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"],
        ),
    ],
)
def test_functions_may_send_traces_where_they_are_traced(
    transformed: Mapping[str, Deployed | str], name: str, config: Node, policies: list[str]
) -> None:
    stack = deployed(transformed, name)
    for function, properties in stack.functions.items():
        assert properties.get("TracingConfig") == config
        assert stack.of_type("AWS::IAM::Role")[f"{function}Role"]["ManagedPolicyArns"] == policies


def test_every_check_finds_something() -> None:
    assert {mutation.found_by for mutation in MUTATIONS.values()} == set(CHECKS)
