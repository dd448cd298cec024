/**
 * What options must be to each other, each of them being right by itself.
 */
import type { Options } from './options.ts';

export interface Findings {
  /** Sentences that each begin with a place; any of them ends the program. */
  readonly mistakes: string[];
  readonly warnings: string[];
}

/** `place` is the subject of a sentence about an option: where it was said, and its name. */
export function findContradictions(
  options: Options,
  place: (field: keyof Options) => string,
  { mistakes, warnings }: Findings,
): void {
  const { broker, protocol } = options;
  if (options.certFile && !options.keyFile) {
    mistakes.push(`${place('certFile')} needs key-file, the private key of the certificate.`);
  }
  if (options.keyFile && !options.certFile) {
    mistakes.push(`${place('keyFile')} needs cert-file, the certificate of the key.`);
  }
  if (broker.includes('embedded') && broker.length > 1) {
    mistakes.push(`${place('broker')} takes "embedded" alone, or the URLs of brokers elsewhere.`);
  }
  if (protocol === 'mqtt' && broker.length === 0) {
    mistakes.push(
      `${place('protocol')} is "mqtt" but there is no broker; add broker = ["mqtts://HOST:8883"], or set protocol = "none".`,
    );
  }
  if (protocol === 'none' && broker.length > 0) {
    warnings.push(`${place('broker')} has no effect: protocol is "none".`);
  }
  if (options.mqttReconnectDelay > options.mqttConnectRetryInterval) {
    mistakes.push(
      `${place('mqttReconnectDelay')} is the shortest wait and must not be longer than mqtt-connect-retry-interval.`,
    );
  }
  if (options.mqttVersion === 5 && broker.includes('embedded')) {
    warnings.push(`${place('mqttVersion')} has no effect: the embedded broker speaks MQTT 3.1.1.`);
  }
}
