/** ygg with a person at a terminal: prompts, spinner and marks. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { consumer, type FakeHost, newHost, startFakeHost } from '../../helpers/fake-host.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { startYgg, type TerminalEnd, type Turn, yggAtTerminal } from '../../helpers/ygg.ts';

const scope = fileScope();
const password = 'correct horse';
const whoAmI: Turn[] = [
  ['User name: ', 'alice\r'],
  ['Password of alice: ', `${password}\r`],
];
let host: FakeHost;

beforeAll(async () => {
  host = await startFakeHost(scope);
});

beforeEach(() => host.become(newHost));

function sit(
  turns: readonly Turn[],
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<TerminalEnd> {
  return yggAtTerminal(testScope(), { address: host.address, env }, turns, ...words);
}

/** The lines that stay on the screen: what a line was before it was drawn anew is gone. */
function screen(shown: string): string[] {
  const lines = shown.split('\n').map((line) => line.replace(/\r+$/, '').split('\r\u001b[K').at(-1) ?? '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return lines.map((line) => line.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')).filter((line) => line !== '');
}

describe('prompts', () => {
  test('ask for who registers, and show no password', async () => {
    const { code, shown } = await sit(whoAmI, ['register']);
    expect(code, shown).toBe(0);
    expect(shown).not.toContain(password);
    expect(host.calls('Register')[0]?.slice(1, 4)).toEqual(['acme', 'alice', password]);
  });

  test('ask for what is missing only, and take corrections', async () => {
    const turns: Turn[] = [['Password of alice: ', `wrong\u007f\u007f\u007f\u007f\u007f${password}\r`]];
    const { code, shown } = await sit(turns, ['register', '-u', 'alice']);
    expect(code, shown).toBe(0);
    expect(shown).not.toContain('wrong');
  });

  test('show several organizations and ask until one is named', async () => {
    const labs = { key: 'labs', displayName: 'Test Labs' };
    host.become({ ...newHost, organizations: [...newHost.organizations, labs] });
    const turns: Turn[] = [...whoAmI, ['Organization: ', 'lab\r'], ['Organization: ', 'labs\r']];
    const { code, shown } = await sit(turns, ['register']);
    expect(code, shown).toBe(0);
    expect(screen(shown).slice(2, 7)).toEqual([
      'alice belongs to several organizations:',
      '  acme  Acme Inc.',
      '  labs  Test Labs',
      'Organization: lab',
      '"lab" is none of them.',
    ]);
    expect(host.calls('Register')[0]?.[1]).toBe('labs');
  });

  test('Ctrl-C ends it as it ends any program, and nothing is changed', async () => {
    const turns: Turn[] = [['Password of alice: ', 'sec\u0003']];
    const { code, usual } = await sit(turns, ['register', '-u', 'alice']);
    expect({ code, usual }).toEqual({ code: -2, usual: true });
    expect(host.calls('Start', 'Set')).toEqual([]);
  });

  test('SIGTERM at a question leaves the terminal as it was', async () => {
    const turns: Turn[] = [['Password of alice: ', 15]];
    const { code, shown, usual } = await sit(turns, ['register', '-u', 'alice']);
    expect({ code, usual, last: screen(shown).at(-1) }).toEqual({
      ...{ code: -15, usual: true },
      last: 'ygg: Interrupted. Nothing was changed. The same command goes on from there.',
    });
    expect(host.calls('Start', 'Set')).toEqual([]);
  });

  test.each(['\u0004', '\r'])('%j is no answer', async (key) => {
    const { code, shown } = await sit([['Password of alice: ', key]], ['register', '-u', 'alice']);
    expect({ code, last: screen(shown).at(-1) }).toEqual({
      code: 2,
      last: 'ygg: "Password of alice:" was not answered; nothing was registered.',
    });
  });
});

describe('Ctrl-C during a step', () => {
  const name = ['register', '-u', 'alice', '-p', password];

  test.each([
    ["RHSM's private connection is opened", 'Start'],
    ['RHSM lists the organizations', 'GetOrgs'],
  ])('while %s: RHSM stops listening, and nothing was changed', async (_, member) => {
    host.become({ ...newHost, silent: [member] });
    const { code, shown, usual } = await sit([['registering with RHSM', '\u0003']], name);
    expect({ code, usual, lines: screen(shown).slice(-2) }).toEqual({
      ...{ code: -2, usual: true },
      lines: [
        '✗ RHSM          registering with RHSM interrupted',
        'ygg: Interrupted while registering with RHSM. Nothing was changed. The same command goes on from there.',
      ],
    });
    expect(host.calls('Start', 'Stop').map(([called]) => called)).toEqual(['Start', 'Stop']);
    expect(host.calls('EnableUnitFiles', 'StartUnit')).toEqual([]);
  });

  test('while RHSM registers: it may still happen, and RHSM stops listening', async () => {
    host.become({ ...newHost, silent: ['Register'] });
    const words = [...name, '-o', 'acme'];
    const told = waitFor(() => host.calls('Register').length > 0, { what: 'call', deadline: 20_000 });
    const child = startYgg(testScope(), { address: host.address }, ...words);
    await told;
    child.kill('SIGTERM');
    expect(await child.ended(20_000)).toMatchObject({ signal: 'SIGTERM' });
    expect(child.stderr).toEqual([
      'ygg: Interrupted while registering with RHSM. It may still happen, see ygg status. The same command goes on from there.',
    ]);
    expect(host.calls('Start', 'Stop').map(([called]) => called)).toEqual(['Start', 'Stop']);
  });

  test('while systemd starts the service: what was done is said', async () => {
    host.become({ ...newHost, job: 'never' });
    const { code, shown, usual } = await sit([['starting yggd.service', '\u0003']], name);
    expect({ code, usual, lines: screen(shown).slice(-2) }).toEqual({
      ...{ code: -2, usual: true },
      lines: [
        '✗ yggd.service  starting yggd.service interrupted',
        `ygg: Interrupted while starting yggd.service. Before it: RHSM registered as ${consumer} with acme; yggd.service enabled. It may still happen, see ygg status. The same command goes on from there.`,
      ],
    });
  });

  test('no other step of unregister begins', async () => {
    const unit = { file: 'enabled', active: 'active', sub: 'running' };
    host.become({ ...newHost, uuid: consumer, unit, job: 'never' });
    const { code, shown } = await sit([['stopping yggd.service', '\u0003']], ['unregister']);
    expect(code, shown).toBe(-2);
    expect(host.calls('DisableUnitFiles', 'Unregister')).toEqual([]);
  });
});

describe('what is shown', () => {
  test('a spinner says what is under way, and marks what ended', async () => {
    const { shown } = await sit(whoAmI, ['register']);
    for (const doing of ['asking RHSM', 'registering with RHSM', 'enabling', 'starting']) {
      expect(shown).toContain(`\r\u001b[K| ${doing}`);
    }
    expect(screen(shown).slice(2)).toEqual([
      `✓ RHSM          registered as ${consumer} with acme`,
      '✓ yggd.service  enabled',
      '✓ yggd.service  started',
    ]);
    expect(shown).toContain('\u001b[32m✓');
  });

  test('a failed step is marked too, and not by its colour alone', async () => {
    host.become({ ...newHost, users: {} });
    const { code, shown } = await sit(whoAmI, ['register'], { NO_COLOR: '1' });
    expect(code).toBe(1);
    expect(shown).toContain('✗ RHSM          registering with RHSM failed');
    expect(shown).not.toContain('\u001b[3');
  });

  test('a dumb terminal gets plain lines, and shows no password either', async () => {
    const { code, shown } = await sit(whoAmI, ['register'], { TERM: 'dumb' });
    expect(code, shown).toBe(0);
    expect(shown).not.toContain(password);
    expect(shown).not.toContain('✓');
    expect(shown).not.toContain('\u001b');
    expect(shown).toContain('yggd.service  started');
  });

  test('status has a mark for each line', async () => {
    host.become({ ...newHost, uuid: consumer });
    const { code, shown } = await sit([], ['status', '--runtime-dir', '/nonexistent']);
    expect({ code, lines: screen(shown) }).toEqual({
      code: 3,
      lines: [
        `✓ RHSM          registered as ${consumer}`,
        '✗ yggd.service  stopped, disabled; ygg register starts it',
        '✗ broker        unknown: no daemon runs',
      ],
    });
  });
});
