/** What `docs/register.md` shows is what ygg prints. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { codeBlocks } from '../../docs/code-blocks.ts';
import { consumer, type FakeHost, type FakeState, newHost, startFakeHost } from '../../helpers/fake-host.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { ygg, yggAtTerminal } from '../../helpers/ygg.ts';
import { createHome, startYggd } from '../../helpers/yggd.ts';

const scope = fileScope();
const password = 'correct horse';
const blocks = codeBlocks('docs/register.md', 'console');
const registered: FakeState = {
  ...newHost,
  uuid: consumer,
  unit: { file: 'enabled', active: 'active', sub: 'running' },
};
/** The hosts on which the commands of the page are run, in its order. */
const hosts: readonly FakeState[] = [
  newHost,
  newHost,
  newHost,
  newHost,
  registered,
  registered,
  newHost,
  registered,
  { ...newHost, users: {} },
];
let host: FakeHost;
let connected: string;

beforeAll(async () => {
  host = await startFakeHost(scope);
  const home = createHome(scope);
  const daemon = startYggd(scope, { home, brokers: ['embedded'] });
  await daemon.says(/connected/i, 30_000);
  connected = home.runtimeDir;
});

test('every block of the page is run', () => {
  expect(blocks).toHaveLength(hosts.length);
});

const commands = hosts.map((state, index) => {
  const [, command = '', expected = ''] = /^\$ ygg ([^\n]+)\n([\s\S]*)$/.exec(blocks[index] ?? '') ?? [];
  return [command, expected.trimEnd(), state] as const;
});

test.each(commands)('ygg %s', async (command, expected, state) => {
  host.become(state);
  const words = command.replace(' < password', '').split(' ');
  const { extra, asOnThePage } = surroundings(words, state);
  const shown = await shownBy([...words, ...extra], command.includes('< password'));
  expect(asOnThePage(shown)).toBe(expected);
});

/** What stands in for the files and the daemon of the page's host, and how its names come back. */
function surroundings(words: readonly string[], state: FakeState) {
  if (words.includes('--server')) {
    const file = path.join(tempDir(testScope()), 'rhsm.conf');
    writeFileSync(file, '');
    const asOnThePage = (shown: string): string => shown.replaceAll(file, '/etc/rhsm/rhsm.conf');
    return { extra: ['--rhsm-config', file], asOnThePage };
  }
  const asOnThePage = (shown: string): string =>
    shown.replace(/mqtt:\/\/127\.0\.0\.1:\d+/, 'mqtts://broker.example.com:8883');
  if (words[0] !== 'status') return { extra: [], asOnThePage };
  const runtimeDir = state === registered ? connected : tempDir(testScope());
  return { extra: ['--runtime-dir', runtimeDir], asOnThePage };
}

async function shownBy(words: readonly string[], piped: boolean): Promise<string> {
  const { address } = host;
  if (words.includes('--username') && !piped) {
    const turns = [['Password of alice: ', `${password}\r`]] as const;
    const { shown } = await yggAtTerminal(testScope(), { address, env: { TERM: 'dumb' } }, turns, ...words);
    return shown.replaceAll('\r', '').trimEnd();
  }
  const { out, err } = await ygg(testScope(), { address, stdin: password }, ...words);
  return [out, err].filter((text) => text !== '').join('\n');
}
