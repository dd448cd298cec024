/**
 * The HTTP result of a response as workers of the intermediate generation expect it in Send's answer
 * (docs/protocol.md).
 */
import { asBuffer } from '../base/bytes.ts';
import { isJson } from '../base/json-text.ts';

export interface HttpResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** `{"StatusCode":200,"Body":...,"Metadata":{...}}`; a body that is JSON goes in as it is, any other as a string. */
export function httpResultBytes({ status, headers, body }: HttpResult): Uint8Array {
  const members = [
    `"StatusCode":${status}`,
    `"Body":${rawBody(body)}`,
    `"Metadata":${JSON.stringify(headers)}`,
  ];
  return Buffer.from(`{${members.join(',')}}`);
}

function rawBody(body: Uint8Array): string {
  if (body.length === 0) return 'null';
  const text = asBuffer(body).toString();
  return isJson(body) ? text : JSON.stringify(text);
}
