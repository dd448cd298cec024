/** Inputs near to right ones: what a parser meets when somebody looks for its edges. */
import fc, { type Arbitrary } from 'fast-check';

/** An input as it should be, one with some of its bytes changed, or any bytes at all. */
export function near(right: Arbitrary<Uint8Array>): Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.uint8Array({ maxLength: 4 })), { maxLength: 4 });
  const changed = fc.tuple(right, changes).map(([bytes, list]) =>
    list.reduce<Uint8Array>((current, [place, removed, put]) => {
      const at = place % (current.length + 1);
      return Buffer.concat([current.subarray(0, at), put, current.subarray(at + removed)]);
    }, bytes),
  );
  return fc.oneof({ weight: 8, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array() });
}
