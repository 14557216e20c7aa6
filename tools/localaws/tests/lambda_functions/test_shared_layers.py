"""Lambda developer guide, "Managing Lambda dependencies with layers": a layer's contents are at one place."""

import io
import zipfile

import pytest

pytestmark = pytest.mark.stack

TELLS = """
import words

def handler(event, context):
    return {"said": words.SAID, "from": words.__file__, "variable": os.environ.get("OWN")}
"""


def layer(local, said: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/words.py", f"SAID = {said!r}\n")
    made = local.client("lambda").publish_layer_version(
        LayerName=f"{local.name}-words", Content={"ZipFile": buffer.getvalue()}
    )
    return str(made["LayerVersionArn"])


def asked(local, suffix: str, *layers: str) -> dict[str, str]:
    function = local.function(TELLS, suffix=suffix)
    variables = {"FOLDER": str(function.folder), "OWN": suffix}
    local.client("lambda").update_function_configuration(
        FunctionName=function.name, Layers=list(layers), Environment={"Variables": variables}
    )
    return function.invoke()


def test_functions_read_a_layer_at_one_place_and_keep_their_own_settings(local):
    both = layer(local, "shared")
    one, other = asked(local, "one", both), asked(local, "other", both)
    assert (one["said"], other["said"]) == ("shared", "shared")
    assert (one["variable"], other["variable"]) == ("one", "other")
    assert (one["from"] == other["from"]) is local.fixed


def test_each_version_of_a_layer_is_itself_in_stock_too(local):
    first, second = layer(local, "first"), layer(local, "second")
    assert asked(local, "old", first)["said"] == "first"
    assert asked(local, "new", second)["said"] == "second"


def test_a_function_without_the_layer_does_not_find_it_in_stock_too(local):
    layer(local, "unused")
    assert "No module named 'words'" in asked(local, "bare")["errorMessage"]
