"""What PartiQL statements write is in the table's stream.

AWS: an INSERT or UPDATE by PartiQL is a change like any other, and streams deliver it.
Stock: such writes leave no stream record.
Matters: jobs are claimed and settled by statements, and results are announced from the stream.
"""

from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import dynamodb


def apply() -> None:
    """Emit a record after each statement that wrote."""
    insert = expect_function(dynamodb, "_partiql_insert", "table", "parsed")
    update = expect_function(dynamodb, "_partiql_update", "table", "parsed", "data")
    key_of = expect_function(dynamodb, "_partiql_key_target", "table", "parsed")

    def insert_and_tell(table: Any, parsed: Any) -> Any:
        answer = insert(table, parsed)
        if answer[0] == 200:  # noqa: PLR2004 # OK
            item = parsed["item"]
            _emit(table, "INSERT", None, item["M"] if set(item) == {"M"} else item)
        return answer

    def update_and_tell(table: Any, parsed: Any, data: Any = None) -> Any:
        key, sort, _, error = key_of(table, parsed)
        before = None if error else table["items"].get(key, {}).get(sort)
        answer = update(table, parsed, data)
        if answer[0] == 200:  # noqa: PLR2004 # OK
            _emit(table, "MODIFY", before, table["items"][key][sort])
        return answer

    dynamodb._partiql_insert = insert_and_tell
    dynamodb._partiql_update = update_and_tell


def _emit(table: Any, event: str, before: Any, after: Any) -> None:
    dynamodb._emit_stream_event(table["TableName"], event, before, after)
