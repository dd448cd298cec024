import { describe, expect, test } from 'vitest';
import { readContent, readMetadata, requireJson } from '../../../src/remote/input.ts';

const sources = {
  readFile: (file: string) => {
    if (file === 'missing') throw new Error('ENOENT');
    return Buffer.from(`file ${file}`);
  },
  readStdin: async () => Buffer.from('piped'),
};

const text = async (argument: string | undefined): Promise<string> =>
  Buffer.from(await readContent(argument, sources)).toString();

describe('content', () => {
  test.each([
    [undefined, ''],
    ['', ''],
    ['hello', 'hello'],
    ['{"n":1}', '{"n":1}'],
    ['-', 'piped'],
    ['@data.json', 'file data.json'],
    ['-1', '-1'],
  ])('%j is %j', async (argument, expected) => {
    expect(await text(argument)).toBe(expected);
  });

  test('a file that cannot be read is named', async () => {
    await expect(text('@missing')).rejects.toMatchObject({
      code: 'YGG_USAGE',
      message: expect.stringContaining('"missing"'),
    });
  });
});

describe('--raw', () => {
  test.each(['{"a":[1]}', ' 12345678901234567890 ', '"x"', 'null', ''])('takes %j', (content) => {
    expect(() => requireJson(Buffer.from(content))).not.toThrow();
  });

  test.each(['hello', '{"a":}', '1 2', "'x'"])('refuses %j', (content) => {
    expect(() => requireJson(Buffer.from(content))).toThrow(expect.objectContaining({ code: 'YGG_USAGE' }));
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(() => requireJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not JSON/);
  });
});

describe('metadata', () => {
  test('none is null, as other servers send it', () => {
    expect(readMetadata([])).toBeNull();
  });

  test('values may hold equal signs and be empty; the last of a name counts', () => {
    expect({ ...readMetadata(['a=1', 'b=x=y', 'c=', 'a=2']) }).toEqual({ a: '2', b: 'x=y', c: '' });
  });

  test('a name is only a name', () => {
    expect(JSON.stringify(readMetadata(['__proto__=x']))).toBe('{"__proto__":"x"}');
  });

  test.each(['novalue', '=x'])('refuses %j', (entry) => {
    expect(() => readMetadata([entry])).toThrow(expect.objectContaining({ code: 'YGG_USAGE' }));
  });
});
