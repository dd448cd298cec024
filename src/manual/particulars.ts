/**
 * What the manual pages say that no command line does: section, exit status, files, further pages.
 */

export interface Particulars {
  readonly section: 1 | 8;
  /** What it is, after its name. */
  readonly title: string;
  readonly exit: ReadonlyArray<readonly [status: string, what: string]>;
  readonly more: ReadonlyArray<{ readonly heading: string; readonly text: readonly string[] }>;
}

/** Of every program. */
const exits: Particulars['exit'] = [
  ['0', 'Done.'],
  ['1', 'Failed; the message says how.'],
  ['2', 'Words on the command line that it does not take.'],
  ['70', 'A fault of the program itself.'],
  ['75', 'Cannot be done now, but may be later.'],
  ['78', 'A configuration, or a file it names, that is not fit for use.'],
];

const particulars: Readonly<Record<string, Particulars>> = {
  yggd: {
    section: 8,
    title: 'host daemon between an MQTT broker and local workers',
    exit: exits,
    more: [
      {
        heading: 'SIGNALS',
        text: [
          'SIGTERM and SIGINT stop it in order; a second one, at least a second later, ends it at once.',
          'SIGHUP reads configuration, facts and tags again, and brings it back to the broker.',
        ],
      },
      {
        heading: 'FILES',
        text: [
          '/etc/yggdrasil/config.toml: the configuration of this host.',
          '/usr/lib/yggdrasil/config.toml: what the distribution sets.',
          '/etc/yggdrasil/workers/NAME.toml: what is said about the worker NAME.',
          '/usr/libexec/yggdrasil, /usr/local/libexec/yggdrasil: programs whose names end with "worker" are run.',
          '/var/lib/yggdrasil: messages that are not finished, and the client id.',
          '/run/yggdrasil: sockets.',
        ],
      },
      { heading: 'SEE ALSO', text: ['yggdrasil-config.toml(5), yggctl(1), ygg(1)'] },
    ],
  },
  yggctl: {
    section: 1,
    title: 'talks to yggd, here and on other hosts',
    exit: exits,
    more: [{ heading: 'SEE ALSO', text: ['yggd(8), yggdrasil-config.toml(5)'] }],
  },
  ygg: {
    section: 1,
    title: 'registers this host and switches yggd on',
    exit: [...exits, ['3', 'Of status: the host is not registered, yggd does not run, or has no broker.']],
    more: [{ heading: 'SEE ALSO', text: ['yggd(8), yggctl(1), systemctl(1)'] }],
  },
};

export function particularsOf(program: string): Particulars {
  return particulars[program] ?? { section: 1, title: 'part of yggd', exit: exits, more: [] };
}
