import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../../src/base/log.ts';
import { type FactSources, hostFactSources, readFacts } from '../../../src/host/facts.ts';
import { createCertificates } from '../../helpers/certificates.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

/** A host with nothing on it. */
function bareHost(dir: string): FactSources {
  return {
    insightsIdFile: path.join(dir, 'insights-id'),
    machineIdFile: path.join(dir, 'machine-id'),
    biosUuidFile: path.join(dir, 'product_uuid'),
    consumerCertificateFile: path.join(dir, 'cert.pem'),
    interfacesDirectory: path.join(dir, 'net'),
    interfaces: () => ({}),
    hostname: () => 'vm',
  };
}

function warnings(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: { ...silentLogger, warn: (_fields, sentence) => lines.push(sentence) }, lines };
}

test('a missing source is an empty fact, and the order is that of the wire', async () => {
  const sources = bareHost(tempDir(testScope()));
  expect(JSON.stringify(await readFacts({ sources, log: silentLogger }))).toBe(
    '{"insights_id":"","machine_id":"","bios_uuid":"","subscription_manager_id":"",' +
      '"ip_addresses":[],"mac_addresses":[],"fqdn":"vm"}',
  );
});

test('every source gives its fact', async () => {
  const scope = testScope();
  const dir = tempDir(scope);
  const { cert } = createCertificates(scope).client('consumer-1');
  writeFileSync(path.join(dir, 'insights-id'), ' 5f2cff5c-46ae-41f3-ab6f-e8e0c0e6bd93\n');
  writeFileSync(path.join(dir, 'machine-id'), '3D1219C7c4c5404aaa1f6d2a48adfda4\n');
  writeFileSync(path.join(dir, 'product_uuid'), 'ec2e2c6a-0000-4000-8000-000000000001\n');
  for (const [name, address] of [
    ['lo', '00:00:00:00:00:00'],
    ['eth0', '02:fc:00:00:00:01'],
    ['docker0', ''],
    ['gre0', '0.0.0.0'],
  ] as const) {
    mkdirSync(path.join(dir, 'net', name), { recursive: true });
    writeFileSync(path.join(dir, 'net', name, 'address'), `${address}\n`);
  }
  writeFileSync(path.join(dir, 'net', 'bonding_masters'), '');
  const sources: FactSources = {
    ...bareHost(dir),
    consumerCertificateFile: cert,
    interfaces: () => ({
      lo: [{ address: '127.0.0.1', family: 'IPv4', internal: true }],
      eth0: [
        { address: '192.0.2.2', family: 'IPv4', internal: false },
        { address: 'fe80::1', family: 'IPv6', internal: false },
      ],
    }),
  };
  expect(await readFacts({ sources, log: silentLogger })).toEqual({
    insights_id: '5f2cff5c-46ae-41f3-ab6f-e8e0c0e6bd93',
    machine_id: '3d1219c7-c4c5-404a-aa1f-6d2a48adfda4',
    bios_uuid: 'ec2e2c6a-0000-4000-8000-000000000001',
    subscription_manager_id: 'consumer-1',
    ip_addresses: ['192.0.2.2'],
    mac_addresses: ['00:00:00:00:00:00', '02:fc:00:00:00:01', '00:00:00:00:00:00', '00:00:00:00:00:00'],
    fqdn: 'vm',
  });
});

test.each(['uninitialized', '', '3d1219c7', 'zz1219c7c4c5404aaa1f6d2a48adfda4'])(
  'the machine id %j is none',
  async (id) => {
    const sources = bareHost(tempDir(testScope()));
    writeFileSync(sources.machineIdFile, id);
    expect((await readFacts({ sources, log: silentLogger })).machine_id).toBe('');
  },
);

test('this host has facts, whatever it is', async () => {
  const facts = await readFacts({ sources: hostFactSources, log: silentLogger });
  expect(facts.fqdn).not.toBe('');
  expect(facts.machine_id).toMatch(/^$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(facts.mac_addresses.every((address) => address.includes(':'))).toBe(true);
});

describe('a facts file', () => {
  test('replaces what was found and adds to it, in its own order', async () => {
    const dir = tempDir(testScope());
    const factsFile = path.join(dir, 'facts.json');
    writeFileSync(
      factsFile,
      '{"fqdn":"host.example.com","satellite_id":"7","ip_addresses":["198.51.100.1"]}',
    );
    const { log, lines } = warnings();
    const facts = await readFacts({ sources: bareHost(dir), factsFile, log });
    expect(facts).toMatchObject({
      fqdn: 'host.example.com',
      satellite_id: '7',
      ip_addresses: ['198.51.100.1'],
    });
    expect(Object.keys(facts)[0]).toBe('insights_id');
    expect(lines).toEqual([]);
  });

  test('what is neither text nor list of texts is left out', async () => {
    const dir = tempDir(testScope());
    const factsFile = path.join(dir, 'facts.json');
    writeFileSync(
      factsFile,
      '{"insights_id":7,"mac_addresses":[1],"fqdn":null,"__proto__":{"x":1},"good":"yes"}',
    );
    const { log, lines } = warnings();
    const facts = await readFacts({ sources: bareHost(dir), factsFile, log });
    expect(facts).toMatchObject({ insights_id: '', mac_addresses: [], fqdn: 'vm', good: 'yes' });
    expect(lines).toHaveLength(4);
  });

  test.each([
    ['not JSON', '{'],
    ['a list', '[]'],
    ['missing', undefined],
  ])('that is %s changes nothing and is said', async (_what, content) => {
    const dir = tempDir(testScope());
    const factsFile = path.join(dir, 'facts.json');
    if (content !== undefined) writeFileSync(factsFile, content);
    const { log, lines } = warnings();
    expect((await readFacts({ sources: bareHost(dir), factsFile, log })).fqdn).toBe('vm');
    expect(lines).toHaveLength(1);
  });
});
