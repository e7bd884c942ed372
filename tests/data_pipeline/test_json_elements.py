"""Elements of a JSON file's arrays, read a chunk at a time, equal those of the whole."""

import io
import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.datasets import json_elements as module
from data_pipeline.datasets.json_elements import elements_of
from data_pipeline.errors import InvalidDataError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES | st.lists(VALUES, max_size=6), max_size=4)


@given(
    content=OBJECTS,
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
    chunk_bytes=st.integers(1, 9),
)
def test_elements_are_those_of_the_whole_wherever_chunks_end(
    content: dict[str, Any], indent: int | None, is_ascii: bool, chunk_bytes: int
) -> None:
    text = json.dumps(content, indent=indent, ensure_ascii=is_ascii)
    stream = io.BytesIO(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_BYTES", chunk_bytes)
        elements = list(elements_of(stream, "file"))
    arrays: dict[str, list[Any]] = defaultdict(list)
    for element in elements:
        assert json.loads(stream.getvalue()[element.start : element.end]) == element.value
        if element.is_in_array:
            arrays[element.key].append(element.value)
        else:
            assert content[element.key] == element.value
    for key, value in content.items():
        assert arrays.pop(key, []) == (value if isinstance(value, list) else [])


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{", '{"a": [1, 2', '{"a": [1 2]}', '{"a" 1}', '{"a": tru}', '{"a": [1,]}', "7"],
)
def test_anything_else_is_an_error_that_names_the_file(text: str) -> None:
    with pytest.raises(InvalidDataError, match=r"annotations file a\.json must be COCO JSON"):
        list(elements_of(io.BytesIO(text.encode()), "a.json"))
