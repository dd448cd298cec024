/**
 * Values in a few large pieces of memory: to the garbage collector they are nothing, however many they are and however long
 * they stay.
 *
 * Owns where each lies. A page has cells of one size, and an empty page serves any size. What is larger than the largest
 * cell stays as it came.
 */

/** Bytes of a cell. */
const cellSizes = [16, 32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 768, 1_024, 1_536, 2_048, 3_072, 4_096];
const largestCell = 4_096;
const unit = 16;
const pageSize = 128 * 1024;
/** A place is the number of a page times this, and a cell; below 0 it is one of the large. */
const placesPerPage = pageSize / unit;
/** Empty pages that wait for what comes next; more are given back. */
const spares = 8;

/** The size of the cell for so many units. */
const cellFor = Uint16Array.from(
  { length: largestCell / unit + 1 },
  (_, units) => cellSizes.find((size) => size >= units * unit) ?? largestCell,
);

interface Page {
  readonly number: number;
  readonly bytes: Buffer;
  cell: number;
  /** From here on no cell was used yet. */
  fresh: number;
  /** Cells before that are free again. */
  free: number[];
  used: number;
}

export class KeptValues {
  readonly #pages: Array<Page | undefined> = [];
  readonly #unusedNumbers: number[] = [];
  /** Those with room, by the size of their cells. */
  readonly #open = new Map<number, Page[]>(cellSizes.map((size) => [size, []]));
  readonly #empty: Page[] = [];
  readonly #large: Array<Uint8Array | undefined> = [];
  readonly #unusedLarge: number[] = [];
  #bytes = 0;

  /** What they take, with the rest of their cells. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Says where it is from now on. Its bytes are not changed any more. */
  keep(value: Uint8Array): number {
    if (value.length > largestCell) return this.#keepLarge(value);
    const cell = cellFor[Math.ceil(value.length / unit)] || unit;
    const open = this.#open.get(cell) ?? [];
    const page = open.at(-1) ?? this.#openPage(cell, open);
    const index = page.free.pop() ?? page.fresh++;
    page.bytes.set(value, index * cell);
    page.used += 1;
    this.#bytes += cell;
    if (isFull(page)) open.pop();
    return page.number * placesPerPage + index;
  }

  /** A copy, or what came when it is large. */
  read(place: number, length: number): Uint8Array {
    if (place < 0) return this.#largeAt(place);
    const { bytes, cell } = this.#pageOf(place);
    const from = (place % placesPerPage) * cell;
    const copy = Buffer.allocUnsafe(length);
    bytes.copy(copy, 0, from, from + length);
    return copy;
  }

  release(place: number): void {
    if (place < 0) {
      this.#bytes -= this.#largeAt(place).length;
      this.#large[-1 - place] = undefined;
      this.#unusedLarge.push(-1 - place);
      return;
    }
    const page = this.#pageOf(place);
    const wasFull = isFull(page);
    page.free.push(place % placesPerPage);
    page.used -= 1;
    this.#bytes -= page.cell;
    const open = this.#open.get(page.cell) ?? [];
    if (wasFull) open.push(page);
    if (page.used === 0) this.#closePage(page, open);
  }

  #openPage(cell: number, open: Page[]): Page {
    const page = this.#empty.pop() ?? this.#newPage();
    Object.assign(page, { cell, fresh: 0, free: [] });
    open.push(page);
    return page;
  }

  #newPage(): Page {
    const number = this.#unusedNumbers.pop() ?? this.#pages.length;
    const page = { number, bytes: Buffer.allocUnsafeSlow(pageSize), cell: 0, fresh: 0, free: [], used: 0 };
    this.#pages[number] = page;
    return page;
  }

  #closePage(page: Page, open: Page[]): void {
    open.splice(open.indexOf(page), 1);
    if (this.#empty.length < spares) {
      this.#empty.push(page);
    } else {
      this.#pages[page.number] = undefined;
      this.#unusedNumbers.push(page.number);
    }
  }

  #pageOf(place: number): Page {
    const page = this.#pages[Math.floor(place / placesPerPage)];
    if (!page) throw new RangeError(`nothing is kept at ${place}`);
    return page;
  }

  #keepLarge(value: Uint8Array): number {
    const index = this.#unusedLarge.pop() ?? this.#large.length;
    // A part of something larger would keep all of that.
    this.#large[index] = value.buffer.byteLength > 2 * value.length ? Uint8Array.from(value) : value;
    this.#bytes += value.length;
    return -1 - index;
  }

  #largeAt(place: number): Uint8Array {
    const value = this.#large[-1 - place];
    if (!value) throw new RangeError(`nothing is kept at ${place}`);
    return value;
  }
}

function isFull({ cell, fresh, free }: Page): boolean {
  return free.length === 0 && (fresh + 1) * cell > pageSize;
}
