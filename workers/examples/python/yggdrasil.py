"""The messages and calls of protocol/yggdrasil.proto that a worker needs, without generated code."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "string": _Field.TYPE_STRING,
    "int64": _Field.TYPE_INT64,
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
}

# Fields in the order of their numbers.
_MESSAGES = {
    "RegistrationRequest": [
        ("handler", "string"),
        ("pid", "int64"),
        ("detached_content", "bool"),
        ("features", "map"),
    ],
    "RegistrationResponse": [("registered", "bool"), ("address", "string")],
    "Data": [
        ("message_id", "string"),
        ("metadata", "map"),
        ("content", "bytes"),
        ("response_to", "string"),
        ("directive", "string"),
    ],
    "Response": [("response", "bytes")],
}


def _add_map(message, full_name, field, number):
    entry = message.nested_type.add(name=field.capitalize() + "Entry")
    entry.options.map_entry = True
    for place, name in enumerate(("key", "value"), start=1):
        entry.field.add(name=name, number=place, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
    message.field.add(
        name=field,
        number=number,
        label=_Field.LABEL_REPEATED,
        type=_Field.TYPE_MESSAGE,
        type_name=f"{full_name}.{entry.name}",
    )


def _build():
    file = descriptor_pb2.FileDescriptorProto(name="worker.proto", package="yggdrasil", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, start=1):
            if kind == "map":
                _add_map(message, f".yggdrasil.{name}", field, number)
            else:
                message.field.add(name=field, number=number, label=_Field.LABEL_OPTIONAL, type=_KINDS[kind])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptors = [pool.FindMessageTypeByName(f"yggdrasil.{name}") for name in _MESSAGES]
    if hasattr(message_factory, "GetMessageClass"):
        return [message_factory.GetMessageClass(descriptor) for descriptor in descriptors]
    # Before protobuf 4.22.
    return [message_factory.MessageFactory(pool).GetPrototype(descriptor) for descriptor in descriptors]


RegistrationRequest, RegistrationResponse, Data, Response = _build()


class Dispatcher:
    """The daemon, as a worker calls it."""

    def __init__(self, address):
        channel = grpc.insecure_channel(address)
        self.register = channel.unary_unary(
            "/yggdrasil.Dispatcher/Register",
            request_serializer=RegistrationRequest.SerializeToString,
            response_deserializer=RegistrationResponse.FromString,
        )
        self.send = channel.unary_unary(
            "/yggdrasil.Dispatcher/Send",
            request_serializer=Data.SerializeToString,
            response_deserializer=Response.FromString,
        )


def serve_worker(address, on_message, pool):
    """Serves Worker there; `on_message` takes each message. Returns the server."""

    def send(message, _context):
        on_message(message)
        return Response()

    method = grpc.unary_unary_rpc_method_handler(
        send, request_deserializer=Data.FromString, response_serializer=Response.SerializeToString
    )
    server = grpc.server(pool)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("yggdrasil.Worker", {"Send": method}),)
    )
    server.add_insecure_port(address)
    server.start()
    return server
