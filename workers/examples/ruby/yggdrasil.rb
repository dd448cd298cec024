# The messages and calls of protocol/yggdrasil.proto that a worker needs, without generated code.
require 'google/protobuf'
require 'google/protobuf/descriptor_pb'
require 'grpc'

module Yggdrasil
  # Fields in the order of their numbers.
  MESSAGES = {
    RegistrationRequest: { handler: :string, pid: :int64, detached_content: :bool, features: :map },
    RegistrationResponse: { registered: :bool, address: :string },
    Data: { message_id: :string, metadata: :map, content: :bytes, response_to: :string, directive: :string },
    Response: { response: :bytes }
  }.freeze

  class << self
    private

    def field(name, number, kind, **more)
      label = more[:type_name] ? :LABEL_REPEATED : :LABEL_OPTIONAL
      Google::Protobuf::FieldDescriptorProto.new(
        name: name.to_s, number: number, label: label, type: :"TYPE_#{kind.upcase}", **more
      )
    end

    def map_entry(name)
      Google::Protobuf::DescriptorProto.new(
        name: name,
        field: [field(:key, 1, :string), field(:value, 2, :string)],
        options: Google::Protobuf::MessageOptions.new(map_entry: true)
      )
    end

    def message(name, fields)
      described = Google::Protobuf::DescriptorProto.new(name: name.to_s)
      fields.each.with_index(1) do |(field_name, kind), number|
        unless kind == :map
          described.field << field(field_name, number, kind)
          next
        end
        entry = "#{field_name.to_s.capitalize}Entry"
        described.nested_type << map_entry(entry)
        described.field << field(field_name, number, :message, type_name: ".yggdrasil.#{name}.#{entry}")
      end
      described
    end

    def build
      file = Google::Protobuf::FileDescriptorProto.new(
        name: 'worker.proto', package: 'yggdrasil', syntax: 'proto3',
        message_type: MESSAGES.map { |name, fields| message(name, fields) }
      )
      pool = Google::Protobuf::DescriptorPool.generated_pool
      pool.add_serialized_file(Google::Protobuf::FileDescriptorProto.encode(file))
      MESSAGES.each_key { |name| const_set(name, pool.lookup("yggdrasil.#{name}").msgclass) }
    end
  end
  build

  # The daemon, as a worker calls it.
  class DispatcherService
    include GRPC::GenericService
    self.marshal_class_method = :encode
    self.unmarshal_class_method = :decode
    self.service_name = 'yggdrasil.Dispatcher'
    rpc :Register, RegistrationRequest, RegistrationResponse
    rpc :Send, Data, Response
  end
  Dispatcher = DispatcherService.rpc_stub_class

  # What the daemon calls: to be derived from, with a method `send(message, call)`.
  class WorkerService
    include GRPC::GenericService
    self.marshal_class_method = :encode
    self.unmarshal_class_method = :decode
    self.service_name = 'yggdrasil.Worker'
    rpc :Send, Data, Response
  end
end
