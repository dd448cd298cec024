/** The examples of protocol/attach.md are what the protocol file says. */
import { readFileSync } from 'node:fs';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, test } from 'vitest';
import {
  attachVersion,
  dispatcherFeatures,
  inlineContent,
  largestFrame,
  mostPerFrame,
  mostProgress,
  outcomeResults,
  redeliveries,
} from '../../../src/rpc/attach-frames.ts';

const root = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('protocol/attach.md', root), 'utf8');
const file = new URL('protocol/yggdrasil.proto', root).pathname;
const loaded = loadSync(file, { longs: Number, enums: String, bytes: String });
const service = loaded['yggdrasil.Dispatcher'];
if (!service || 'format' in service || !service['Attach']) throw new Error('no Attach');
const { requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } = service['Attach'];

const conversations = [...page.matchAll(/```frames\n([\s\S]*?)```/g)].map(([, lines = '']) =>
  lines.trim().split('\n'),
);

describe('the page on Attach', () => {
  test('has a conversation for each situation', () => {
    expect(conversations.length).toBeGreaterThan(14);
  });

  test.each(conversations.flat())('%s', (line) => {
    const [side = '', ...words] = line.split(' ');
    const text = words.join(' ');
    if (side === 'end') {
      expect(page).toContain(`\n| ${text}`);
      return;
    }
    const frame: unknown = JSON.parse(text);
    const carried =
      side === 'worker'
        ? requestDeserialize(requestSerialize(frame as object))
        : responseDeserialize(responseSerialize(frame as object));
    expect(JSON.parse(JSON.stringify(carried))).toEqual(frame);
  });

  test('names the numbers of the code', () => {
    const { outcome, policy } = { outcome: 'yggdrasil.Outcome', policy: 'yggdrasil.Redelivery' };
    expect(loaded[outcome]).toBeDefined();
    expect(loaded[policy]).toBeDefined();
    expect(page).toContain(`\`version\` (${attachVersion})`);
    for (const feature of dispatcherFeatures) expect(page).toContain(`| \`${feature}\` |`);
    expect(page).toContain(`${inlineContent / 1024} KiB of content or ${mostPerFrame} messages`);
    expect(page).toContain(`${largestFrame / 1024 / 1024} MiB, the receive limit`);
    expect(page).toContain(`at most ${mostProgress / 1024} KiB`);
  });
});

test('enumerations have the numbers of the protocol file', () => {
  const worker = (name: keyof typeof outcomeResults): unknown =>
    requestDeserialize(requestSerialize({ outcomes: [{ delivery: 1, result: outcomeResults[name] }] }));
  expect(worker('failed')).toEqual({ outcomes: [{ delivery: 1, result: 'FAILED' }] });
  expect(worker('cancelled')).toEqual({ outcomes: [{ delivery: 1, result: 'CANCELLED' }] });
  expect(worker('returned')).toEqual({ outcomes: [{ delivery: 1, result: 'RETURNED' }] });
  const offer = (redelivery: number): unknown =>
    requestDeserialize(requestSerialize({ hello: { handlers: [{ name: 'a', redelivery }] } }));
  expect(offer(redeliveries['until-accepted'])).toMatchObject({
    hello: { handlers: [{ redelivery: 'UNTIL_ACCEPTED' }] },
  });
  expect(offer(redeliveries['until-done'])).toMatchObject({
    hello: { handlers: [{ redelivery: 'UNTIL_DONE' }] },
  });
});
