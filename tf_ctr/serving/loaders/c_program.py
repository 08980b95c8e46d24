"""A program that loads a SavedModel by TensorFlow's C library, and answers requests.

It is run by its path, and imports nothing but the standard library: no Keras, no
tf_ctr, and not TensorFlow's Python, which takes longer to start than all that is done
here.

    python -I c_program.py FRAMEWORK_LIBRARY LIBRARY VERSION BYTES SECONDS

`TF_LoadSessionFromSavedModel` is `tensorflow::LoadSavedModel`, the loader of TensorFlow
Serving, for other languages than C++. Source: TensorFlow, `c/c_api.h` and `c/c_api.cc`.

Requests come by stdin: a line of JSON, `{"feeds": [[tensor, bytes], ...], "fetches":
[tensor, ...]}`, and the serialized `TensorProto` of each feed. Answers leave by stdout:
`{"outputs": [[dtype, shape, lengths], ...]}` and the content of each output, or
`{"error": [code, message]}`. Strings follow each other, and `lengths` has that of each;
for numbers it is the one of all. The first answer, without a request, says that the
version is loaded.
"""

import ctypes
import json
import os
import resource
import sys
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

STRING = 7  # `TF_STRING`.
SIZE_OF_STRING = 24  # `sizeof(TF_TString)`.
# Numbers of a fixed size, complex ones and the short floats among them; no resource.
NUMBERS = {1, 2, 3, 4, 5, 6, 8, 9, 10, 14, 17, 18, 19, 22, 23}
INVALID = 3  # `TF_INVALID_ARGUMENT`.


class Port(ctypes.Structure):
    """`TF_Output`: an output of an operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class CallError(Exception):
    """A call that failed, with the code and the message of its `TF_Status`."""


class Library:
    """The functions of the C library that are used here."""

    def __init__(self, framework: str, library: str) -> None:
        first = ctypes.CDLL(framework, mode=ctypes.RTLD_GLOBAL)
        second = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self.status = self._function(first, "NewStatus", pointer)()
        self.code = self._function(first, "GetCode", ctypes.c_int, pointer)
        self.message = self._function(first, "Message", ctypes.c_char_p, pointer)
        allocate = pointer, ctypes.c_int, pointer, ctypes.c_int, size
        self.allocate = self._function(first, "AllocateTensor", *allocate)
        self.delete = self._function(first, "DeleteTensor", None, pointer)
        self.dtype = self._function(first, "TensorType", ctypes.c_int, pointer)
        self.rank = self._function(first, "NumDims", ctypes.c_int, pointer)
        dimension = ctypes.c_int64, pointer, ctypes.c_int
        self.dimension = self._function(first, "Dim", *dimension)
        self.bytes = self._function(first, "TensorByteSize", size, pointer)
        self.data = self._function(first, "TensorData", pointer, pointer)
        self.new_graph = self._function(second, "NewGraph", pointer)
        self.new_options = self._function(second, "NewSessionOptions", pointer)
        load = [pointer] * 4 + [ctypes.c_int] + [pointer] * 3
        self.load = self._function(second, "LoadSessionFromSavedModel", pointer, *load)
        find = pointer, pointer, ctypes.c_char_p
        self.find = self._function(second, "GraphOperationByName", *find)
        buffer = pointer, ctypes.c_char_p, size
        self.buffer = self._function(second, "NewBufferFromString", *buffer)
        self.free = self._function(second, "DeleteBuffer", None, pointer)
        parse = None, pointer, pointer, pointer
        self.parse = self._function(second, "TensorFromProto", *parse)
        run: list[Any] = [None, *[pointer] * 4, ctypes.c_int]
        run += [pointer, pointer, ctypes.c_int, pointer, ctypes.c_int]
        self.run = self._function(second, "SessionRun", *run, pointer, pointer)
        text = pointer, pointer
        self.text = self._function(second, "StringGetDataPointer", *text)
        self.length = self._function(second, "StringGetSize", size, pointer)

    @staticmethod
    def _function(
        library: ctypes.CDLL, name: str, result: Any, *arguments: Any
    ) -> Callable[..., Any]:
        function = getattr(library, f"TF_{name}")
        function.restype, function.argtypes = result, arguments
        return function

    def check(self) -> None:
        """Raises if the last call failed."""
        if code := self.code(self.status):
            raise CallError(code, self.message(self.status).decode(errors="replace"))


class Session:
    """A loaded version."""

    def __init__(self, library: Library, version: str) -> None:
        self._library = library
        self._graph = library.new_graph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        arguments = tags, 1, self._graph, None, library.status
        self._session = library.load(
            library.new_options(), None, version.encode(), *arguments
        )
        library.check()

    def run(
        self, feeds: Iterable[tuple[str, bytes]], fetches: list[str]
    ) -> list[tuple[int, list[int], list[bytes]]]:
        """Returns the dtype, shape and content of tensors; `feeds` are protos."""
        library = self._library
        names, values = [], []
        for name, proto in feeds:
            names.append(name)
            values.append(self._tensor(proto))
        given, wanted = self._ports(names), self._ports(fetches)
        tensors = (ctypes.c_void_p * len(values))(*values)
        results = (ctypes.c_void_p * len(fetches))()
        inputs, outputs = (given, tensors, len(values)), (wanted, results, len(fetches))
        arguments = *inputs, *outputs, None, 0, None, library.status
        library.run(self._session, None, *arguments)
        for each in values:
            library.delete(each)
        library.check()
        read = [self._content(each) for each in results]
        for each in results:
            library.delete(each)
        return read

    def _ports(self, names):
        ports = []
        for name in names:
            operation, _, index = name.partition(":")
            found = self._library.find(self._graph, operation.encode())
            if not found:
                raise CallError(INVALID, f"The graph has no operation {operation!r}.")
            ports.append(Port(found, int(index or 0)))
        return (Port * len(ports))(*ports)

    def _tensor(self, proto):
        library = self._library
        tensor = library.allocate(1, (ctypes.c_int64 * 1)(0), 1, 0)
        buffer = library.buffer(proto, len(proto))
        library.parse(buffer, tensor, library.status)
        library.free(buffer)
        library.check()
        return tensor

    def _content(self, tensor):
        library = self._library
        dtype = library.dtype(tensor)
        shape = [library.dimension(tensor, i) for i in range(library.rank(tensor))]
        size, data = library.bytes(tensor), library.data(tensor)
        if dtype in NUMBERS:
            return dtype, shape, [ctypes.string_at(data, size)]
        if dtype != STRING:
            raise CallError(
                INVALID, f"An output is neither numbers nor text ({dtype})."
            )
        places = range(data or 0, (data or 0) + size, SIZE_OF_STRING)
        read = ctypes.string_at
        text = [read(library.text(each), library.length(each)) for each in places]
        return dtype, shape, text


def answer(session: Session, line: bytes, source: BinaryIO, target: BinaryIO) -> None:
    """Runs one request."""
    request = json.loads(line)
    feeds = [(name, source.read(size)) for name, size in request["feeds"]]
    try:
        outputs = session.run(feeds, request["fetches"])
    except CallError as error:
        say(target, {"error": error.args})
        return
    heads = [(dtype, shape, [*map(len, parts)]) for dtype, shape, parts in outputs]
    say(target, {"outputs": heads}, [b"".join(parts) for _, _, parts in outputs])


def say(
    target: BinaryIO, message: dict[str, Any], content: Iterable[bytes] = ()
) -> None:
    """Writes an answer."""
    target.write(json.dumps(message).encode() + b"\n")
    target.writelines(content)
    target.flush()


def limit(size: int, seconds: int) -> None:
    """Limits the memory and the CPU seconds of this process; 0 stands for no limit."""
    wanted = {resource.RLIMIT_DATA: size, resource.RLIMIT_CPU: seconds}
    for name, value in wanted.items():
        most = resource.getrlimit(name)[1]
        if value and (most == resource.RLIM_INFINITY or value < most):
            resource.setrlimit(name, (value, value))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(framework: str, library: str, version: str, size: str, seconds: str) -> None:
    """Answers requests until there are no more."""
    limit(int(size), int(seconds))
    # What TensorFlow writes to stdout goes where its log goes.
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        session = Session(Library(framework, library), version)
    except CallError as error:
        say(target, {"error": error.args})
        return
    say(target, {"outputs": []})
    while line := sys.stdin.buffer.readline():
        answer(session, line, sys.stdin.buffer, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
