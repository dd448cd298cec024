/**
 * The documents made from the option table: config.toml.example, the table of docs/configure.md, the manual page of
 * the configuration file.
 */
import { bold, italic, roff, roffArgument } from '../base/roff.ts';
import { defaultText, type OptionSpec, optionFields, optionName, optionTable } from './table.ts';

interface Entry {
  readonly name: string;
  readonly spec: OptionSpec<unknown>;
}

interface Section {
  readonly title: string;
  readonly entries: Entry[];
}

const header = `# Configuration of yggd, with every option and its default.
#
# Copy it to /etc/yggdrasil/config.toml and take the # from what you change.
# Check it with: yggd --check-config
# Durations: 500ms 30s 5m 1h 7d. Sizes: 64KiB 2MiB 1GiB.
`;

/** A configuration file that says nothing, and shows everything that can be said. */
export function exampleToml(): string {
  const sections = sectionsOf().map(({ title, entries }) => {
    const options = entries.map(({ name, spec }) => {
      const preset = spec.initialText === undefined ? '' : `\n# Default: ${spec.initialText}.`;
      return `${wrapped(`${spec.help}.`)}${preset}\n#${name} = ${exampleOf(spec)}\n`;
    });
    return `\n### ${title} ###\n\n${options.join('\n')}`;
  });
  return header + sections.join('');
}

/** A table for each section. */
export function optionsMarkdown(): string {
  const sections = sectionsOf().map(({ title, entries }) => {
    const rows = entries.map(({ name, spec }) => {
      const also = spec.aliases ? ` (also \`${spec.aliases.join('`, `')}\`)` : '';
      const cells = [`\`${name}\`${also}`, spec.kind.takes, defaultText(spec), spec.help];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('<', '&lt;')).join(' | ')} |`;
    });
    return [
      `### ${title}`,
      '',
      '| option | takes | default | what it does |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return `${sections.join('\n\n')}\n\n### After a change\n\n${afterChange()}\n`;
}

/** Which options a reload applies. */
function afterChange(): string {
  const entries = sectionsOf().flatMap((section) => section.entries);
  const names = (live: boolean): string =>
    entries
      .filter(({ spec }) => (spec.reload === true) === live)
      .map(({ name }) => `\`${name}\``)
      .join(', ');
  return `A reload applies ${names(true)}.\n\nA restart is needed for ${names(false)}.`;
}

/** The manual page of the configuration file, for man(1). */
export function configPage(version: string): string {
  const sections = sectionsOf().map(({ title, entries }) => {
    const options = entries.map(({ name, spec }) => {
      const also = spec.aliases ? `, also ${spec.aliases.map(bold).join(', ')}` : '';
      const says = `${spec.help}. Takes ${spec.kind.takes}. Default: ${defaultText(spec)}.`;
      return `.TP\n${bold(name)}${also}\n${roff(says)}`;
    });
    return `.SS ${roffArgument(title)}\n${options.join('\n')}`;
  });
  return `${[
    `.TH YGGDRASIL\\-CONFIG.TOML 5 "" ${roffArgument(`yggd ${version}`)}`,
    '.SH NAME\nyggdrasil\\-config.toml \\- configuration of yggd',
    `.SH SYNOPSIS\n${italic('/etc/yggdrasil/config.toml')}\n.br\n${italic('/usr/lib/yggdrasil/config.toml')}`,
    `.SH DESCRIPTION\n${roff(configDescription)}`,
    `.SH EXAMPLE\n.nf\n${configExample.map(roff).join('\n')}\n.fi`,
    '.SH OPTIONS',
    ...sections,
    `.SH SEE ALSO\n${roff('yggd(8), yggctl(1)')}`,
  ].join('\n')}\n`;
}

const configDescription =
  'A TOML file; every option is also a flag of yggd. Flags count before the file of the host in /etc, that before the ' +
  'file of the distribution in /usr/lib, and that before the defaults. Durations are 500ms, 30s, 5m, 1h or 7d, sizes ' +
  '64KiB, 2MiB or 1GiB. What takes a list takes one value alone as well. yggd --check-config says what is wrong, with ' +
  'file, line and column.';

const configExample: readonly string[] = [
  'broker = ["mqtts://broker.example.com:8883"]',
  'cert-file = "/etc/pki/consumer/cert.pem"',
  'key-file = "/etc/pki/consumer/key.pem"',
];

function sectionsOf(): readonly Section[] {
  const sections: Section[] = [];
  for (const field of optionFields) {
    const spec: OptionSpec<unknown> = optionTable[field];
    if (spec.section !== undefined) sections.push({ title: spec.section, entries: [] });
    sections.at(-1)?.entries.push({ name: optionName(field), spec });
  }
  return sections;
}

function exampleOf({ example, initial, kind }: OptionSpec<unknown>): string {
  return example ?? kind.write(initial);
}

/** Comment lines of at most 100 characters. */
function wrapped(sentence: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of sentence.split(' ')) {
    if (line.length + 1 + word.length > 100) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
