import { expect, test } from 'vitest';
import { readBusAddress } from '../../../src/dbus/address.ts';

test.each([
  ['unix:path=/run/dbus/system_bus_socket', 'path', '/run/dbus/system_bus_socket'],
  ['unix:guid=17,path=/run/bus', 'path', '/run/bus'],
  ['unix:path=/tmp/a%20b%3d', 'path', '/tmp/a b='],
  ['unix:abstract=/run/dbus-Xy,guid=17', 'abstract', '/run/dbus-Xy'],
])('%s', (text, kind, name) => {
  expect(readBusAddress(text)).toEqual([{ kind, name, text }]);
});

test('of a list, what can be used', () => {
  const names = readBusAddress('tcp:host=a;unix:path=/a;unix:tmpdir=/b;unix:path=/c').map(({ name }) => name);
  expect(names).toEqual(['/a', '/c']);
});

test.each(['', 'unix:', 'unix:path=', 'unix:path=%zz', 'autolaunch:', `unix:path=/${'x'.repeat(107)}`])(
  '%j is none',
  (text) => expect(() => readBusAddress(text)).toThrow(`"${text}" is no D-Bus address that can be used`),
);
