/** The built yggctl and the control socket of the built daemon, as an operator uses them. */
import { spawnSync } from 'node:child_process';
import { lstatSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Host, type HostOptions, startHost } from '../helpers/host.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { ask, askJson, askStopped, startYggctl, yggctlProgram } from '../helpers/yggctl.ts';

/** A host that can be asked: the control socket is opened last, perhaps after it is online. */
async function startControlled(scope: Scope, options: HostOptions): Promise<Host> {
  const host = await startHost(scope, options);
  await waitFor(() => host.home.runtimeFiles().includes('control.sock'), {
    what: 'the control socket',
    detail: () => host.yggd.output,
  });
  return host;
}

describe('another local user', () => {
  /** As `nobody`; status and what was printed. */
  const asNobody = (program: string, ...words: string[]) => {
    const ids = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const { status, stdout, stderr } = spawnSync('setpriv', [...ids, program, ...words], {
      encoding: 'utf8',
    });
    return { status, output: `${stdout}${stderr}` };
  };

  test('cannot connect', async () => {
    const scope = testScope();
    const { home } = await startControlled(scope, { handlers: [] });
    const socket = path.join(home.runtimeDir, 'control.sock');
    expect(lstatSync(home.runtimeDir).mode & 0o777).toBe(0o700);
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    expect(lstatSync(socket).isSocket()).toBe(true);
    if (process.getuid?.() !== 0) return;
    const dial = `import socket, sys\nsocket.socket(socket.AF_UNIX).connect(sys.argv[1])`;
    expect(asNobody('/usr/bin/python3', '-c', dial, socket)).toMatchObject({
      status: 1,
      output: expect.stringContaining('PermissionError'),
    });
    // A clone in a closed directory cannot be run by others at all.
    if (asNobody('test', '-r', yggctlProgram).status !== 0) return;
    const words = [yggctlProgram, 'status', '--runtime-dir', home.runtimeDir];
    expect(asNobody(process.execPath, ...words)).toEqual({
      status: 1,
      output: expect.stringContaining('is closed to this user; run this as the user of the daemon'),
    });
  });
});

describe('status', () => {
  test('says how the daemon is: broker, workers, messages, every counter', async () => {
    const scope = testScope();
    const workers = [echoWorker(), nodeWorker({ handler: 'silent', behaviours: ['silent'] })];
    const { home, server, broker, yggd } = await startControlled(scope, {
      workers,
      handlers: ['echo', 'silent'],
    });
    await server.answer(await server.send({ directive: 'echo', content: 1 }));
    await server.send({ directive: 'silent', content: 1 });
    await server.send({ directive: 'nobody', content: 1 });
    const { json } = await waitFor(
      async () => {
        const said = await askJson(scope, home, 'status');
        return said.json[0]?.['in_hand'] === 1 && said.json[0]['waiting'] === 1 && said;
      },
      { what: 'one in hand, one waiting', detail: () => yggd.output },
    );
    expect(json[0]).toMatchObject({
      client_id: 'test-client-0001',
      pid: yggd.pid,
      log_level: 'info',
      broker: { state: 'connected', url: expect.stringContaining(`127.0.0.1:${broker.port}`) },
      disk: { trouble: '', since: null },
      inbox: { messages: 2 },
      outbox: { messages: 0 },
      dead: 0,
      unattended: [{ directive: 'nobody', waiting: 1 }],
      counters: { messages_received: 3, messages_done: 1, registrations: 2, signal_faults: 0 },
      workers: [
        { handler: 'echo', state: 'registered', in_hand: 0, oldest: null },
        { handler: 'silent', state: 'registered', in_hand: 1, oldest: expect.stringMatching(/^\d{4}-.*Z$/) },
      ],
    });

    await broker.stop();
    await yggd.says(/connection to the broker was lost/);
    const { out } = await ask(scope, home, 'status');
    expect(out).toMatch(/^broker +NOT CONNECTED since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+ s\)/m);
    expect(out).toMatch(/^disk +takes messages$/m);
    expect(out).toMatch(/^silent +registered +\d+ +\S+ \S+ +0 +1 +\d+ s +0 /m);
    expect(out).toMatch(/^broker_losses +1$/m);
  });

  test('says when no daemon runs', async () => {
    const scope = testScope();
    const { home, yggd } = await startControlled(scope, { handlers: [] });
    await yggd.stopCleanly();
    const { code, out, err } = await ask(scope, home, 'status');
    expect({ code, out }).toEqual({ code: 75, out: '' });
    expect(err).toContain(`No daemon of this user is running; looked in ${home.runtimeDir}`);
  });

  test('says when a daemon that is stopped by a signal does not answer', async () => {
    const scope = testScope();
    const { home, yggd } = await startControlled(scope, { handlers: [] });
    yggd.kill('SIGSTOP');
    const { code, err } = await ask(scope, home, 'status', '--timeout', '500ms');
    yggd.kill('SIGCONT');
    expect(code).toBe(75);
    expect(err).toBe('yggctl: The daemon did not answer in time.');
  });
});

describe('dispatch', () => {
  test('gives a message to a worker without the broker, and prints its answer', async () => {
    const scope = testScope();
    const { home, broker } = await startControlled(scope, { workers: [echoWorker()], handlers: ['echo'] });
    await broker.stop();
    const file = path.join(tempDir(scope), 'content');
    writeFileSync(file, '{"n": 12345678901234567890}');
    expect(await ask(scope, home, 'dispatch', 'echo', file)).toMatchObject({
      code: 0,
      out: '{"n": 12345678901234567890}',
      err: '',
    });
    const said = await askJson(scope, home, 'dispatch', 'echo', file, '--metadata', 'a=b');
    const states = said.json.map((line) => line['state']);
    // A worker may answer before its acceptance has arrived.
    expect(states.filter((state) => state !== 'accepted')).toEqual(['queued', 'answered', 'done']);
    expect(said.json.at(-2)).toMatchObject({ metadata: { a: 'b' } });
  });

  test('of what no worker takes ends at the time-out, the message stays and says what became of it', async () => {
    const scope = testScope();
    const flags = ['--worker-grace', '4s'];
    const { home, server } = await startControlled(scope, { handlers: [], flags });
    const { code, out, err } = await ask(scope, home, 'dispatch', 'nobody', '--timeout', '2s');
    expect({ code, out }).toEqual({ code: 75, out: '' });
    const [, id = ''] = /"yggctl messages show ([0-9a-f-]{36})"/.exec(err) ?? [];
    expect((await askJson(scope, home, 'messages', 'show', id)).json[0]).toMatchObject({
      message_id: id,
      state: 'received',
      origin: 'local',
      started: null,
    });
    const died = await ask(scope, home, 'dispatch', 'nobody');
    expect(died.code).toBe(1);
    expect(died.err).toContain('no-worker: No worker registered for nobody');
    // The server never sent them, and hears nothing of them.
    expect(server.data).toEqual([]);
  });
});

describe('messages', () => {
  test('are listed by directive, state and time, and shown without their content unless it is asked for', async () => {
    const scope = testScope();
    const { home, server } = await startControlled(scope, { workers: [echoWorker()], handlers: ['echo'] });
    const metadata = { token: 'a secret' };
    const id = await server.send({ directive: 'nobody', content: 'a secret', metadata });
    const done = await server.send({ directive: 'echo', content: 1 });
    await server.answer(done);
    const ids = async (...words: string[]) =>
      (await askJson(scope, home, 'messages', 'list', ...words)).json.map((line) => line['message_id']);
    await waitFor(async () => (await ids('--state', 'done')).length === 1, { what: 'its end' });
    expect(await ids()).toEqual([done, id]);
    expect(await ids('--directive', 'nobody')).toEqual([id]);
    expect(await ids('--state', 'done', '--state', 'dead')).toEqual([done]);
    expect(await ids('--until', '1h')).toEqual([]);
    expect(await ids('--since', '1h', '--limit', '1')).toEqual([done]);

    const shown = await ask(scope, home, 'messages', 'show', id);
    expect(shown.out).toMatch(/^state +received$/m);
    expect(shown.out).not.toContain('a secret');
    expect((await ask(scope, home, 'messages', 'show', id, '--content')).out).toContain('token=a secret');
    const table = (await ask(scope, home, 'messages', 'list')).out.split('\n');
    expect(table[0]).toMatch(/^NUMBER +ID +DIRECTIVE +STATE +QUEUED/);
    expect(table[1]?.indexOf('echo')).toBe(table[0]?.indexOf('DIRECTIVE'));
  });

  test('that are not there are not found', async () => {
    const scope = testScope();
    const { home } = await startControlled(scope, { handlers: [] });
    expect(await ask(scope, home, 'messages', 'show', 'nothing')).toMatchObject({
      code: 1,
      err: 'yggctl: There is no message "nothing", or it was forgotten.',
    });
    expect((await ask(scope, home, 'messages', 'list', '--state', 'lost')).code).toBe(2);
  });
});

describe('dead letters', () => {
  test('are listed, shown, dropped, and run again when their worker is there', async () => {
    const scope = testScope();
    const flags = ['--worker-grace', '1s'];
    const { home, server } = await startControlled(scope, { handlers: [], flags });
    const ids = [
      await server.send({ directive: 'echo', content: 'late' }),
      await server.send({ directive: 'x' }),
    ];
    for (const id of ids) await server.answer(id);
    const [echo = '', other = ''] = ids;
    const listed = await askJson(scope, home, 'dead-letters', 'list');
    expect(listed.json.map((line) => [line['message_id'], line['reason'], line['report']])).toEqual([
      [other, 'no-worker', 'reported'],
      [echo, 'no-worker', 'reported'],
    ]);
    expect((await ask(scope, home, 'dead-letters', 'show', echo)).out).toMatch(
      /^reason +no-worker: No worker/m,
    );

    home.install(echoWorker());
    await server.online(['echo']);
    expect(await ask(scope, home, 'dead-letters', 'retry', echo)).toMatchObject({ code: 0 });
    await waitFor(() => server.answersTo(echo).length === 2, { what: 'its answer' });
    expect(server.answersTo(echo)[1]?.json).toMatchObject({ directive: 'echo', content: 'late' });
    expect(await ask(scope, home, 'dead-letters', 'drop', other)).toMatchObject({
      code: 0,
      out: `${other} for x (no-worker) was dropped`,
    });
    expect((await askJson(scope, home, 'dead-letters', 'list')).json).toEqual([]);
    expect((await ask(scope, home, 'dead-letters', 'drop', other)).code).toBe(1);
  });
});

describe('while no daemon runs', () => {
  test('messages and dead letters are looked at and settled in its directory', async () => {
    const scope = testScope();
    const refusing = nodeWorker({ handler: 'echo', name: 'first-worker', behaviours: ['exhausted'] });
    const { home, server, yggd, restart } = await startControlled(scope, {
      workers: [refusing],
      handlers: ['echo'],
    });
    const id = await server.send({ directive: 'echo', content: 'late' });
    await server.answer(id);
    await yggd.stopCleanly();

    const { code, json } = await askStopped(scope, home, 'dead-letters', 'list');
    expect({ code, json }).toMatchObject({ code: 0, json: [{ message_id: id, reason: 'refused' }] });
    expect((await askStopped(scope, home, 'messages', 'show', id, '--content')).json[0]).toMatchObject({
      state: 'dead',
      content: 'late',
    });
    expect((await askStopped(scope, home, 'dead-letters', 'retry', id)).code).toBe(0);

    home.uninstall(refusing.name);
    home.install(echoWorker());
    await restart();
    await waitFor(() => server.answersTo(id).length === 2, { what: 'its answer' });
    expect(server.answersTo(id)[1]?.json).toMatchObject({ content: 'late' });
  });

  test('nothing is done beside a daemon that runs elsewhere', async () => {
    const scope = testScope();
    const { home, yggd } = await startControlled(scope, { handlers: [] });
    const { code, err } = await askStopped(scope, home, 'messages', 'list');
    expect(code).toBe(75);
    expect(err).toContain(`belongs to another daemon, process ${yggd.pid}`);
  });

  test('a crash stays a crash for the next start', async () => {
    const scope = testScope();
    const worker = nodeWorker({ handler: 'silent', behaviours: ['silent'] });
    const { home, server, yggd, restart } = await startControlled(scope, {
      workers: [worker],
      handlers: ['silent'],
    });
    const id = await server.send({ directive: 'silent', content: 1 });
    await waitFor(
      async () => (await askJson(scope, home, 'messages', 'show', id)).json[0]?.['state'] === 'in-hand',
      { what: 'in hand' },
    );
    await yggd.crash();
    expect((await askStopped(scope, home, 'messages', 'show', id)).json[0]).toMatchObject({
      state: 'in-hand',
    });
    await restart();
    const report = await server.answer(id);
    expect(report.json).toMatchObject({ metadata: { reason: 'outcome-unknown' } });
  });
});

describe('listen', () => {
  test('shows workers and messages live, until it is interrupted', async () => {
    const scope = testScope();
    const { home, server } = await startControlled(scope, { handlers: [] });
    const listening = startYggctl(scope, home, 'listen', '--format', 'json');
    const names = () => listening.stdout.map((line) => String(JSON.parse(line).name));
    await waitFor(() => names().includes('listening'), { what: 'listening', detail: () => listening.output });
    home.install(echoWorker());
    await server.online(['echo']);
    await server.answer(await server.send({ directive: 'echo', content: 1 }));
    await waitFor(() => names().includes('message-send'), { what: 'the delivery' });
    listening.kill('SIGINT');
    expect((await listening.ended()).code).toBe(0);
    // A worker may answer before its acceptance has arrived.
    const seen = names().filter((name) => name !== 'data-dispatch');
    expect(seen.slice(0, 4)).toEqual(['listening', 'process-spawn', 'worker-register', 'data-recv']);
    expect(seen.slice(4).sort()).toEqual(['data-return', 'message-send', 'message-settle']);
  });

  test('says so when the daemon stops', async () => {
    const scope = testScope();
    const { home, yggd } = await startControlled(scope, { handlers: [] });
    const listening = startYggctl(scope, home, 'listen', '--format', 'json');
    await waitFor(() => listening.stdout.length > 0, { what: 'listening', detail: () => listening.output });
    await yggd.stopCleanly();
    expect((await listening.ended()).code).toBe(75);
    expect(listening.stderr).toEqual(['yggctl: The daemon has stopped.']);
  });
});

describe('without a restart', () => {
  test('the log level changes, and reload brings back what the configuration says', async () => {
    const scope = testScope();
    const config = path.join(tempDir(scope), 'config.toml');
    writeFileSync(config, 'worker-window = 8\n');
    const { home, yggd } = await startControlled(scope, { handlers: [], flags: ['--config', config] });
    expect((await ask(scope, home, 'log-level', 'DEBUG')).code).toBe(0);
    expect((await askJson(scope, home, 'status')).json[0]).toMatchObject({ log_level: 'debug' });
    writeFileSync(config, 'worker-window = 16\nmax-message-size = "3MiB"\n');
    expect((await askJson(scope, home, 'reload')).json).toEqual([
      { applied: ['worker-window', 'log-level'], need_restart: ['max-message-size'] },
    ]);
    await yggd.says(/changed options need a restart/);
    writeFileSync(config, 'worker-windw = 16\n');
    const { code, err } = await ask(scope, home, 'reload');
    expect(code).toBe(78);
    expect(err).toContain('config.toml:1:1: worker-windw');
    expect((await ask(scope, home, 'log-level', 'loud')).code).toBe(2);
  });
});

describe('a restart', () => {
  test('waits for what is in hand, and at the latest until it was told', async () => {
    const scope = testScope();
    const slow = nodeWorker({ handler: 'slow', behaviours: ['silent'] });
    const { home, server, yggd } = await startControlled(scope, { workers: [slow], handlers: ['slow'] });
    const id = await server.send({ directive: 'slow', content: 1 });
    await waitFor(
      async () => (await askJson(scope, home, 'messages', 'show', id)).json[0]?.['state'] === 'in-hand',
      { what: 'in hand' },
    );
    const words = ['restart', '--when-idle', '--idle-for', '1s', '--within'];
    expect((await ask(scope, home, ...words, '1h')).out).toContain('1 message is in hand');
    expect((await ask(scope, home, 'status')).out).toMatch(/^restart +when its workers are idle/m);
    // What it waits for does not come; it ends when it may wait no longer.
    await ask(scope, home, ...words, '2s');
    expect((await yggd.ended(20_000)).code).toBe(0);
    expect(yggd.logged(/ending for the restart/)[0]).toMatchObject({
      reason: 'it cannot wait any longer',
      in_hand: 1,
    });
  });

  test('of an idle daemon comes soon', async () => {
    const scope = testScope();
    const { home, yggd } = await startControlled(scope, { handlers: [] });
    expect((await ask(scope, home, 'restart', '--when-idle', '--idle-for', '500ms')).code).toBe(0);
    expect((await yggd.ended(20_000)).code).toBe(0);
    expect(yggd.logged(/ending for the restart/)[0]).toMatchObject({ reason: 'nothing is in hand' });
    expect(home.runtimeFiles()).toEqual([]);
  });
});
