/**
 * Headers of a POST, made of the metadata that a worker sent with its response.
 *
 * What frames the message or concerns the connection is ours alone; everything else passes if HTTP allows it. What
 * does not pass is left out and named, and the rest of the message goes on.
 */

export interface PostHeaders {
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** Names that were left out because they or their values are not legal, or because there were too many. */
  readonly dropped: readonly string[];
}

const maxHeaders = 64;
/** Bytes of all names and values, each line's `: ` and line end included. */
const maxBytes = 16 * 1024;

/** Framing (RFC 9112 section 6), hop-by-hop (RFC 9110 section 7.6.1), and what speaks for somebody else. */
const ours: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110 section 5.6.2; workers do send names with underscores. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 9110 section 5.5. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const illegal = /[\x00-\x08\x0a-\x1f\x7f]/;

/** `userAgent` is used unless the worker names its own. */
export function postHeaders(
  metadata: Readonly<Record<string, string>> | null,
  userAgent: string,
): PostHeaders {
  const headers: string[] = [];
  const dropped: string[] = [];
  let bytes = 0;
  let named = false;
  for (const [name, raw] of Object.entries(metadata ?? {})) {
    const lower = name.toLowerCase();
    if (ours.has(lower)) continue;
    const text = raw.trim();
    // On the wire a value is bytes, not characters: one latin1 character for each byte of the UTF-8 text.
    const value = Buffer.from(text).toString('latin1');
    const length = name.length + value.length + 4;
    if (
      !token.test(name) ||
      illegal.test(value) ||
      headers.length >= 2 * maxHeaders ||
      bytes + length > maxBytes
    ) {
      dropped.push(name);
      continue;
    }
    headers.push(name, value);
    bytes += length;
    named ||= lower === 'user-agent';
  }
  if (!named) headers.push('User-Agent', userAgent);
  return { headers, dropped };
}
