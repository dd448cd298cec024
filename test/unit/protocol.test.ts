/** The examples of `protocol/messages.md` are what the daemon reads and writes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type CanonicalFacts,
  encodeCommand,
  encodeConnectionStatus,
  encodeData,
  encodeEvent,
  encodeLastWill,
  type Message,
  parseCommand,
  parseData,
  parseMessage,
  type StringMap,
} from '../../src/messages.ts';

const page = readFileSync(new URL('../../protocol/messages.md', import.meta.url), 'utf8');

/** Each `###` heading with its example. */
const examples = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [heading = ''] = section.split('\n');
      const blocks = [...section.matchAll(/^```json\n([\s\S]*?)^```$/gm)];
      expect(blocks, heading).toHaveLength(1);
      return [heading, blocks[0]?.[1] ?? ''] as const;
    }),
);

function bytesOf(heading: string): Buffer {
  const example = examples.get(heading);
  if (example === undefined) throw new Error(`no example "${heading}"`);
  return Buffer.from(example);
}

/** Without the spaces and lines that the page has for its readers. */
function compact(heading: string): string {
  return JSON.stringify(JSON.parse(bytesOf(heading).toString()));
}

function envelopeOf({ messageId, responseTo, sent = 0 }: Message) {
  return { messageId, responseTo, sent };
}

/** What a connection status says, for a test that compares it with the example afterwards. */
interface StatusContent {
  readonly canonical_facts: CanonicalFacts;
  readonly dispatchers: Record<string, StringMap>;
  readonly tags?: StringMap;
  readonly client_name: string;
  readonly client_version: string;
}

test('every message has an example, and no other has', () => {
  expect([...examples.keys()]).toEqual([
    'connection-status: online',
    'connection-status: offline',
    'event: pong',
    'event: disconnect',
    'data: a response',
    'data: a failure report',
    'data: a request',
    'data: a request with detached content',
    'data: a request that cancels another',
    'command: ping',
    'command: reconnect',
    'command: disconnect',
    'command: cancel',
  ]);
});

describe('host to server', () => {
  test('connection-status: online', () => {
    const message = parseMessage(bytesOf('connection-status: online'));
    if (message.type !== 'connection-status') throw new Error(message.type);
    const content = message.content as unknown as StatusContent;
    const written = encodeConnectionStatus(envelopeOf(message), {
      facts: content.canonical_facts,
      dispatchers: content.dispatchers,
      state: 'online',
      tags: content.tags,
      client: { name: content.client_name, version: content.client_version },
    });
    expect(written.toString()).toBe(compact('connection-status: online'));
  });

  test('connection-status: offline', () => {
    const message = parseMessage(bytesOf('connection-status: offline'));
    expect(encodeLastWill(envelopeOf(message)).toString()).toBe(compact('connection-status: offline'));
  });

  test.each(['pong', 'disconnect'] as const)('event: %s', (event) => {
    const message = parseMessage(bytesOf(`event: ${event}`));
    expect(message).toMatchObject({ type: 'event', event });
    expect(encodeEvent(envelopeOf(message), event).toString()).toBe(compact(`event: ${event}`));
  });

  test.each(['data: a response', 'data: a failure report'])('%s', (heading) => {
    const message = parseMessage(Buffer.from(compact(heading)));
    if (message.type !== 'data') throw new Error(message.type);
    const { directive, metadata, content } = message;
    const written = encodeData({ ...envelopeOf(message), directive, metadata, content });
    expect(written.toString()).toBe(compact(heading));
  });
});

describe('server to host', () => {
  test.each([
    ['data: a request', 'echo'],
    ['data: a request with detached content', 'rhc-worker-playbook'],
    ['data: a request that cancels another', 'foreman'],
  ])('%s', (heading, directive) => {
    const message = parseData(bytesOf(heading));
    const example: { readonly [field: string]: unknown } = JSON.parse(bytesOf(heading).toString());
    expect(message).toMatchObject({ directive, messageId: example['message_id'], responseTo: '' });
    expect({ ...message.metadata }).toEqual(example['metadata']);
    // The bytes between the braces, as they stand on the page.
    const content = Buffer.from(message.content).toString();
    expect(bytesOf(heading).toString()).toContain(`"content": ${content}\n}`);
    expect(JSON.parse(content)).toEqual(example['content']);
  });

  test.each([
    ['ping', {}],
    ['reconnect', { delay: '60' }],
    ['disconnect', {}],
    ['cancel', { directive: 'echo', messageID: '0f0a7a4e-8d0e-4a57-9b43-2f1b8d0d0c05' }],
  ])('command: %s', (command, args) => {
    const message = parseCommand(bytesOf(`command: ${command}`));
    expect(message.command).toBe(command);
    expect({ ...message.arguments }).toEqual(args);
    const given = command === 'ping' ? null : args;
    expect(encodeCommand(envelopeOf(message), command, given).toString()).toBe(
      compact(`command: ${command}`),
    );
  });
});
