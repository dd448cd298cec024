import { expect, test } from 'vitest';
import { Places } from '../../../src/data-processor/places.ts';

interface Job {
  readonly directive: string;
  readonly end: () => void;
  readonly ended: Promise<void>;
}

function job(directive: string): Job {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { directive, end, ended };
}

function setup(options: { readonly perDirective: number; readonly overall: number }) {
  const started: Job[] = [];
  const places = new Places<Job>({
    ...options,
    run: (next) => {
      started.push(next);
      return next.ended;
    },
  });
  return { started, places, names: () => started.map(({ directive }) => directive) };
}

test('a directive has so many places; what ends makes room for the oldest that waits', async () => {
  const { places, started } = setup({ perDirective: 2, overall: 9 });
  const jobs = [job('a'), job('a'), job('a'), job('a')] as const;
  for (const next of jobs) places.add(next);
  await expect.poll(() => started).toEqual(jobs.slice(0, 2));
  jobs[1].end();
  await expect.poll(() => started).toEqual(jobs.slice(0, 3));
});

test('when all places are taken a directive still gets its first', async () => {
  const { places, names } = setup({ perDirective: 2, overall: 2 });
  for (const directive of ['a', 'a', 'b', 'b', 'c']) places.add(job(directive));
  await expect.poll(names).toEqual(['a', 'a', 'b', 'c']);
});

test('what is removed, or cleared, does not start', async () => {
  const { places, started } = setup({ perDirective: 1, overall: 9 });
  const jobs = [job('a'), job('a'), job('a'), job('a')] as const;
  for (const next of jobs) places.add(next);
  places.remove(jobs[1]);
  jobs[0].end();
  await expect.poll(() => started).toEqual([jobs[0], jobs[2]]);
  places.clear();
  jobs[2].end();
  await places.settled();
  expect(started).toEqual([jobs[0], jobs[2]]);
});

test('many that end at once are all started', async () => {
  const { places, started } = setup({ perDirective: 2, overall: 4 });
  const jobs = Array.from({ length: 500 }, (_, index) => job(`directive ${index % 7}`));
  for (const { end } of jobs) end();
  for (const next of jobs) places.add(next);
  await expect.poll(() => started.length).toBe(500);
});
