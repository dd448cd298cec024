/** The order of acknowledgements beside what it promises, for any order in which packets are settled. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Acknowledgements, type Ticket } from '../../../src/mqtt/acknowledgements.ts';

/** One packet, how it is settled, and which of those that are open is settled after it came. */
const packet = fc.record({
  qos: fc.constantFrom(0, 1),
  bytes: fc.nat(100),
  state: fc.constantFrom('acknowledged', 'left'),
  settled: fc.option(fc.nat()),
});

test('each PUBACK goes out once, after those of the packets before it, and nothing stays held', () => {
  fc.assert(
    fc.property(fc.array(packet), fc.nat(), (packets, choice) => {
      const written: number[] = [];
      const queue = new Acknowledgements((packetId) => written.push(packetId));
      const tickets: Ticket[] = [];
      const open: Array<{ readonly ticket: Ticket; readonly state: 'acknowledged' | 'left' }> = [];
      const settle = (which: number): void => {
        const [one] = open.splice(which % Math.max(1, open.length), 1);
        if (one) queue.settle(one.ticket, one.state);
      };
      /** What is due by now: everything before the first that is open. */
      const due = (): number[] => {
        const first = tickets.findIndex(({ state }) => state === 'open');
        return tickets
          .slice(0, first < 0 ? tickets.length : first)
          .filter(({ state, packetId }) => state === 'acknowledged' && packetId !== 0)
          .map(({ packetId }) => packetId);
      };
      for (const [index, { qos, bytes, state, settled }] of packets.entries()) {
        const ticket = queue.add(qos === 0 ? 0 : index + 1, bytes);
        tickets.push(ticket);
        open.push({ ticket, state });
        if (settled !== null) settle(settled);
        expect(written).toEqual(due());
        expect(queue.open).toBe(open.length);
        expect(queue.bytes).toBe(open.reduce((sum, one) => sum + one.ticket.bytes, 0));
      }
      while (open.length > 0) settle(choice);
      expect(written).toEqual(due());
      expect([queue.open, queue.bytes]).toEqual([0, 0]);
    }),
  );
});
