import { expect, test } from 'vitest';
import { LiveOptions } from '../../src/config/live-options.ts';
import { optionsWith } from '../../src/config/load.ts';
import type { Options } from '../../src/config/options.ts';
import { optionFields, optionTable } from '../../src/config/table.ts';
import { journalSettings } from '../../src/journal-settings.ts';
import { mqttFields, mqttOptions, processorOptions, routerOptions } from '../../src/part-options.ts';

const environment = {
  uid: 1000,
  currentDirectory: '/',
  homeDirectory: '/home/u',
  temporaryDirectory: '/tmp',
  variables: {},
};

/** Another value than the default for what parts are told. */
const other: Partial<Options> = {
  dataHost: 'other.example.com',
  contentHosts: ['files.example.com'],
  contentHostsOnly: true,
  httpRetries: 1,
  httpTimeout: 1_001,
  httpRetryAge: 60_001,
  workerGrace: 1_002,
  disconnectHold: 1_003,
  mqttReconnectDelay: 104,
  mqttConnectRetryInterval: 1_005,
  inboxLimit: { messages: 1, bytes: 1_048_577 },
  outboxLimit: { messages: 2, bytes: 1_048_578 },
  doneLimit: { messages: 3, age: 60_003 },
  deadLimit: { messages: 4, age: 60_004 },
  reportFailures: false,
};

test('what a part was told follows a reload', () => {
  const live = new LiveOptions(optionsWith({}, environment));
  const [router, processor, journal] = [
    routerOptions(live.now),
    processorOptions(live.now, []),
    journalSettings(live.now),
  ];
  live.replace(optionsWith(other, environment));
  const { dataHost, contentHosts, contentHostsOnly, httpRetries, httpTimeout, httpRetryAge } = processor;
  const { workerGrace, disconnectHold, reconnectFloor, reconnectCap } = router;
  const { inbox, outbox, done, dead } = journal.limits;
  expect({
    ...{ dataHost, contentHosts, contentHostsOnly, httpRetries, httpTimeout, httpRetryAge },
    ...{ workerGrace, disconnectHold, mqttReconnectDelay: reconnectFloor },
    ...{ mqttConnectRetryInterval: reconnectCap, inboxLimit: inbox, outboxLimit: outbox },
    ...{ doneLimit: done, deadLimit: dead, reportFailures: journal.reportFailures },
  }).toEqual(other);
});

test('a connection is made with what holds then', () => {
  const live = new LiveOptions(optionsWith({}, environment));
  const read = mqttOptions(live.now);
  live.replace(optionsWith({ mqttKeepAlive: 5_001, cleanSession: true }, environment));
  expect(read()).toMatchObject({ keepAlive: 5_001, cleanSession: true });
  expect(mqttFields.every((field) => optionTable[field].reload)).toBe(true);
});

test('an option that no reload changes is named for the restart it needs', () => {
  const fixed = optionFields.filter((field) => !optionTable[field].reload);
  const live = new LiveOptions(optionsWith({}, environment));
  const before = { ...live.now };
  const changed = Object.fromEntries(fixed.map((field) => [field, `other ${field}`]));
  const read = { ...before, ...changed } as Options;
  expect(live.replace(read)).toEqual({ applied: [], needRestart: fixed });
  expect({ ...live.now }).toEqual(before);
});
