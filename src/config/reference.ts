/**
 * The documents made from the option table: config.toml.example, the table of docs/configure.md, the manual page.
 */
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
  return `${sections.join('\n\n')}\n`;
}

/** For man(1). */
export function manPage(version: string): string {
  const sections = sectionsOf().map(({ title, entries }) => {
    const options = entries.map(({ name, spec }) => {
      const names = [name, ...(spec.aliases ?? [])].map((each) => `\\fB\\-\\-${roff(each)}\\fR`).join(', ');
      return `.TP\n${names} \\fI${roff(spec.kind.placeholder)}\\fR\n${roff(spec.help)}.\nDefault: ${roff(defaultText(spec))}.`;
    });
    return `.SS ${roff(title)}\n${options.join('\n')}`;
  });
  return `${[
    `.TH YGGD 8 "" "yggd ${roff(version)}"`,
    '.SH NAME\nyggd \\- host daemon between an MQTT broker and local workers',
    '.SH SYNOPSIS\n.B yggd\n[\\fIoptions\\fR]',
    '.SH DESCRIPTION\nTakes messages from an MQTT broker, hands each to a local worker, sends the answers back.',
    'Options are read from flags, /etc/yggdrasil/config.toml and /usr/lib/yggdrasil/config.toml; the first that says something holds.',
    '.SH OPTIONS',
    '.TP\n\\fB\\-\\-config\\fR \\fIFILE\\fR\nRead the configuration from FILE.',
    '.TP\n\\fB\\-\\-check\\-config\\fR\nSay whether the configuration is fit for use, and end.',
    '.TP\n\\fB\\-\\-help\\fR, \\fB\\-\\-version\\fR\nPrint the help or the version, and end.',
    ...sections,
    '.SH EXIT STATUS\n0 ok, 1 failure, 2 usage, 70 internal fault, 75 try again later, 78 configuration.',
    '.SH SIGNALS\nSIGTERM and SIGINT stop it; a second one, at least a second later, ends it at once.',
    'SIGHUP brings it back to the broker after a disconnect command.',
  ].join('\n')}\n`;
}

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

function roff(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}
