/**
 * Comparison of a published message with a capture of the Go daemon, field by field and in order.
 *
 * Every key in its place and every value of the captured kind; values are equal but for those that differ on every
 * run (ids, times, facts of the machine), which are held to their form.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const text = /^/;

/** Path of a value that differs on every run, and the form of each string in it. */
const varying: ReadonlyArray<readonly [path: RegExp, form: RegExp]> = [
  [/^\.message_id$/, uuid],
  [/^\.response_to$/, /^$|^[0-9a-f-]{36}$/],
  [/^\.sent$/, rfc3339],
  [/^\.content\.canonical_facts\.(insights_id|bios_uuid|subscription_manager_id|fqdn)$/, text],
  [/^\.content\.canonical_facts\.machine_id$/, /^$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  [/^\.content\.canonical_facts\.ip_addresses/, /^\d+\.\d+\.\d+\.\d+$/],
  [/^\.content\.canonical_facts\.mac_addresses/, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/],
];

export function capture(name: string): string {
  return readFileSync(path.resolve(import.meta.dirname, '../fixtures/captures', `${name}.json`), 'utf8');
}

/**
 * Every difference of `actual` from the capture, as lines; none means they agree. `instead` replaces captured values
 * by path where docs/protocol.md asks for something better.
 */
export function differences(
  actual: string,
  captureName: string,
  instead: Readonly<Record<string, unknown>> = {},
): string[] {
  return compare('', JSON.parse(capture(captureName)), JSON.parse(actual), instead);
}

function compare(
  at: string,
  captured: unknown,
  actual: unknown,
  instead: Readonly<Record<string, unknown>>,
): string[] {
  const expected = Object.hasOwn(instead, at) ? instead[at] : captured;
  if (kind(expected) !== kind(actual)) {
    return [`${at || 'message'}: ${kind(expected)} expected, is ${JSON.stringify(actual)}`];
  }
  const form = varying.find(([where]) => where.test(at))?.[1];
  if (form) {
    const values = Array.isArray(actual) ? actual : [actual];
    return values
      .filter((value) => typeof value !== 'string' || !form.test(value))
      .map((value) => `${at}: ${JSON.stringify(value)} does not look like ${form}`);
  }
  if (!isObject(expected) || !isObject(actual)) {
    const same = JSON.stringify(expected) === JSON.stringify(actual);
    return same ? [] : [`${at}: ${JSON.stringify(expected)} expected, is ${JSON.stringify(actual)}`];
  }
  const [wanted, found] = [Object.keys(expected), Object.keys(actual)];
  if (wanted.join() !== found.join()) {
    return [`${at || 'message'}: fields ${wanted.join()} expected in this order, are ${found.join()}`];
  }
  return wanted.flatMap((key) => compare(`${at}.${key}`, expected[key], actual[key], instead));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return kind(value) === 'object';
}

function kind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
