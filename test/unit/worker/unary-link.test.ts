import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { type HandlerOptions, handlerOf } from '../../../src/worker/handler.ts';
import { Lanes } from '../../../src/worker/lanes.ts';
import type { Data } from '../../../src/worker/protocol.ts';
import { UnaryLink } from '../../../src/worker/unary-link.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

function rig(options: HandlerOptions) {
  const clock = new HandClock();
  const sent: Array<{ readonly data: Data; readonly done: (error?: Error) => void }> = [];
  let idle = 0;
  const lanes = new Lanes({
    handlers: [handlerOf('echo', options)],
    clock,
    log: silentLogger,
    onEvent: () => {},
  });
  const link = new UnaryLink({
    receiver: lanes,
    clock,
    send: (data, done) => sent.push({ data, done }),
    onIdle: () => {
      idle += 1;
    },
  });
  lanes.connect(link);
  const take = (content: string): void =>
    link.take({
      messageId: 'm1',
      responseTo: '',
      directive: 'echo',
      metadata: {},
      content: Buffer.from(content),
    });
  const texts = (): string[] => sent.map(({ data }) => String(data.content));
  return { clock, sent, link, take, texts, idle: () => idle };
}

test('answers of a message go out one after the other', () => {
  const { sent, take, texts, link } = rig({
    onMessage(_, job) {
      void job.reply(1);
      void job.reply(2);
      return 3;
    },
  });
  take('');
  expect(texts()).toEqual(['1']);
  sent[0]?.done();
  sent[1]?.done();
  expect(texts()).toEqual(['1', '2', '3']);
  expect(link.idle).toBe(false);
  sent[2]?.done();
  expect(link.idle).toBe(true);
});

test('a failure is answered in the form of the reports of the daemon', () => {
  const { sent, take, texts } = rig({
    onMessage() {
      throw Object.assign(new Error('locked'), { code: 'EBUSY' });
    },
  });
  take('');
  expect(sent[0]?.data).toMatchObject({
    responseTo: 'm1',
    directive: 'echo',
    metadata: { status: 'failed', reason: 'EBUSY' },
  });
  expect(texts()).toEqual(['{"error":{"code":"EBUSY","message":"locked"}}']);
});

test('another run happens in the same process, and the worker is not idle before it', () => {
  const { clock, sent, take, texts, link } = rig({
    retries: 1,
    onMessage(_, { attempt }) {
      if (attempt === 1) throw new Error('no');
      return attempt;
    },
  });
  take('');
  expect(sent).toEqual([]);
  expect(link.idle).toBe(false);
  clock.wind(1_000);
  expect(texts()).toEqual(['2']);
  sent[0]?.done();
  expect(link.idle).toBe(true);
});
