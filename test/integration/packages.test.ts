/** The packages for hosts: built, and installed, upgraded and removed by their own tools in a root of their own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { canCopyHost, runOnCopiedHost } from '../helpers/copied-host.ts';
import { consumer, fakeHostScript, newHost } from '../helpers/fake-host.ts';
import { HostRoot, type PackageTool, packageName, packageTools, run } from '../helpers/host-root.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, type Published } from '../helpers/mqtt-server.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { fileScope, testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { builtWorker } from '../helpers/worker-files.ts';
import { ask, askJson } from '../helpers/yggctl.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

const project = path.resolve(import.meta.dirname, '../..');
const { bin } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8'));
const programs = Object.keys(bin);
const app = 'usr/lib/yggdrasil/app';

/** Milliseconds; a hundred megabytes are packed and unpacked here, on a disk that may be shared. */
const slow = 180_000;

const scope = fileScope();
const folder = tempDir(scope);
/** By kind. */
const files: Record<string, string> = {};

function build(...words: string[]) {
  const script = path.join(project, 'scripts', 'package.js');
  const flags = ['--out', folder, '--compression', 'fast', '--format', 'json'];
  return run(process.execPath, [script, ...flags, ...words]);
}

/** Waits for the registry most of the time, so it goes on beside the other tests. */
let installing: Promise<string>;

beforeAll(() => {
  installing = installWithNpm();
  installing.catch(() => {});
  const { status, out: line, said } = build('--node', process.execPath);
  expect(status, said).toBe(0);
  for (const { kind, file } of JSON.parse(line).packages) files[kind] = file;
}, slow);

/** Only root may install what belongs to root. */
const asRoot = describe.skipIf(process.getuid?.() !== 0);

function installed(tool: PackageTool, root: HostRoot): string {
  const [program, ...words] = tool.installing(root, files[tool.kind] ?? '');
  const { status, said } = run(program, words);
  expect(status, said).toBe(0);
  return said;
}

function removed(tool: PackageTool, root: HostRoot): string {
  const [program, ...words] = tool.removing(root);
  const { status, said } = run(program, words);
  expect(status, said).toBe(0);
  return said;
}

describe('what they say of themselves', () => {
  test('the Debian package stands in for the Go one and goes with it on no host', () => {
    const field = (name: string) => run('dpkg-deb', ['--field', files['deb'] ?? '', name]).said.trim();
    expect(field('Package')).toBe(packageName);
    expect(field('Provides')).toMatch(/^yggdrasil \(= /);
    expect(field('Conflicts')).toBe('yggdrasil');
  });

  test('the RPM does too', () => {
    const query = (what: string) => run('rpm', ['-qp', what, files['rpm'] ?? '']).out;
    expect(query('--provides')).toMatch(/^yggdrasil = /m);
    expect(query('--conflicts')).toBe('yggdrasil\n');
    expect(query('--queryformat=%{NAME} %{LICENSE}')).toBe(`${packageName} Apache-2.0 AND MIT`);
  });

  test('everything in them belongs to root, is writable by nobody else, and only programs are executable', () => {
    const lines = run('dpkg-deb', ['--contents', files['deb'] ?? ''])
      .said.trim()
      .split('\n');
    const odd = lines.filter((line) => !/^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) root\/root /.test(line));
    expect(odd).toEqual([]);
    const executable = lines.filter((line) => line.startsWith('-rwx') && !line.includes('/app/'));
    expect(executable.map((line) => line.split(' ./')[1]?.replace(/\/[^/]+$/, ''))).toEqual(
      expect.arrayContaining(['usr/bin', 'usr/lib/yggdrasil/bin', 'usr/lib/yggdrasil/workers']),
    );
  });

  test('what only developers need is in none', () => {
    const { said } = run('dpkg-deb', ['--contents', files['deb'] ?? '']);
    expect(said).not.toMatch(/\.d\.ts$|\.map$|node_modules\/(vitest|typescript|@biomejs)\/|musl\.node$/m);
    expect(said.match(/lmdb-linux-\S+\.node$/gm)).toHaveLength(1);
  });
});

asRoot.each(packageTools)('the $kind', (tool) => {
  let root: HostRoot;

  beforeAll(() => {
    root = new HostRoot(scope);
    expect(installed(tool, root)).not.toMatch(/^yggdrasil-node: (?!dependency problems)/m);
    expect(root.asked).toEqual(['daemon-reload', ...(tool.kind === 'rpm' ? [listing] : [])]);
  }, slow);

  test('brings programs that run, each with its manual page and completions', () => {
    for (const program of programs) {
      expect(root.inside(`/usr/bin/${program}`, '--version')).toMatchObject({
        status: 0,
        out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      });
      const section = program === 'yggd' ? 8 : 1;
      const page = readFileSync(root.at(`usr/share/man/man${section}/${program}.${section}.gz`));
      expect(gunzipSync(page).toString()).toContain(`.SH NAME\n${program} `);
      const zsh = tool.kind === 'deb' ? 'vendor-completions' : 'site-functions';
      expect(root.read(`usr/share/bash-completion/completions/${program}`)).toContain(
        `complete -F _${program}`,
      );
      expect(root.read(`usr/share/zsh/${zsh}/_${program}`)).toContain(`#compdef ${program}\n`);
      expect(root.read(`usr/share/fish/vendor_completions.d/${program}.fish`)).toContain(
        `complete -c ${program}`,
      );
    }
    expect(root.has('usr/share/man/man5/yggdrasil-config.toml.5.gz')).toBe(true);
  });

  test('brings the configuration of the package, the folders of workers, a pkg-config module and the licence', () => {
    expect(root.inside('/usr/bin/yggd', '--check-config').said).toContain(
      'ok: /usr/lib/yggdrasil/config.toml\n',
    );
    expect(root.read('usr/lib/yggdrasil/config.toml')).toContain('"/usr/libexec/yggdrasil"');
    const module = root.read('usr/share/pkgconfig/yggdrasil.pc');
    expect(module).toContain('prefix=/usr\n');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as pkg-config writes it
    expect(module).toContain('workerexecdir=${libexecdir}/yggdrasil\n');
    expect(root.has('usr/libexec/yggdrasil')).toBe(true);
    expect(root.has('etc/yggdrasil/workers')).toBe(true);
    const licence = tool.kind === 'deb' ? `doc/${packageName}/copyright` : `licenses/${packageName}/LICENSE`;
    expect(root.read(`usr/share/${licence}`)).toContain('Apache License');
  });

  test('brings every file that the page on installing names', () => {
    const page = readFileSync(path.join(project, 'docs', 'install.md'), 'utf8');
    const named = new Set(page.match(/\/usr\/(?:bin|lib|libexec|share)\/(?:ygg|doc)[\w./-]*/g));
    expect(named.size).toBeGreaterThan(8);
    expect([...named].filter((place) => !root.has(place))).toEqual([]);
  });

  test('brings units that start what is there', () => {
    for (const unit of units(root)) {
      for (const [, program = ''] of root.read(unit).matchAll(/^Exec\w+=[-+!@:]*(\/\S+)/gm)) {
        if (program.startsWith('/usr/bin/ygg')) expect(root.has(program), `${unit}: ${program}`).toBe(true);
      }
    }
  });

  test(
    'installed by a worker of the daemon lets that worker finish and answer',
    async () => {
      const own = testScope();
      const [program, ...options] = tool.installing(root, files[tool.kind] ?? '');
      const settings = `[settings.commands.install]\nprogram = "${program}"\noptions = ${JSON.stringify(options)}\n`;
      const broker = await startMosquitto(own);
      const server = await connectMqttServer(own, broker.url);
      const folder = mkdtempSync(root.at('run/host-'));
      const home = createHome(own, [builtWorker('command', settings)], undefined, folder);
      const daemon = root.at(`${app}/dist/cmd/yggd.js`);
      const yggd = startYggd(own, { home, brokers: [broker.url], program: daemon });
      await server.online(['command'], { deadline: 30_000 });
      await waitFor(() => home.runtimeFiles().includes('control.sock'), { what: 'the control socket' });
      root.running(['yggd.service'], { runtimeDirectory: `${path.basename(folder)}/run` });

      const id = await server.send({ directive: 'command', content: { command: 'install' } });
      const answer = await waitFor(() => finalAnswer(server.answersTo(id)), {
        what: 'the answer of the worker',
        deadline: 60_000,
        detail: () => yggd.output,
      });
      expect(answer).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('yggd.service: yggd ends when its workers are idle'),
      });
      expect(yggd.running).toBe(true);
      expect(root.asked.filter((words) => /^(re)?start|^stop/.test(words))).toEqual([]);
      const [status] = (await askJson(own, home, 'status')).json;
      const left = Date.parse(String(status?.['restart_at'])) - Date.now();
      expect(left).toBeGreaterThan(50 * 60_000);
      expect(left).toBeLessThanOrEqual(60 * 60_000);

      await ask(own, home, 'restart', '--when-idle', '--idle-for', '500ms');
      expect((await yggd.ended(30_000)).code).toBe(0);
      // The next one is the version that was installed, with what the last one left.
      const after = server.statuses.length;
      startYggd(own, { home, brokers: [broker.url], program: daemon });
      await server.online(['command'], { after, deadline: 30_000 });
    },
    slow,
  );

  test('leaves a daemon alone whose configuration is not fit for the new version, or that nobody finds', () => {
    root.running(['yggdrasil@lab.service', 'yggdrasil@gone.service'], { user: 'yggdrasil' });
    root.write('etc/yggdrasil/yggdrasil-lab.toml', 'log-levl = "debug"\n');
    root.write('etc/yggdrasil/yggdrasil-gone.toml', '');
    const said = installed(tool, root);
    expect(said).toContain('yggdrasil@lab.service goes on with the old version');
    expect(said).toContain('/etc/yggdrasil/yggdrasil-lab.toml:1:1: log-levl ("debug") is not an option');
    expect(said).toContain('Correct it, then: systemctl restart yggdrasil@lab.service');
    expect(said).toContain('Then: systemctl restart yggdrasil@gone.service');
    const wish = '/usr/bin/yggctl restart --when-idle --within 1h';
    expect(root.asked).toContain(
      `runuser -u yggdrasil -- ${wish} --config /etc/yggdrasil/yggdrasil-gone.toml`,
    );
    expect(root.asked.filter((words) => /^(re)?start|^stop/.test(words))).toEqual([]);
  });

  test.runIf(tool.kind === 'deb')(
    'removed by a worker of the daemon lets that worker finish',
    async () => {
      const own = testScope();
      const folder = mkdtempSync(root.at('run/host-'));
      const home = createHome(own, [], undefined, folder);
      const yggd = startYggd(own, { home, brokers: [], program: root.at(`${app}/dist/cmd/yggd.js`) });
      await waitFor(() => home.runtimeFiles().includes('control.sock'), { what: 'the control socket' });
      root.running(['yggd.service'], { runtimeDirectory: `${path.basename(folder)}/run` });
      root.write('proc/self/cgroup', '0::/system.slice/yggd.service\n');
      expect(removed(tool, root)).toContain('yggd.service: yggd ends when its workers are idle');
      rmSync(root.at('proc'), { recursive: true });
      expect(root.asked.filter((words) => words.startsWith('stop'))).toEqual([]);
      expect(yggd.running).toBe(true);
      await ask(own, home, 'restart', '--when-idle', '--idle-for', '500ms');
      expect((await yggd.ended(30_000)).code).toBe(0);
      installed(tool, root);
    },
    slow,
  );

  test('removed stops the daemon and keeps its state', () => {
    root.write('var/lib/yggdrasil/client-id', 'host-1\n');
    root.running(['yggd.service', 'yggdrasil@lab.service']);
    removed(tool, root);
    const stops = ['stop yggd.service', 'stop yggdrasil@lab.service', 'disable yggd.service'];
    expect(root.asked).toEqual(expect.arrayContaining(stops));
    expect(root.asked.at(-1)).toBe('daemon-reload');
    expect(root.has('usr/bin/yggd')).toBe(false);
    expect(root.read('var/lib/yggdrasil/client-id')).toBe('host-1\n');
    if (tool.kind !== 'deb') return;
    const [program, ...words] = tool.removing(root);
    run(
      program,
      words.map((word) => (word === '--remove' ? '--purge' : word)),
    );
    expect(root.has('var/lib/yggdrasil')).toBe(false);
  });

  test.runIf(tool.kind === 'deb')('goes without systemd', () => {
    root.running([]);
    rmSync(root.at('run/systemd'), { recursive: true });
    installed(tool, root);
    removed(tool, root);
    expect(root.asked).toEqual([]);
  });
});

/** What the command worker says in the end; before that it tells what the program prints. */
function finalAnswer(answers: readonly Published[]): object | undefined {
  const contents = answers.map(({ json }) => json['content']);
  return contents.find(
    (content): content is object => typeof content === 'object' && content !== null && 'status' in content,
  );
}

const listing =
  'list-units --plain --no-legend --state=active,reloading,activating yggd.service yggdrasil@*.service';

function units(root: HostRoot): readonly string[] {
  const folder = 'usr/lib/systemd/system';
  return root.has(folder) ? readdirSync(root.at(folder)).map((unit) => `${folder}/${unit}`) : [];
}

describe('a package that cannot be', () => {
  test.each([
    [['--arch', 'riscv64'], 1, 'There is no package for riscv64: the journal has no native code for it.'],
    [['--arch', 'pdp11'], 2, '"pdp11" is no architecture that is known here; known are x64, arm64'],
    [['--arch', other(), '--node', process.execPath], 1, `is not built for ${other()}.`],
    [['--node', '/no/node'], 1, 'Node cannot be read: ENOENT'],
    [['--node', path.join(project, 'package.json')], 1, 'is no program; --node takes the Node to be packed.'],
    [['--kind', 'msi'], 2, '--kind takes deb or rpm, not "msi".'],
  ])('%j is refused with a sentence', (words, status, sentence) => {
    const refused = build(...words);
    expect(refused).toMatchObject({ status, out: '', said: expect.stringContaining(sentence) });
    expect(refused.said).not.toContain('    at ');
  });
});

function other(): string {
  return process.arch === 'arm64' ? 'x64' : 'arm64';
}

/** The blocks below a heading of the page on installing. */
function blocksBelow(heading: string, language: string): string[] {
  const page = readFileSync(path.join(project, 'docs', 'install.md'), 'utf8');
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, tag, text = '']) =>
    tag === language ? [text] : [],
  );
}

asRoot('the page on installing', () => {
  test.skipIf(!canCopyHost(scope))(
    'leads to a worker that answers, followed to the letter',
    () => {
      const [configuration = ''] = blocksBelow('First start', 'toml');
      const [start = ''] = blocksBelow('First start', 'sh');
      const [worker = ''] = blocksBelow('First worker', 'sh');
      const script = `cat > /etc/yggdrasil/config.toml <<'END'\n${configuration}END\n${start}${worker}yggctl send echo hello`;
      const { out, said, status } = runOnCopiedHost(testScope(), { deb: files['deb'] ?? '', script });
      expect(status, said).toBe(0);
      expect(out).toContain('ok: /etc/yggdrasil/config.toml, /usr/lib/yggdrasil/config.toml\n');
      expect(out).toMatch(/^broker +\S/m);
      expect(out).toMatch(/"hello"\n+"hello"\n$/);
    },
    slow,
  );
});

asRoot('the ygg of the package', () => {
  test.skipIf(!canCopyHost(scope))(
    'registers the host, and the daemon it starts is connected',
    () => {
      const service = ['setpriv', '--pdeathsig', 'KILL', '/usr/bin/yggd'];
      const script = `${fakeHostScript({ ...newHost, service })}
        printf 'broker = ["embedded"]\\n' > /etc/yggdrasil/config.toml
        echo 'correct horse' | ygg register --username alice --password-stdin
        for try in $(seq 100); do ygg status > /run/status && break; sleep 0.3; done
        cat /run/status
        ygg unregister
        grep -o 'StartUnit", "yggd.service"' /run/rhsm/calls`;
      const { out, said, status } = runOnCopiedHost(testScope(), { deb: files['deb'] ?? '', script });
      expect(status, said).toBe(0);
      const lines = out.split('\n').map((line) => line.replace(/ {2,}/, ': '));
      expect(lines).toEqual([
        `RHSM: registered as ${consumer} with acme`,
        'yggd.service: enabled',
        'yggd.service: started',
        `RHSM: registered as ${consumer}`,
        'yggd.service: running, enabled',
        expect.stringMatching(/^broker: connected to mqtt:/),
        'yggd.service: stopped',
        'yggd.service: disabled',
        `RHSM: unregistered, was ${consumer}`,
        'StartUnit", "yggd.service"',
        '',
      ]);
    },
    slow,
  );
});

test(
  'npm installs the package for everybody, without its scripts',
  async () => {
    const prefix = await installing;
    for (const program of programs) {
      expect(run(path.join(prefix, 'bin', program), ['--version']).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    }
  },
  slow,
);

/** Packs the project and installs the archive; where. Rejects with what npm said. */
async function installWithNpm(): Promise<string> {
  const place = tempDir(scope);
  const npm = async (...words: string[]) => await promisify(execFile)('npm', words, { timeout: slow });
  await npm('pack', '--pack-destination', place, project);
  const [archive = ''] = readdirSync(place);
  const prefix = path.join(place, 'prefix');
  const flags = ['--global', '--prefix', prefix, '--ignore-scripts', '--prefer-offline'];
  await npm('install', ...flags, path.join(place, archive));
  return prefix;
}
