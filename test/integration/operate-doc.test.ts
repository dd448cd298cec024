/** What docs/operate.md shows was printed by these programs, in a story that is told here again. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readEmbeddedAccess } from '../../src/mqtt/embedded-access.ts';
import { createFailingDisk } from '../faults/failing-disk.ts';
import { connectMqttServer } from '../helpers/mqtt-server.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { ask } from '../helpers/yggctl.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/operate.md'), 'utf8');
const places = { workers: '/usr/local/libexec/yggdrasil', state: '/var/lib/yggdrasil' };
const clientId = 'host-1';

interface Shown {
  /** What is typed after `yggctl`. */
  readonly words: readonly string[];
  readonly output: string;
}

function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, tag, text = '']) =>
    tag === language ? [text.trimEnd()] : [],
  );
}

/** The commands of the page and what it shows of their output, in order. */
const shown: readonly Shown[] = blocks('console')
  .flatMap((block) => block.split(/^\$ yggctl /m).slice(1))
  .map((entry) => {
    const [command = '', ...lines] = entry.trimEnd().split('\n');
    return { words: command.split(' '), output: lines.join('\n') };
  });

const loggedLines: readonly string[] = blocks('').flatMap((block) => block.split('\n'));

/** Without what is another each time: ids, times, numbers, and the width of the columns that hold them. */
function shapeOf(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?/g, 'TIME')
    .replace(/\b\d+ (ms|s|min|h)\b( \d+ (ms|s|min|h)\b)*/g, 'SPAN')
    .replace(/\d+/g, '0')
    .replace(/ +/g, ' ')
    .trim();
}

const isRoot = process.getuid?.() === 0;

// Only root can give it a disk of its own to fill.
test.runIf(isRoot)(
  'a stuck worker, a dead letter and a full disk look as the page shows them',
  {
    timeout: 180_000,
  },
  async () => {
    const scope = testScope();
    const disk = createFailingDisk(scope);
    const inventory = '#!/bin/sh\necho "cannot open /etc/inventory.conf" >&2\nexit 3\n';
    const workers = [
      echoWorker({ name: 'echo-worker' }),
      { name: 'inventory-worker', text: inventory, config: [] },
    ];
    const home = createHome(scope, workers, disk.directory);
    const yggd = startYggd(scope, {
      ...{ home, clientId, brokers: ['embedded'] },
      flags: ['--worker-grace', '5s', '--log-format', 'text'],
    });
    const access = await waitFor(() => readEmbeddedAccess(home.runtimeDir), {
      what: 'access to the embedded broker',
      detail: () => yggd.output,
    });
    const { url, username, password } = access;
    const server = await connectMqttServer(scope, url, { clientId, mqtt: { username, password } });

    const asOnThePage = (text: string): string =>
      text.replaceAll(home.workerDir, places.workers).replaceAll(home.stateDir, places.state);
    let next = 0;
    /** Types the next command of the page, with this id in place of its own, until it prints what is shown there. */
    const types = async (id = ''): Promise<string> => {
      const { words, output } = shown[next] ?? { words: [], output: '' };
      next += 1;
      const typed = words.map((word) => (shapeOf(word) === 'ID' ? id : word));
      let printed = '';
      const isShown = async (): Promise<boolean> => {
        const { out, err } = await ask(scope, home, ...typed);
        printed = asOnThePage([out, err].filter((text) => text !== '').join('\n'));
        return shapeOf(printed).startsWith(shapeOf(output));
      };
      await waitFor(isShown, { what: typed.join(' '), deadline: 30_000 }).catch(() => {
        expect(shapeOf(printed)).toBe(shapeOf(output));
      });
      return printed;
    };

    const status = await types();
    const pid = Number(/^echo +registered +(\d+)/m.exec(status)?.[1]);
    process.kill(pid, 'SIGSTOP');
    for (let n = 0; n < 3; n += 1) await server.send({ directive: 'echo' });
    await types();
    await types();
    process.kill(pid, 'SIGKILL');
    const deadLetters = await types();
    const [id = ''] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(deadLetters) ?? [];
    await types(id);

    disk.set('full');
    await types();
    await types();
    await server.send({ directive: 'echo' });
    disk.set(undefined);
    const lines = (): string[] => yggd.lines.map((line) => shapeOf(asOnThePage(line)));
    await waitFor(() => loggedLines.every((line) => lines().includes(shapeOf(line))), {
      what: 'log lines of the page',
      deadline: 30_000,
    }).catch(() => expect(lines()).toEqual(expect.arrayContaining(loggedLines.map(shapeOf))));

    const facts = await server.send({ directive: 'facts' });
    await types();
    await types(facts);
    await types(facts);
    expect(next, 'every command of the page was typed').toBe(shown.length);
    await yggd.stop();
  },
);
