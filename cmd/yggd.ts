/**
 * yggd: the host daemon. Only what has to hold while its modules are being read, which takes a fifth of a second; the
 * program itself is `yggd-program.ts`.
 */
import './process-signals.ts';
import './heap.ts';

await import('./yggd-program.ts');
