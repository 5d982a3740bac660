"""The name of a release and the parameters of a deployment."""

from pathlib import Path

import yaml

from personas_tools.built_template import stamp
from personas_tools.deployment import parameters_of, release_of


def built(folder: Path) -> Path:
    """Write a build of one function and a layer, and return its template."""
    for name, content in {"GetFunction/handler.py": "get", "SharedLayer/python/personas.py": "layer"}.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
    function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "GetFunction"}}
    template = folder / "template.yaml"
    template.write_text(yaml.safe_dump({"Resources": {"GetFunction": function}}))
    return template


def test_a_release_is_named_by_all_that_it_is_made_of(tmp_path: Path) -> None:
    # Given a build and its parameters
    template = built(tmp_path)
    name = release_of(template, {"LogLevel": "INFO"})

    # When the layer, a parameter or a property changes
    others = {release_of(template, {"LogLevel": "ERROR"}), release_of(template, {})}
    (tmp_path / "SharedLayer/python/personas.py").write_text("other")
    others.add(release_of(template, {"LogLevel": "INFO"}))

    # Then so does its name, in the ten characters that SAM compares
    assert len({each[:10] for each in {name, *others}}) == 4


def test_a_stamp_changes_no_name_and_is_on_every_function(tmp_path: Path) -> None:
    # Given a build whose template was stamped before
    template = built(tmp_path)
    name = release_of(template, {})
    stamp(template, name)

    # Then it is the same release, and the function says which
    assert release_of(template, {}) == name
    properties = yaml.safe_load(template.read_text())["Resources"]["GetFunction"]["Properties"]
    assert properties["AutoPublishCodeSha256"] == name


def test_parameters_of_the_command_line_win() -> None:
    config = {"parameter_overrides": 'Stage=prod LogLevel="INFO"'}
    given = ["LogLevel=ERROR", "JwtJwksUrl=https://example.com/keys?a=b"]
    assert parameters_of(config, given) == {
        "Stage": "prod",
        "LogLevel": "ERROR",
        "JwtJwksUrl": "https://example.com/keys?a=b",
    }
