"""The reader of template.yaml says where a template is not as it expects."""

from pathlib import Path

import pytest

from personas_tools import template
from personas_tools.template_nodes import Ref, TemplateError

FUNCTION = """
Globals:
  Function:
    Handler: handler.lambda_handler
    Timeout: 29
    MemorySize: 512
    Environment:
      Variables: { TABLE: !Ref Table, STAGE: !Ref Stage, FIXED: one }
Parameters:
  Stage: { Type: String, Default: local }
  Origins: { Type: CommaDelimitedList, Default: "https://a.example, https://b.example" }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration:
        AllowOrigins: !Ref Origins
        AllowMethods: [GET]
        AllowHeaders: [X-One]
        ExposeHeaders: [X-Two]
        MaxAge: 60
  OneFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/one/
      Environment:
        Variables: { FIXED: two }
      Policies:
        - Statement:
            - Sid: Read
              Effect: Allow
              Action: [dynamodb:Query]
              Resource: !Sub "${Table.Arn}/index/changes"
      Events:
        Route:
          Type: HttpApi
          Properties: { Method: get, Path: /one }
        Tick:
          Type: ScheduleV2
          Properties: { ScheduleExpression: rate(1 minute) }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_globals_say_holds_unless_the_function_says_otherwise(tmp_path: Path) -> None:
    function = template.functions(write(tmp_path, FUNCTION))["OneFunction"]
    assert function.folder == tmp_path / "functions/one"
    assert function.environment == {"TABLE": Ref("Table"), "STAGE": "local", "FIXED": "two"}
    assert (function.timeout, function.memory) == (29, 512)
    assert [(route.method, route.path) for route in function.routes] == [("GET", "/one")]
    assert function.statements[0].resource == "Table/index/changes"


def test_names_of_resources_are_filled_in(tmp_path: Path) -> None:
    function = template.functions(write(tmp_path, FUNCTION))["OneFunction"]
    assert function.environment_with({"Table": "t-1"}) == {"TABLE": "t-1", "STAGE": "local", "FIXED": "two"}
    with pytest.raises(TemplateError, match="TABLE needs the name of Table"):
        function.environment_with({})


def test_a_list_parameter_stands_for_its_default(tmp_path: Path) -> None:
    assert template.cors(write(tmp_path, FUNCTION)).allow_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("CodeUri: functions/one/", "Tracing: Active", "OneFunction.CodeUri is missing"),
        ("Timeout: 29", "Timeout: long", "OneFunction.Timeout is missing or not a whole number"),
        ("FIXED: two", "FIXED: [two]", "OneFunction.Environment.FIXED is neither a text nor a Ref"),
        ('!Sub "${Table.Arn}/index/changes"', '"*"', "OneFunction.Read.Resource is not the ARN"),
        ("Effect: Allow", "Effect: Deny", "OneFunction.Read: only Allow is read"),
        (", Default: local", "", "the parameter Stage has no default"),
        ("Resources:", "Things:", "Resources is missing"),
        ("CodeUri: functions/one/", "CodeUri: [", "is not YAML"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = write(tmp_path, FUNCTION.replace(before, after))
    with pytest.raises(TemplateError, match=message):
        template.functions(path)
