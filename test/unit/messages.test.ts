import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeCommand,
  encodeConnectionStatus,
  encodeData,
  encodeEvent,
  encodeLastWill,
  isAddress,
  parseCommand,
  parseData,
  parseMessage,
  peekMessage,
  type StringMap,
} from '../../src/messages.ts';

const captures = new URL('../fixtures/captures/', import.meta.url);
const capture = (name: string): Buffer => readFileSync(new URL(`${name}.json`, captures));

/** The names of all fields in order, with the JSON type of each value; elements of arrays are left out. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return 'array';
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.entries(value).map(([name, inner]) => [name, shape(inner)]);
}
const shapeOf = (bytes: Uint8Array): unknown => shape(JSON.parse(Buffer.from(bytes).toString()));

const data = (fields: string): Buffer =>
  Buffer.from(`{"message_id":"m","directive":"echo"${fields && `,${fields}`}}`);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const sent = Date.parse('2026-11-20T08:38:20.504Z');
const envelope = { messageId: 'e1a1b7d2-0000-4000-8000-000000000001', sent };

describe('parseData', () => {
  test('reads what the Go daemon writes', () => {
    expect(parseData(capture('echo-object'))).toEqual({
      type: 'data',
      messageId: 'cba54a6c-3b36-4c3c-a197-32a25c3b3488',
      responseTo: '22222222-2222-4222-8222-222222222222',
      sent: Date.parse('2026-11-20T08:38:20.368Z'),
      directive: 'echo',
      metadata: Object.assign(Object.create(null), { k: 'v' }),
      content: Buffer.from('{"hello":"world","n":[1,2.5,null,true]}'),
    });
  });

  test('keeps the exact bytes of content: big integers, spacing, key order, escapes', () => {
    const content = '{ "z" : 12345678901234567890123 ,"a":\t1.10, "é\\u00e9": [ ] }';
    expect(text(parseData(data(`"content" : ${content} `)).content)).toBe(content);
    expect(text(parseData(data('"content":null')).content)).toBe('null');
    expect(text(parseData(data('"content":"hello"')).content)).toBe('"hello"');
    expect(parseData(data('')).content).toHaveLength(0);
  });

  test('matches names without regard to case, and the last of a repeated one counts', () => {
    const message = parseData(
      Buffer.from(
        '{"MESSAGE_ID":"one","Directive":"echo","content":1,"message_id":"two","CONTENT":2,"Extra":{}}',
      ),
    );
    expect(message.messageId).toBe('two');
    expect(text(message.content)).toBe('2');
  });

  test('takes metadata as servers send it', () => {
    const metadata = parseData(
      data('"metadata":{"a":null,"b":1.50,"c":true,"__proto__":"x","d":"y","d":"z"}'),
    ).metadata;
    expect(Object.entries(metadata ?? {})).toEqual([
      ['a', ''],
      ['b', '1.50'],
      ['c', 'true'],
      ['__proto__', 'x'],
      ['d', 'z'],
    ]);
    expect(Object.getPrototypeOf(metadata)).toBeNull();
    expect(parseData(data('"metadata":null')).metadata).toBeNull();
    expect(parseData(data('')).metadata).toBeNull();
  });

  test('replaces what UTF-8 cannot hold', () => {
    expect(parseData(Buffer.from('{"message_id":"a\\ud800b","directive":"echo"}')).messageId).toBe(
      'a\ufffdb',
    );
  });

  test.each([
    ['a missing time', '', undefined],
    ['nanoseconds', '"sent":"2026-11-20T08:38:20.504194435Z"', sent],
    ['an offset', '"sent":"2026-11-20T10:38:20.504+02:00"', sent],
  ])('takes %s', (_, fields, expected) => {
    expect(parseData(data(fields)).sent).toBe(expected);
  });

  test.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['an array', '[]'],
    ['a broken object', '{"message_id":"m","directive":"echo"'],
    ['two objects', '{"message_id":"m","directive":"echo"}{}'],
    ['broken content', '{"message_id":"m","directive":"echo","content":{"a":}}'],
    ['no message id', '{"directive":"echo"}'],
    ['an empty message id', '{"message_id":"","directive":"echo"}'],
    ['a number as message id', '{"message_id":1,"directive":"echo"}'],
    ['an endless message id', `{"message_id":"${'m'.repeat(257)}","directive":"echo"}`],
    ['no directive', '{"message_id":"m"}'],
    ['a path as directive', '{"message_id":"m","directive":"../echo"}'],
    ['metadata that is a list', '{"message_id":"m","directive":"echo","metadata":[]}'],
    ['nested metadata', '{"message_id":"m","directive":"echo","metadata":{"a":{}}}'],
    ['another type', '{"type":"command","message_id":"m","directive":"echo"}'],
    ['a time that is none', '{"message_id":"m","directive":"echo","sent":"yesterday"}'],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseData(Buffer.from(bytes))).toThrow(
      expect.objectContaining({ code: 'YGG_MESSAGE_INVALID' }),
    );
  });

  test('refuses what is not UTF-8, inside content too', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"message_id":"m","directive":"echo","content":"'),
      Buffer.from([0xff, 0x22, 0x7d]),
    ]);
    expect(() => parseData(bytes)).toThrow('not UTF-8');
  });

  test('never throws anything else, whatever the bytes are', () => {
    const envelopes = fc.record({
      message_id: fc.oneof(fc.string(), fc.jsonValue()),
      directive: fc.oneof(fc.constant('echo'), fc.jsonValue()),
      metadata: fc.jsonValue(),
      sent: fc.jsonValue(),
      content: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          envelopes.map((value) => Buffer.from(JSON.stringify(value))),
        ),
        (bytes) => {
          for (const parse of [parseData, parseCommand, parseMessage]) {
            try {
              parse(bytes);
            } catch (error) {
              expect(error).toMatchObject({ code: 'YGG_MESSAGE_INVALID' });
            }
          }
          peekMessage(bytes);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('parseCommand', () => {
  test('reads a command, its arguments as strings', () => {
    const command = parseCommand(
      Buffer.from(
        '{"type":"command","message_id":"m","content":{"command":"reconnect","arguments":{"delay":2}}}',
      ),
    );
    expect(command.command).toBe('reconnect');
    expect({ ...command.arguments }).toEqual({ delay: '2' });
  });

  test.each([
    '{"command":"ping"}',
    '{"command":"ping","arguments":null}',
    '{"Command":"ping","message":"x"}',
  ])('takes %s', (content) => {
    const command = parseCommand(Buffer.from(`{"message_id":"m","content":${content}}`));
    expect(command.command).toBe('ping');
    expect({ ...command.arguments }).toEqual({});
  });

  test.each(['"ping"', 'null', '[]', '{"command":1}', '{"command":"ping","arguments":"x"}'])(
    'refuses %s',
    (content) => {
      expect(() => parseCommand(Buffer.from(`{"message_id":"m","content":${content}}`))).toThrow(
        expect.objectContaining({ code: 'YGG_MESSAGE_INVALID' }),
      );
    },
  );
});

describe('parseMessage', () => {
  test.each(['connection-status-with-tags', 'last-will', 'pong', 'echo-string'])('reads %s', (name) => {
    expect(parseMessage(capture(name)).messageId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('takes any directive: what workers answer is not bound to the names of handlers', () => {
    expect(parseMessage(Buffer.from('{"type":"data","message_id":"m","directive":""}'))).toMatchObject({
      directive: '',
    });
  });
});

describe('peekMessage', () => {
  test('finds id and directive in what was cut off', () => {
    const head = Buffer.from('{"type":"data","message_id":"big","directive":"echo","content":"xxxxxxxx');
    expect(peekMessage(head)).toEqual({ messageId: 'big', directive: 'echo' });
    expect(peekMessage(Buffer.from('{"content":"xxxxxx'))).toEqual({ messageId: '', directive: '' });
  });
});

describe('encodeData', () => {
  const encode = (content: Uint8Array, metadata: StringMap | null = null): Buffer =>
    encodeData({ ...envelope, responseTo: 'r', directive: 'echo', metadata, content });
  const contentOf = (content: Uint8Array): unknown => JSON.parse(text(encode(content))).content;

  test.each([
    ['echo-object', '{"hello":"world","n":[1,2.5,null,true]}', { k: 'v' }],
    ['echo-string', '"plain string"', null],
    ['echo-null-content', 'null', null],
    ['worker-empty-content', '', { m: '1' }],
  ])('writes %s field by field like the capture', (name, content, metadata) => {
    const { messageId, responseTo, directive } = parseData(capture(name));
    const bytes = encodeData({
      messageId,
      responseTo,
      directive,
      sent,
      metadata,
      content: Buffer.from(content),
    });
    const time = /"sent":"[^"]+"/;
    expect(text(bytes).replace(time, '')).toBe(text(capture(name)).trimEnd().replace(time, ''));
  });

  test('puts JSON in verbatim', () => {
    const content = ' { "n": 12345678901234567890123 } ';
    expect(text(encode(Buffer.from(content)))).toContain(`"content":${content}}`);
  });

  test('puts other text in as a string, other bytes as base64, and says so', () => {
    expect(contentOf(Buffer.from('hello "you"\n'))).toBe('hello "you"\n');
    const message = JSON.parse(text(encode(Buffer.from([0xff, 0, 1]), { k: 'v' })));
    expect(message.content).toBe('/wAB');
    expect(message.metadata).toEqual({ k: 'v', 'content-encoding': 'base64' });
  });

  test('what it writes, whatever the bytes, is read back', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
        (content, metadata) => {
          const bytes = encodeData({ ...envelope, directive: 'echo', metadata, content });
          expect(parseData(bytes)).toMatchObject({ messageId: envelope.messageId, responseTo: '', sent });
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what is said on control/out', () => {
  const facts = {
    insights_id: '',
    machine_id: '3d1219c7-c4c5-404a-aa1f-6d2a48adfda4',
    bios_uuid: '',
    subscription_manager_id: 'test-client-0001',
    ip_addresses: ['192.0.2.2'],
    mac_addresses: ['02:fc:00:00:00:01'],
    fqdn: 'vm',
  };

  test('a connection status has the fields of the capture, in order', () => {
    const initial = encodeConnectionStatus(envelope, { facts, dispatchers: {}, state: 'online' });
    expect(shapeOf(initial)).toEqual(shapeOf(capture('connection-status-initial')));
    expect(shapeOf(initial)).toEqual(shapeOf(capture('connection-status-worker-death')));
  });

  test('features are objects and never null, tags are there only when there are some', () => {
    const status = { facts, dispatchers: { echo: {} }, state: 'online', tags: { site: 'lab' } } as const;
    const { content } = JSON.parse(text(encodeConnectionStatus(envelope, status)));
    expect(Object.keys(content)).toEqual(['canonical_facts', 'dispatchers', 'state', 'tags']);
    expect(content.dispatchers).toEqual({ echo: {} });
    const untagged = JSON.parse(text(encodeConnectionStatus(envelope, { ...status, tags: {} })));
    expect(untagged.content).not.toHaveProperty('tags');
  });

  test('the last will knows nothing, but sends no null where a server expects a value', () => {
    const ours = JSON.parse(text(encodeLastWill(envelope)));
    const theirs = JSON.parse(text(capture('last-will')));
    expect(Object.keys(ours)).toEqual(Object.keys(theirs));
    expect(Object.keys(ours.content)).toEqual(Object.keys(theirs.content));
    expect(Object.keys(ours.content.canonical_facts)).toEqual(Object.keys(theirs.content.canonical_facts));
    expect(ours.content.dispatchers).toEqual({});
    expect(ours.content.state).toBe('offline');
    expect(ours.content.canonical_facts.ip_addresses).toEqual([]);
  });

  test('an event is a bare word', () => {
    const pong = encodeEvent({ ...envelope, responseTo: '11111111-1111-4111-8111-111111111111' }, 'pong');
    expect(shapeOf(pong)).toEqual(shapeOf(capture('pong')));
    expect(JSON.parse(text(pong)).content).toBe('pong');
  });

  test('a command is read back as it was written', () => {
    expect(parseCommand(encodeCommand(envelope, 'reconnect', { delay: '60' }))).toMatchObject({
      messageId: envelope.messageId,
      command: 'reconnect',
      arguments: { delay: '60' },
    });
  });
});

test('a directive with a scheme is an address, a name is not', () => {
  expect(['https://example.com/', 'HTTP://example.com', 'mailto:x', 'a+b-c.d:x'].every(isAddress)).toBe(true);
  expect(['echo', 'package-manager', '', 'a/b:c', '9p:x', ':x'].some(isAddress)).toBe(false);
});
