#!/usr/bin/env ruby
# A worker in Ruby: answers every message with what `work` makes of it. Make it yours there.
require 'json'
require 'securerandom'
require_relative 'yggdrasil'

# Takes the content of a message and gives that of its answer, both bytes (JSON as a rule).
def work(content)
  content
end

HANDLER = ARGV.fetch(0, 'ruby')
# How many messages are worked on at a time.
HANDS = 4

class Worker < Yggdrasil::WorkerService
  def initialize(messages)
    super()
    @messages = messages
  end

  # Returning accepts the message; the work is done afterwards.
  def send(message, _call)
    @messages << message
    Yggdrasil::Response.new
  end
end

def answer(dispatcher, message, content, metadata)
  response = Yggdrasil::Data.new(
    message_id: SecureRandom.uuid,
    response_to: message.message_id,
    directive: message.directive,
    metadata: metadata,
    content: content
  )
  begin
    dispatcher.send(response, deadline: Time.now + 60)
  rescue GRPC::Unavailable, GRPC::ResourceExhausted
    # Full, or not there at the moment: the same answer is sent again.
    sleep 1
    retry
  rescue GRPC::BadStatus => e
    warn "no answer to #{message.message_id}: #{e.details}"
  end
end

def handle(dispatcher, message)
  answer(dispatcher, message, work(message.content), message.metadata.to_h)
rescue StandardError => e
  # Whoever asked is told.
  report = { error: { code: e.class.name, message: e.message } }
  answer(dispatcher, message, report.to_json, { 'status' => 'failed', 'reason' => e.class.name })
end

dispatcher = Yggdrasil::Dispatcher.new(ENV.fetch('YGG_SOCKET_ADDR'), :this_channel_is_insecure)
request = Yggdrasil::RegistrationRequest.new(
  handler: HANDLER, pid: Process.pid, features: { 'language' => 'ruby' }
)
granted = dispatcher.register(request, deadline: Time.now + 10)
abort "could not register: #{HANDLER} is taken." unless granted.registered

messages = Queue.new
hands = Array.new(HANDS) do
  Thread.new do
    while (message = messages.pop)
      handle(dispatcher, message)
    end
  end
end

server = GRPC::RpcServer.new(pool_size: 2, poll_period: 1)
server.add_http2_port(granted.address, :this_port_is_insecure)
server.handle(Worker.new(messages))
server.run_till_terminated_or_interrupted(['TERM'])
messages.close
hands.each(&:join)
