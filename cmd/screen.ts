/**
 * The streams of a program as its commands see them.
 */
import type { WriteStream } from 'node:tty';
import type { LiveScreen } from '../src/registration/steps.ts';
import { wantsColour } from './environment.ts';

/** What a stream's reader no longer wants is nobody's fault. */
export function screenOf(stream: WriteStream): LiveScreen {
  const terminal = stream.isTTY === true;
  stream.on('error', () => {});
  return {
    terminal,
    live: terminal && process.env['TERM'] !== 'dumb',
    colour: wantsColour(stream),
    write: (text) => new Promise((resolve) => stream.write(text, () => resolve())),
  };
}
