/** What is relied on in smol-toml. */
import { parse, TomlDate, TomlError } from 'smol-toml';
import { expect, test } from 'vitest';

test('tables have no prototype, so that no key reaches one', () => {
  const table = parse('[a]\nb = 1');
  expect(Object.getPrototypeOf(table)).toBeNull();
  expect(Object.getPrototypeOf(table['a'])).toBeNull();
  expect(Object.keys(parse('__proto__ = 1'))).toEqual(['__proto__']);
});

test('errors know their line and column, and begin with the same words', () => {
  try {
    parse('a = 1\nb = [1,\n');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(TomlError);
    expect(error).toMatchObject({ line: expect.any(Number), column: expect.any(Number) });
    expect(String(error)).toContain('Invalid TOML document: ');
  }
});

test('a key that is there twice is an error at the second', () => {
  expect(() => parse('a = 1\n\na = 2')).toThrow(expect.objectContaining({ line: 3, column: 1 }));
});

test('the beginning of a document is one itself, unless it ends within a value', () => {
  expect({ ...parse('a = 1\n') }).toEqual({ a: 1 });
  expect(() => parse('a = """\nb = 1\n')).toThrow(TomlError);
  expect(() => parse('a = [\n  1,\n')).toThrow(TomlError);
});

test('dates are Dates that write what was written', () => {
  const written = ['2021-01-02T03:04:05.000Z', '2021-01-02', '03:04:05.000', '2021-01-02T03:04:05.500+02:00'];
  for (const text of written) {
    const { date } = parse(`date = ${text}`);
    expect(date).toBeInstanceOf(TomlDate);
    expect(date).toBeInstanceOf(Date);
    expect((date as TomlDate).toISOString()).toBe(text);
  }
});
