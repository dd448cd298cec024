/**
 * Reads what Linux says of a process in `/proc/PID/stat` (proc(5)).
 *
 * A process id alone names nothing, because ids are used again; an id with its start time does, for as long as the
 * host is up.
 */

export interface ProcessStat {
  readonly parent: number;
  /** The process group. */
  readonly group: number;
  /** Clock ticks between the start of the host and the start of the process. */
  readonly startTime: string;
}

/** `undefined` for what is no such text, and for a process of which only the exit status is left. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  // The second field, the program's name in parentheses, may hold anything, so the fields are counted from its end:
  // the first behind it is the third of all, the state, and the start time is the twenty-second.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', parent, group] = fields;
  const startTime = fields[22 - 3];
  if (state === '' || state === 'Z' || state === 'X' || startTime === undefined) return undefined;
  return { parent: Number(parent), group: Number(group), startTime };
}
