// The yardstick: an MQTT.js client that answers every message by itself, with nothing in between.
//
//   node bare-client.js URL CLIENT-ID
import { randomUUID } from 'node:crypto';
import { connect } from 'mqtt';

const [url, clientId] = process.argv.slice(2);
const client = connect(url, { clientId, clean: false });
client.stream.setNoDelay?.(true);

client.on('message', (_, payload) => {
  const { message_id, directive, metadata, content } = JSON.parse(payload.toString());
  const answer = {
    type: 'data',
    message_id: randomUUID(),
    response_to: message_id,
    version: 1,
    sent: new Date().toISOString(),
    directive,
    metadata,
    content,
  };
  client.publish(`yggdrasil/${clientId}/data/out`, JSON.stringify(answer), { qos: 1 });
});
await client.subscribeAsync(`yggdrasil/${clientId}/data/in`, { qos: 1 });
console.log('subscribed');
process.on('SIGTERM', () => client.end(false, () => process.exit(0)));
