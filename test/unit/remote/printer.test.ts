import { describe, expect, test } from 'vitest';
import type { Format } from '../../../src/base/printer.ts';
import { HostPrinter } from '../../../src/remote/printer.ts';

interface Shown {
  readonly printer: HostPrinter;
  out(): string;
  err(): string;
}

function show(options: { terminal?: boolean; colour?: boolean; format?: Format } = {}): Shown {
  const { terminal = false, colour = false, format = 'text' } = options;
  const out: string[] = [];
  const err: string[] = [];
  const screen = (into: string[]) => ({
    terminal,
    colour,
    write: async (text: string) => void into.push(text),
  });
  const printer = new HostPrinter({
    out: screen(out),
    err: screen(err),
    format,
  });
  return { printer, out: () => out.join(''), err: () => err.join('') };
}

const payload = Buffer.from(
  '{"type":"data","message_id":"a","response_to":"b","version":1,"sent":"2026-11-20T10:00:00Z",\n"directive":"echo","metadata":{"k":"v"},"content":{"n":12345678901234567890}}',
);
const content = Buffer.from('{"n":12345678901234567890}');

describe('an answer', () => {
  test('goes into a pipe as it came', async () => {
    const shown = show();
    await shown.printer.answer(payload, content, 3.0617);
    expect(shown.out()).toBe('{"n":12345678901234567890}\n');
  });

  test('is laid out on a terminal', async () => {
    const shown = show({ terminal: true });
    await shown.printer.answer(payload, content, 1);
    expect(shown.out()).toBe('{\n  "n": 12345678901234567890\n}\n');
  });

  test('is one line for programs, with the whole message', async () => {
    const shown = show({ format: 'json', terminal: true });
    await shown.printer.answer(payload, content, 3.0617);
    expect(shown.out().split('\n')).toHaveLength(2);
    expect(JSON.parse(shown.out())).toMatchObject({ round_trip_ms: 3.1, message: { message_id: 'a' } });
    expect(shown.out()).toContain('12345678901234567890');
  });

  test('cannot command the terminal', async () => {
    const shown = show({ terminal: true });
    await shown.printer.answer(payload, Buffer.from('"\u009b2Jx\u202e"'), 1);
    expect(shown.out()).toBe('"\\u009b2Jx\\u202e"\n');
  });
});

describe('words', () => {
  test('are on standard error, remarks only for people', async () => {
    const piped = show();
    await piped.printer.remark('listening');
    await piped.printer.warn('careful');
    expect(piped.err()).toBe('warning: careful\n');
    const watched = show({ terminal: true });
    await watched.printer.remark('listening');
    expect(watched.err()).toBe('listening\n');
    expect(watched.out()).toBe('');
  });

  test('are coloured only where colour is wanted', async () => {
    const shown = show({ terminal: true, colour: true });
    await shown.printer.remark('listening');
    expect(shown.err()).toBe('\u001b[2mlistening\u001b[0m\n');
  });
});

describe('a live view', () => {
  const at = Date.UTC(2026, 10, 20, 10, 0, 0, 7);
  const heard = (text: string) => ({
    topic: 'p/h/data/out',
    payload: Buffer.from(text),
    retained: false,
    at,
  });

  test.each([
    [payload.toString(), 'data for echo, a in answer to b, k=v\n  {\n    "n": 12345678901234567890\n  }'],
    ['{"type":"command","message_id":"c","content":{"command":"ping","arguments":null}}', 'command ping, c'],
    ['{"type":"event","message_id":"d","response_to":"c","content":"pong"}', 'event pong, d in answer to c'],
    [
      '{"type":"connection-status","message_id":"e","content":{"state":"online","dispatchers":{"echo":{}}}}',
      'online, workers: echo, e',
    ],
    [
      '{"type":"connection-status","message_id":"e","content":{"state":"offline","dispatchers":null}}',
      'offline, workers: none, e',
    ],
    ['', 'empty'],
    ['x\u001b[2J', 'The message is not usable: it is not a JSON object.\n  x\\u001b[2J'],
  ])('says of %j what it is', async (text, expected) => {
    const shown = show();
    await shown.printer.heard(heard(text));
    expect(shown.out().replace(/^\d\d:\d\d:00/, 'TIME')).toBe(`TIME.007  p/h/data/out  ${expected}\n`);
  });

  test('names retained messages', async () => {
    const shown = show();
    await shown.printer.heard({ ...heard(''), retained: true });
    expect(shown.out()).toMatch(/empty \(retained\)\n$/);
  });

  test('is one line for programs, also of what is no message', async () => {
    const shown = show({ format: 'json' });
    await shown.printer.heard(heard(payload.toString()));
    await shown.printer.heard(heard('nonsense'));
    const [message, nonsense] = shown
      .out()
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(message).toMatchObject({
      received: '2026-11-20T10:00:00.007Z',
      topic: 'p/h/data/out',
      message: { directive: 'echo' },
    });
    expect(nonsense).toMatchObject({ payload: Buffer.from('nonsense').toString('base64') });
  });
});
