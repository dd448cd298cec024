import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ProcessBench } from '../helpers/process-bench.ts';
import { alive, environmentOf, processesWith } from '../helpers/processes.ts';
import { testScope } from '../helpers/test-scope.ts';
import { stays, waitFor } from '../helpers/wait-for.ts';

const stayer = '#!/bin/sh\nexec sleep 1000\n';

describe('starting', () => {
  test('every worker file that is there is started, once its socket is', async () => {
    const bench = new ProcessBench(testScope());
    const one = bench.install('one-worker', stayer);
    const two = bench.install('two.worker', stayer);
    bench.install('README', stayer);
    await bench.start();
    await bench.running(one);
    await bench.running(two);
    await waitFor(() => bench.bootstrapped === 2, { what: 'process-bootstrap' });
    expect(bench.prepared.sort()).toEqual([one, two]);
    expect(bench.spawned.map(({ file }) => file).sort()).toEqual([one, two]);
    expect(bench.datastore.processes.size).toBe(2);
    expect(bench.stateOf(one)).toBe('starting');
    await bench.register(one);
    await waitFor(() => bench.stateOf(one) === 'registered', { what: 'state registered' });
  });

  test('without a worker file the bootstrap is over at once', async () => {
    const bench = new ProcessBench(testScope());
    await bench.start();
    await waitFor(() => bench.bootstrapped === 0, { what: 'process-bootstrap' });
  });

  test('a worker directory that is not there yet is no mistake', async () => {
    const scope = testScope();
    const bench = new ProcessBench(scope);
    rmSync(bench.workerDir, { recursive: true });
    await bench.start();
    await waitFor(() => bench.bootstrapped === 0, { what: 'process-bootstrap' });
    mkdirSync(bench.workerDir, { mode: 0o700 });
    const file = bench.install('late-worker', stayer);
    await bench.running(file);
  });

  test('excluded names are left alone, with and without .worker', async () => {
    const bench = new ProcessBench(testScope(), { excludeWorkers: ['one-worker', 'two'] });
    bench.install('one-worker', stayer);
    bench.install('two.worker', stayer);
    const three = bench.install('three-worker', stayer);
    await bench.start();
    await bench.running(three);
    expect(bench.datastore.processes.all().map(({ file }) => file)).toEqual([three]);
  });

  test('of two files of one name the earlier directory counts, and the other is mentioned once', async () => {
    const scope = testScope();
    const first = new ProcessBench(scope);
    const bench = new ProcessBench(scope, { workerDirs: [first.workerDir, `${first.folder}/second`] });
    mkdirSync(`${first.folder}/second`, { mode: 0o700 });
    const counted = bench.install('same-worker', stayer, { folder: first.workerDir });
    const shadowed = bench.install('same-worker', stayer, { folder: `${first.folder}/second` });
    await bench.start();
    await bench.running(counted);
    const said = await bench.said('one of the same name');
    expect(said['file']).toBe(shadowed);
    expect(bench.datastore.processes.size).toBe(1);
    expect(bench.counters.get('worker_files_refused')).toBe(1);
  });

  test('a worker gets the listed environment and nothing else', async () => {
    const bench = new ProcessBench(testScope(), {
      environment: { HOME: '/root', LD_PRELOAD: 'x', https_proxy: 'http://proxy:3128', NO_PROXY: '' },
      logLevel: 'debug',
    });
    bench.configure('env-worker', 'env = ["PYTHONPATH=/opt/x", "EMPTY="]\n');
    const file = bench.install('env-worker', stayer);
    await bench.start();
    const pid = await bench.running(file);
    const environment = await waitFor(
      () => {
        const found = environmentOf(pid);
        return found.has('YGG_SOCKET_ADDR') && found;
      },
      { what: 'environment' },
    );
    // The shell adds PWD and the like to itself, `sleep` shows what was handed on.
    const { PWD, SHLVL, OLDPWD, _, ...given } = Object.fromEntries(environment);
    expect(given).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      YGG_SOCKET_ADDR: `unix:${bench.runtimeDir}/00000001.s`,
      YGG_CONFIG_DIR: bench.configDir,
      YGG_LOG_LEVEL: 'DEBUG',
      YGG_CLIENT_ID: 'test-client-0001',
      https_proxy: 'http://proxy:3128',
      PYTHONPATH: '/opt/x',
      EMPTY: '',
    });
  });

  test('a worker starts in /, with umask 022, nothing on stdin, and leads its own group', async () => {
    const bench = new ProcessBench(testScope());
    const facts = path.join(bench.folder, 'facts');
    const before = process.umask(0o077);
    try {
      bench.install(
        'facts-worker',
        `#!/bin/sh\n(pwd; umask; cat; cut -d' ' -f5 /proc/$$/stat; echo $$) >${facts}.new; mv ${facts}.new ${facts}; exec sleep 1000\n`,
      );
      await bench.start();
      await waitFor(() => existsSync(facts), { what: 'facts' });
      expect(process.umask()).toBe(0o077);
    } finally {
      process.umask(before);
    }
    const [folder, mask, group, pid] = readFileSync(facts, 'utf8').trim().split('\n');
    expect([folder, mask]).toEqual(['/', '0022']);
    expect(group).toBe(pid);
  });

  test('no socket is a failed start, tried again', async () => {
    const bench = new ProcessBench(testScope(), { sockets: 'refused' });
    const file = bench.install('no-worker', stayer);
    await bench.start();
    await bench.said('no room');
    expect(bench.stateOf(file)).toBe('waiting');
    await waitFor(() => bench.prepared.length >= 2, { what: 'second try' });
    expect(bench.spawned).toEqual([]);
  });
});

describe('refusing', () => {
  test('a file that others may write is not started, and is when that is mended', async () => {
    const bench = new ProcessBench(testScope());
    const file = bench.install('open-worker', stayer, { mode: 0o777 });
    await bench.start();
    const said = await bench.said(`${file} can be changed by`);
    expect(said['code']).toBe('YGG_UNSAFE_PATH');
    expect(bench.stateOf(file)).toBe('refused');
    expect(bench.counters.get('worker_files_refused')).toBe(1);
    chmodSync(file, 0o755);
    await bench.running(file);
  });

  test('a configuration with a mistake refuses the worker until it is mended', async () => {
    const bench = new ProcessBench(testScope());
    bench.configure('bad-worker', 'timeout = "1h"\nredelivery = "sometimes"\n');
    const file = bench.install('bad-worker', stayer);
    await bench.start();
    const said = await bench.said('bad-worker.toml:2:');
    expect(said['code']).toBe('YGG_WORKER_FILE');
    expect(bench.stateOf(file)).toBe('refused');
    bench.configure('bad-worker', 'redelivery = "until-done"\n');
    await bench.running(file);
    expect(bench.datastore.processes.get(file)?.config.redelivery).toBe('until-done');
  });

  test('a configuration that others may write refuses the worker until that is mended', async () => {
    const bench = new ProcessBench(testScope());
    bench.configure('open-worker', 'env = ["PYTHONPATH=/tmp"]\n');
    const config = path.join(bench.configDir, 'workers', 'open-worker.toml');
    chmodSync(config, 0o666);
    const file = bench.install('open-worker', stayer);
    await bench.start();
    const said = await bench.said(`${config} can be changed by`);
    expect(said['code']).toBe('YGG_UNSAFE_PATH');
    expect(bench.stateOf(file)).toBe('refused');
    chmodSync(config, 0o644);
    await bench.running(file);
  });

  test('a configuration that is not there and that others could put there refuses the worker too', async () => {
    const bench = new ProcessBench(testScope());
    const folder = path.join(bench.configDir, 'workers');
    chmodSync(folder, 0o777);
    const file = bench.install('bare-worker', stayer);
    await bench.start();
    const said = await bench.said(`${folder} can be changed by`);
    expect(said['code']).toBe('YGG_UNSAFE_PATH');
    expect(bench.stateOf(file)).toBe('refused');
    chmodSync(folder, 0o755);
    bench.configure('bare-worker', '');
    await bench.running(file);
  });

  test('a script whose interpreter is not in the PATH of workers says so', async () => {
    const bench = new ProcessBench(testScope());
    bench.install('lost-worker', '#!/usr/bin/env no-such-interpreter\n');
    await bench.start();
    const said = await bench.said('needs no-such-interpreter');
    expect(said['exit_code']).toBe(127);
  });
});

describe('watching', () => {
  test('a file that comes is started, one that goes is stopped', async () => {
    const bench = new ProcessBench(testScope());
    await bench.start();
    await waitFor(() => bench.bootstrapped === 0, { what: 'process-bootstrap' });
    const file = bench.install('new-worker', stayer);
    const pid = await bench.running(file);
    // Until then the interpreter still has to open the file.
    await waitFor(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep'), {
      what: 'program',
    });
    rmSync(file);
    await waitFor(() => !alive(pid), { what: 'end of the worker' });
    await waitFor(() => bench.datastore.processes.size === 0, { what: 'empty datastore' });
    expect(bench.died).toEqual([{ file, pid, exitCode: null, signal: 'SIGTERM', asked: true }]);
  });

  test('deleting the file of a worker that does not run at the moment is no trouble', async () => {
    const bench = new ProcessBench(testScope());
    const file = bench.install('dead-worker', '#!/bin/sh\nexit 1\n');
    await bench.start();
    await waitFor(() => bench.stateOf(file) === 'waiting', { what: 'state waiting' });
    rmSync(file);
    await waitFor(() => bench.datastore.processes.size === 0, { what: 'empty datastore' });
    await stays(() => bench.spawned.length > 1, { what: 'a restart', span: 700 });
  });

  test('a file that comes back while its worker ends is started after it', async () => {
    const bench = new ProcessBench(testScope());
    const slow = `#!/bin/sh\ntrap 'sleep 0.7; exit 0' TERM\ntouch ${bench.folder}/ready\nwhile :; do sleep 0.05; done\n`;
    const file = bench.install('back-worker', slow);
    await bench.start();
    const first = await bench.running(file);
    await waitFor(() => existsSync(`${bench.folder}/ready`), { what: 'ready worker' });
    rmSync(file);
    await waitFor(() => bench.stateOf(file) === 'stopping', { what: 'state stopping' });
    bench.install('back-worker', stayer);
    await waitFor(() => bench.spawned.length === 2, { what: 'second run', detail: () => bench.output });
    expect(alive(first)).toBe(false);
    expect(bench.spawned[1]?.file).toBe(file);
  });

  test('a replaced file is stopped, then started: never two at a time', async () => {
    const bench = new ProcessBench(testScope());
    const overlap = path.join(bench.folder, 'overlap');
    const script = (version: number): string =>
      `#!/bin/sh\n# ${version}\nmkdir ${bench.folder}/alone || touch ${overlap}\n` +
      `trap 'sleep 0.3; rmdir ${bench.folder}/alone; exit 0' TERM\nwhile :; do sleep 0.05; done\n`;
    const file = bench.install('twice-worker', script(1));
    await bench.start();
    const first = await bench.running(file);
    await waitFor(() => existsSync(`${bench.folder}/alone`), { what: 'first run' });
    bench.install('twice-worker', script(2));
    const second = await bench.running(file, first);
    await waitFor(() => existsSync(`${bench.folder}/alone`), { what: 'second run' });
    expect(alive(first)).toBe(false);
    expect(alive(second)).toBe(true);
    expect(existsSync(overlap)).toBe(false);
    expect(bench.died.map(({ asked }) => asked)).toEqual([true]);
  });

  test('a changed configuration starts the worker anew with it', async () => {
    const bench = new ProcessBench(testScope());
    const file = bench.install('conf.worker', stayer);
    await bench.start();
    const first = await bench.running(file);
    bench.configure('conf', 'env = ["COLOUR=blue"]\n');
    const second = await bench.running(file, first);
    await waitFor(() => environmentOf(second).get('COLOUR') === 'blue', { what: 'new environment' });
  });

  test('a file that is only looked at stays as it is', async () => {
    const bench = new ProcessBench(testScope());
    const file = bench.install('calm-worker', stayer);
    await bench.start();
    const pid = await bench.running(file);
    bench.install('other-worker', stayer);
    await bench.running(path.join(bench.workerDir, 'other-worker'));
    await stays(() => bench.pidOf(file) !== pid, { what: 'a restart', span: 400 });
  });

  test('a file is started when it has been left alone, not while it is written', async () => {
    const bench = new ProcessBench(testScope());
    await bench.start();
    await waitFor(() => bench.bootstrapped === 0, { what: 'process-bootstrap' });
    const file = path.join(bench.workerDir, 'slow-worker');
    let text = '#!/bin/sh\n';
    for (let part = 0; part < 10; part += 1) {
      text += `# ${part}\n`;
      writeFileSync(file, text, { mode: 0o755 });
      await stays(() => bench.spawned.length > 0, { what: 'a start', span: 60 });
    }
    writeFileSync(file, `${text}exec sleep 1000\n`);
    const pid = await bench.running(file);
    expect(bench.spawned).toEqual([{ file, pid }]);
    expect(bench.counters.get('worker_deaths')).toBe(0);
  });
});

describe('what a worker leaves in a session of its own', () => {
  const deaf = `sh -c 'trap "" TERM; echo $$ >FOLDER/left; while :; do sleep 0.1; done'`;
  const polite = `sh -c 'echo $$ >FOLDER/left; exec sleep 1000'`;

  /** Leaves the program behind in its first run only; resolves with the pids of that run and of what it left. */
  async function leaves(bench: ProcessBench, program: string): Promise<{ first: number; left: number }> {
    const started = program.replace('FOLDER', bench.folder);
    const file = bench.install(
      'leaving-worker',
      `#!/bin/sh\n[ -e ${bench.folder}/left ] || setsid ${started} >/dev/null 2>&1 &\nexec sleep 1000\n`,
    );
    await bench.start();
    const first = await bench.running(file);
    const note = path.join(bench.folder, 'left');
    const pid = await waitFor(() => existsSync(note) && readFileSync(note, 'utf8').trim(), {
      what: 'its pid',
    });
    return { first, left: Number(pid) };
  }

  test('is ended when the worker is killed, and what the next run starts is not', async () => {
    const bench = new ProcessBench(testScope());
    const { first, left } = await leaves(bench, polite);
    expect(alive(left)).toBe(true);
    process.kill(first, 'SIGKILL');
    await waitFor(() => !alive(left), { what: 'end of what was left', detail: () => bench.output });
    expect((await bench.said('left a process behind'))['pid']).toBe(left);
    const second = await bench.running(path.join(bench.workerDir, 'leaving-worker'), first);
    expect(bench.lines.filter(({ sentence }) => sentence.includes('left a process behind'))).toHaveLength(1);
    expect(alive(second)).toBe(true);
  });

  test('is killed when it is deaf to SIGTERM', async () => {
    const bench = new ProcessBench(testScope());
    const { first, left } = await leaves(bench, deaf);
    process.kill(first, 'SIGKILL');
    await waitFor(() => !alive(left), { what: 'end of what was left', detail: () => bench.output });
    await bench.running(path.join(bench.workerDir, 'leaving-worker'), first);
  });

  test('is ended before the daemon has stopped', async () => {
    const bench = new ProcessBench(testScope());
    const { left } = await leaves(bench, deaf);
    await bench.manager.drain?.('quiet', new AbortController().signal);
    await bench.manager.drain?.('workers', new AbortController().signal);
    expect(alive(left)).toBe(false);
  });
});

describe('stopping', () => {
  test('draining the workers is instant when none run', async () => {
    const bench = new ProcessBench(testScope());
    await bench.start();
    const begun = performance.now();
    await bench.manager.drain?.('quiet', AbortSignal.timeout(1_000));
    await bench.manager.drain?.('workers', AbortSignal.timeout(1_000));
    expect(performance.now() - begun).toBeLessThan(200);
  });

  test('draining ends every worker, and nothing is started afterwards', async () => {
    const bench = new ProcessBench(testScope());
    const files = ['a-worker', 'b-worker', 'c-worker'].map((name) => bench.install(name, stayer));
    await bench.start();
    const pids = await Promise.all(files.map((file) => bench.running(file)));
    await bench.manager.drain?.('quiet', AbortSignal.timeout(1_000));
    bench.install('d-worker', stayer);
    await bench.manager.drain?.('workers', AbortSignal.timeout(11_000));
    expect(pids.filter(alive)).toEqual([]);
    expect(bench.died.every(({ asked }) => asked)).toBe(true);
    expect(bench.spawned).toHaveLength(3);
  });

  test('a worker that dies while the daemon stops stays dead', async () => {
    const bench = new ProcessBench(testScope());
    const file = bench.install('dying-worker', stayer);
    await bench.start();
    const pid = await bench.running(file);
    await bench.manager.drain?.('quiet', AbortSignal.timeout(1_000));
    process.kill(pid, 'SIGKILL');
    await waitFor(() => bench.died.length === 1, { what: 'process-die' });
    expect(bench.died[0]).toEqual({ file, pid, exitCode: null, signal: 'SIGKILL', asked: false });
    await stays(() => bench.spawned.length > 1, { what: 'a restart', span: 700 });
  });

  test('an aborted drain kills a worker that is deaf to SIGTERM', async () => {
    const bench = new ProcessBench(testScope());
    const ready = path.join(bench.folder, 'ready');
    const file = bench.install(
      'deaf-worker',
      `#!/bin/sh\ntrap '' TERM\ntouch ${ready}\nwhile :; do sleep 1; done\n`,
    );
    await bench.start();
    const pid = await bench.running(file);
    await waitFor(() => existsSync(ready), { what: 'ready worker' });
    await bench.manager.drain?.('quiet', AbortSignal.timeout(1_000));
    await bench.manager.drain?.('workers', AbortSignal.timeout(200));
    expect(alive(pid)).toBe(false);
    await waitFor(() => bench.died[0]?.signal === 'SIGKILL', { what: 'process-die' });
  });

  test('a wait for a socket does not hold up the stop', async () => {
    const bench = new ProcessBench(testScope(), { sockets: 'silent' });
    bench.install('mute-worker', stayer);
    await bench.start();
    await waitFor(() => bench.prepared.length === 1, { what: 'process-prepare' });
    const begun = performance.now();
    await bench.manager.drain?.('quiet', AbortSignal.timeout(1_000));
    await bench.manager.drain?.('workers', AbortSignal.timeout(11_000));
    expect(performance.now() - begun).toBeLessThan(500);
  });
});

test('workers of a killed daemon are ended before any is started', async () => {
  const bench = new ProcessBench(testScope());
  const file = bench.install('orphan-worker', stayer);
  const { spawn } = await import('node:child_process');
  const orphan = spawn('sleep', ['1000'], {
    env: { YGG_SOCKET_ADDR: `unix:${bench.runtimeDir}/abcdefgh.s` },
    stdio: 'ignore',
    detached: true,
  });
  const byHand = spawn('sleep', ['1000'], {
    env: { YGG_SOCKET_ADDR: `unix:${bench.runtimeDir}/dispatcher.sock` },
    stdio: 'ignore',
  });
  try {
    await bench.start();
    expect(alive(orphan.pid ?? 0)).toBe(false);
    expect(alive(byHand.pid ?? 0)).toBe(true);
    await bench.running(file);
  } finally {
    byHand.kill('SIGKILL');
    await new Promise((resolve) => byHand.once('exit', resolve));
  }
  expect(processesWith('abcdefgh.s')).toEqual([]);
});
