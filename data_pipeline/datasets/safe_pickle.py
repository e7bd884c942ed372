"""Read a pickle from the web: run nothing that it names, and take no more memory than it has.

A pickle may name any function to be called. Here it may name those that a pickled NumPy array is
made with, and gets stand-ins for them, which keep bytes and numbers and do nothing.
"""

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError, MissingDataError

MOST_BYTES = 1024**3  # CIFAR-100's largest file has 155 MB


class StoredArray:
    """What a pickle says of an array: nothing is allocated for it."""

    def __init__(self, *_: object) -> None:  # class, shape and type of an empty array
        self.shape: tuple[int, ...] = ()
        self._type: object = None
        self._is_transposed = False
        self._raw = b""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self._type, self._is_transposed, self._raw = state

    def values(self, columns: int) -> NDArray[np.uint8] | None:
        """Return the (n, columns) bytes; None where the pickle says something else."""
        is_bytes = isinstance(self._type, _StoredType) and self._type.name in (b"u1", "u1")
        if not is_bytes or not isinstance(self._raw, bytes) or self._is_transposed:
            return None
        if self.shape != (len(self._raw) // columns, columns) or len(self._raw) % columns:
            return None
        return np.frombuffer(self._raw, dtype=np.uint8).reshape(-1, columns)


class _StoredType:
    def __init__(self, name: object, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Byte order and the like: bytes have none."""


class _Latin1:
    """How protocols before 3 spell bytes: `_codecs.encode(text, "latin1")`."""

    def __new__(cls, text: str, *_: object) -> bytes:  # type: ignore[misc]  # stands for a function
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None:
        """Be there, and so be in the way of a pickle that sets attributes of the class."""


# Classes with a __setstate__, not functions: a pickle could set a function's attributes.
STAND_INS: dict[tuple[str, str], type] = {
    ("numpy.core.multiarray", "_reconstruct"): StoredArray,
    ("numpy._core.multiarray", "_reconstruct"): StoredArray,
    ("numpy", "ndarray"): StoredArray,
    ("numpy", "dtype"): _StoredType,
    ("_codecs", "encode"): _Latin1,
}


# What dictionaries, lists, tuples, numbers, text, bytes and named functions are written with.
# Not: objects of other kinds, bytearrays, which are allocated before they are read, and the like.
ALLOWED = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK,
    pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE,
    pickle.GET, pickle.BINGET, pickle.LONG_BINGET,
    pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
    pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1,
    pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING,
    pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8,
    pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8,
    pickle.TUPLE, pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
    pickle.LIST, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS,
    pickle.DICT, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS,
    pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD,
)  # fmt: skip


def _text_keys(opcode: bytes) -> Callable[[Any], None]:
    """Return what fills a dictionary, for text keys: hashing deeply nested tuples ends Python."""
    load = pickle._Unpickler.dispatch[opcode[0]]

    def checked(machine: Any) -> None:  # noqa: ANN401  # its stack is not in any stub
        stack = machine.stack
        keys = [stack[-2]] if opcode == pickle.SETITEM else stack[::2]
        if not all(isinstance(key, bytes | str) for key in keys):
            raise pickle.UnpicklingError("it has a key that is no text")
        load(machine)

    return checked


class _SafeUnpickler(pickle._Unpickler):
    """The reader that is written in Python: the one in C reserves 32 GB if a pickle asks it to.

    A number in the wrong place does (LONG_BINPUT, the index of a table that it fills).
    """

    dispatch = {  # noqa: RUF012  # as in the class above
        **{opcode[0]: pickle._Unpickler.dispatch[opcode[0]] for opcode in ALLOWED},
        **{
            opcode[0]: _text_keys(opcode)
            for opcode in (pickle.DICT, pickle.SETITEM, pickle.SETITEMS)
        },
    }

    def find_class(self, module: str, name: str) -> type:
        """Return the stand-in.

        Raises:
            UnpicklingError: There is none.
        """
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None


def read_pickle(file: Path) -> object:
    """Return what a pickle holds: dictionaries, lists, numbers, text, bytes, `StoredArray`s.

    Raises:
        MissingDataError: It cannot be opened.
        InvalidDataError: It is damaged, too large, or names anything but an array.
    """
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise MissingDataError(f"cannot read {file}: {error.strerror}; restore it") from error
    if not content:
        raise InvalidDataError(
            f"{file} must have from 1 to {MOST_BYTES} bytes, got {size}; restore it",
            kind="malformed",
        )
    try:
        # from memory: asked for more bytes than there are, a file would reserve them first
        return _SafeUnpickler(io.BytesIO(content), encoding="bytes").load()
    except (
        pickle.UnpicklingError, struct.error, ArithmeticError, AssertionError, AttributeError,
        EOFError, ImportError, LookupError, MemoryError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip  # what the format's machine raises on damaged input
        raise InvalidDataError(
            f"{file} must be a pickle of arrays, lists and text, got something else: {error}; "
            "restore it from the dataset's archive",
            kind="malformed",
        ) from error
