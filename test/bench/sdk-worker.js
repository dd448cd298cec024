// An echo worker on the SDK, as its author would write it.
//
//   BENCH_HANDLER       the directive it answers to
//   BENCH_CONCURRENCY   messages at a time; without, what the SDK does by itself
//   BENCH_DELAY         milliseconds it takes for each
import { setTimeout as wait } from 'node:timers/promises';
import { createWorker } from 'yggd/worker';

const {
  BENCH_HANDLER: handler = 'echo',
  BENCH_CONCURRENCY: concurrency,
  BENCH_DELAY: delay = '0',
} = process.env;
const slow = Number(delay) > 0;

await createWorker({
  handler,
  redelivery: 'until-done',
  ...(concurrency ? { concurrency: Number(concurrency) } : {}),
  onMessage: slow ? (message) => wait(Number(delay), message.content) : (message) => message.content,
}).run();
