/**
 * The files of a new worker's project: a worker in TypeScript, its test, its TOML, and what npm and tsc need.
 */

export interface ProjectFacts {
  /** Of the worker: its handler, and the folder's name as a rule. */
  readonly name: string;
  /** Of this package. */
  readonly version: string;
}

/** Texts by their paths in the project. */
export function projectFiles(facts: ProjectFacts): Readonly<Record<string, string>> {
  return {
    'package.json': packageJson(facts),
    'tsconfig.json': tsconfigJson(),
    'src/worker.ts': worker(facts),
    'src/worker.test.ts': workerTest(facts),
    'src/main.ts': main(),
    [`${facts.name}.toml`]: toml(facts),
    'README.md': readme(facts),
    '.gitignore': 'node_modules\ndist\n',
  };
}

function packageJson({ name, version }: ProjectFacts): string {
  return json({
    name: `${name}-worker`,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts: { build: 'tsc', test: 'tsc && node --test dist/worker.test.js' },
    dependencies: { yggd: `^${version}` },
    devDependencies: { '@types/node': '^20.19.0', typescript: '>=5.9' },
  });
}

function tsconfigJson(): string {
  return json({
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023'],
      types: ['node'],
      module: 'NodeNext',
      rootDir: 'src',
      outDir: 'dist',
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      verbatimModuleSyntax: true,
      skipLibCheck: true,
    },
    include: ['src'],
  });
}

function worker({ name }: ProjectFacts): string {
  return `/** What becomes of a message for the directive ${name}. */
import { createWorker, type Worker } from 'yggd/worker';

export function newWorker(): Worker {
  return createWorker({
    handler: '${name}',
    // What is returned is the answer: bytes as they are, undefined none, anything else as JSON.
    async onMessage(message, job) {
      job.log.info({ attempt: job.attempt }, 'a message has come');
      return { received: message.json() };
    },
  });
}
`;
}

function workerTest({ name }: ProjectFacts): string {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestDaemon } from 'yggd/testing';
import { newWorker } from './worker.js';

test('a message is answered', async (context) => {
  const daemon = await createTestDaemon();
  context.after(() => daemon.stop());
  await daemon.run(newWorker());

  const { outcome, answers } = await daemon.send({ directive: '${name}', content: 'hello' });
  assert.equal(outcome, 'done');
  assert.deepEqual(answers[0]?.json(), { received: 'hello' });
});
`;
}

function main(): string {
  return `#!/usr/bin/env node
import { newWorker } from './worker.js';

await newWorker().run();
`;
}

function toml({ name }: ProjectFacts): string {
  return `# Copy to <config-dir>/workers/${name}.toml; the worker file is then called "${name}.worker".

# What becomes of a message that was in hand when the worker or the daemon died: "until-accepted" reports it,
# "until-done" runs it again.
redelivery = "until-accepted"
concurrency = 1
timeout = "1h"
`;
}

function readme({ name }: ProjectFacts): string {
  return `# ${name}

A worker for yggd: takes the messages for the directive \`${name}\`. What it does with them is in [src/worker.ts](src/worker.ts).

\`\`\`sh
npm install
npm test
\`\`\`

Where the package \`yggd\` is not on a registry, install it from its file first: \`npm install FILE.tgz\`. The SDK packed alone
(\`npm run package:worker\` in the sources of yggd) is enough.

To install the worker, put this script into the worker directory as \`${name}.worker\`, executable, with the full paths of this machine,
and [${name}.toml](${name}.toml) into \`<config-dir>/workers/\`:

\`\`\`sh
#!/bin/sh
exec /usr/bin/node /opt/${name}/dist/main.js
\`\`\`

\`yggctl workers list\` shows it then, and \`yggctl dispatch ${name} -\` gives it a message.
`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
