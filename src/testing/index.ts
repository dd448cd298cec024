/**
 * The door for the unit tests of workers: `yggd/testing` (docs/writing-workers.md).
 */
export { createTestDaemon, type TestDaemon, type TestDaemonOptions, type TestPost } from './test-daemon.ts';
export type { TestAnswer, TestDelivery, TestMessage, TestResult } from './test-delivery.ts';
