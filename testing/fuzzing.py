"""Values that nobody expects, put into a JSON document, and what the connector may say of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import FailureType
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from source_harvest.errors import HarvestError
from source_harvest.streams import STREAMS
from testing.configs import SECRET
from testing.expected_tables import KEYS
from testing.in_process import Sync
from testing.streams import STREAM_NAMES

STREAM_OF = dict(zip(STREAM_NAMES, STREAMS, strict=True))
FOLDER = TemporaryDirectory()
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)

BLANK = "a blank to fill in"
MISSING, UNKNOWN = "missing", "unknown"

# As text, because some of it is no JSON, and some is what no JSON library would write.
ODD = [
    *(MISSING, MISSING, UNKNOWN),
    *("null", "true", "false", "0", "-1", "0.5", "-0.0", "1e308", "1e400", "-1e400", "NaN", "Infinity", "1e-400"),
    *(str(2**63 - 1), str(2**63), str(2**64 - 1), str(2**64), str(2**70), str(-(2**70)), "9" * 400),
    *('""', '" "', '"x"', '"0"', '"null"', '"2024-02-30"', '"0000-00-00"', '"9999-12-31T23:59:59Z"', '"25:61pm"'),
    *('"9999-12-31T23:59:59-23:00"', '"1970-01-01T00:00:00+14:00"', '"2024-01-31T10:00:00"', '"2024-01-31"'),
    *(
        r'"a\nb\r\"\\"',
        r'"\u0000"',
        r'"\ud800"',
        r'"\udc00\ud800"',
        r'"\u202eabc"',
        r'"\ufeff"',
        '"😀"',
        r'"\u0663:\u0660\u0660"',
    ),
    *('"https://[::1"', '"http://127.0.0.1:9/v2/clients"', f'"{"a" * 5000}"'),
    *("[]", "{}", "[null]", "[[]]", "[1, 1]", '["x"]', "[{}]", '{"id": null}', '{"id": {}}', '{"id": "x"}'),
    *('[{"id": 5}]', '[{"id": null}]', '{"id": 5, "id": 6}', '{"": {"": []}}'),
]
DEEP = "[" * 1200 + "]" * 1200


Step = str | int
Steps = tuple[Step, ...]


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The way to everything inside a JSON value."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inside:
        yield (*steps, step)
        yield from places(item, (*steps, step))


def broken(value: Any, steps: Steps, odd: str) -> str:
    """The JSON of a value in which one thing is another, is missing, or has something unknown beside it."""
    copy = json.loads(json.dumps(value))
    *way, last = steps
    inner = copy
    for step in way:
        inner = inner[step]
    if odd == MISSING:
        del inner[last]
    elif odd == UNKNOWN and isinstance(inner, dict):
        inner["unknown"] = {"name": "new"}
    else:
        inner[last] = BLANK
    return json.dumps(copy).replace(f'"{BLANK}"', odd)


def breaks(value: Any) -> st.SearchStrategy[str]:
    """The JSON of a value in which one thing, or all of it, is odd or missing."""
    made = st.builds(broken, st.just(value), st.sampled_from(sorted(places(value), key=str)), st.sampled_from(ODD))
    return made | st.sampled_from(ODD)


def fuzzing(tries: int) -> Any:
    """Settings for a property that is tried so many times, however slow it is."""
    return settings(max_examples=tries, suppress_health_check=list(HealthCheck))


def assert_clear(message: str) -> None:
    """It is one short line, without a stack trace."""
    assert message
    assert "\n" not in message
    assert "Traceback" not in message
    assert len(message) <= 600, message


def assert_written(result: Sync) -> None:
    """Every message is one line of JSON that any reader of JSON takes, and every record has its columns."""
    for message in result.messages:
        line = AirbyteEntrypoint.airbyte_message_to_string(message)
        assert "\n" not in line
        orjson.loads(line.encode())
        if message.record:
            assert_complete_row(message.record.stream, message.record.data)


def assert_complete_row(name: str, row: Mapping[str, Any]) -> None:
    """It has all columns that its stream adds, and a primary key."""
    stream = STREAM_OF[name]
    flattened = {f"{nested}_{column}" for nested, columns in stream.flattened.items() for column in columns}
    assert set(row) >= {*stream.foreign_keys, *flattened, *stream.clock_times, *stream.access_role_flags}
    for key in KEYS.get(name, ("id",)):
        assert type(row[key]) is int or key in stream.text_keys, (name, key, row[key])
        assert row[key] is not None


def assert_config_error(error: HarvestError, beginning: str = "The ") -> None:
    """It is a clear error of the config type, without the secret."""
    assert str(error).startswith(beginning)
    assert_clear(str(error))
    assert error.failure_type is FailureType.config_error
    assert SECRET not in str(error)


def written(text: str) -> str:
    """The path of a file with that text."""
    path = Path(FOLDER.name) / "input.json"
    path.write_bytes(text.encode())
    return str(path)
