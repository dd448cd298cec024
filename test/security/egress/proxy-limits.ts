/** A proxy that answers the question for a tunnel with too much, too little, or too slowly. */
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { waitFor } from '../../helpers/wait-for.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import { inScope, openSink, requests, said } from './field.ts';
import {
  established,
  forbidden,
  hasty,
  neighbour,
  openProxy,
  type ProxyOptions,
  through,
} from './proxy-field.ts';
import { big, dripping, endless, memory, patience } from './tiresome.ts';

/** Answers to the question for a tunnel. */
const tiresome: Readonly<Record<string, (socket: Socket) => void>> = {
  'nothing at all': () => {},
  'an endless header': endless(`${established}X-Long: `, big),
  'endless headers': endless(established, 'X-More: yes\r\n'),
  'an endless status line': endless('HTTP/1.1 200 ', big),
  'an answer that is endlessly about to come': endless('', 'HTTP/1.1 100 Continue\r\n\r\n'),
  'headers that drip': dripping(established, 'X'),
  'interim answers that drip': dripping('', 'HTTP/1.1 102 Processing\r\n\r\n'),
  'an endless tunnel of nonsense': endless(`${established}\r\n`, big),
  'a tunnel in which nobody speaks': (socket) => void socket.write(`${established}\r\n`),
  'a tunnel that drips': dripping(`${established}\r\n`, '\u0016'),
  'an endless refusal': endless('HTTP/1.1 403 Forbidden\r\nContent-Length: 100000000\r\n\r\n', big),
  'an end': (socket) => void socket.end(),
  'another protocol': (socket) => void socket.end('SSH-2.0-OpenSSH_9.9\r\n'),
  'two answers': (socket) => void socket.end(`${forbidden}${established}\r\n`),
};

/** Succeeded is content that is taken, too much time or memory, a connection that is left open, or being asked again. */
async function endured(options: ProxyOptions): Promise<Verdict> {
  return await inScope(async (scope) => {
    const proxy = await openProxy(scope, options);
    const daemon = requests(scope, {
      ...{ ...through(proxy), ...hasty, elsewhere: true },
    });
    const [begun, before] = [performance.now(), process.memoryUsage.rss()];
    const result = await daemon.fetch(`https://${neighbour}/`);
    if (proxy.asked.length === 0) throw new Error(`not made: ${said(result)}`);
    const [took, grown] = [performance.now() - begun, process.memoryUsage.rss() - before];
    const ended = waitFor(() => result.ok || proxy.open === 0, { what: 'the end', deadline: patience });
    const released = await ended.then(
      () => true,
      () => false,
    );
    const left = readdirSync(daemon.folder);
    return {
      succeeded:
        result.ok ||
        left.length > 0 ||
        took > patience ||
        grown > memory ||
        !released ||
        proxy.asked.length > 1,
      how: `${said(result)}; left ${left}; ${Math.round(took)} ms; ${grown} bytes; ${proxy.open} open; asked for ${proxy.asked.slice(0, 3)}`,
    };
  });
}

export function tiring(): Attempt[] {
  return Object.entries(tiresome).map(([what, serve]) => ({
    name: `answer as a proxy with ${what}`,
    make: () => endured({ serve }),
  }));
}

export function tiringControls(): Attempt[] {
  return [
    {
      name: 'content that comes through a tunnel is taken',
      make: () => inScope(async (scope) => await endured({ leadsTo: await openSink(scope, { tls: {} }) })),
    },
  ];
}
