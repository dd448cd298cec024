/**
 * The order in which one connection acknowledges what it received.
 *
 * Owns the packets received and not settled, oldest first, and how much memory they hold. A PUBACK waits for those of
 * the packets before it (MQTT 3.1.1, 4.6), but not for packets that are left to the broker.
 */
export interface Ticket {
  /** Packet identifier; 0 for QoS 0, which is settled like the others but never answered. */
  readonly packetId: number;
  readonly bytes: number;
  state: 'open' | 'acknowledged' | 'left';
}

export class Acknowledgements {
  readonly #write: (packetId: number) => void;
  /** Open tickets and settled ones behind them; the first is open, or there is none. */
  #tickets: Ticket[] = [];
  #head = 0;
  #bytes = 0;
  #open = 0;

  constructor(write: (packetId: number) => void) {
    this.#write = write;
  }

  /** How many are received and not settled. */
  get open(): number {
    return this.#open;
  }

  /** Payload bytes of those. */
  get bytes(): number {
    return this.#bytes;
  }

  add(packetId: number, bytes: number): Ticket {
    const ticket: Ticket = { packetId, bytes, state: 'open' };
    this.#tickets.push(ticket);
    this.#open += 1;
    this.#bytes += bytes;
    return ticket;
  }

  settle(ticket: Ticket, state: 'acknowledged' | 'left'): void {
    if (ticket.state !== 'open') return;
    ticket.state = state;
    this.#open -= 1;
    this.#bytes -= ticket.bytes;
    for (;;) {
      const first = this.#tickets[this.#head];
      if (!first || first.state === 'open') break;
      if (first.state === 'acknowledged' && first.packetId !== 0) this.#write(first.packetId);
      this.#head += 1;
    }
    // Settled tickets are cut off by halves, so that each costs the same however many wait.
    if (this.#head * 2 >= this.#tickets.length) {
      this.#tickets = this.#tickets.slice(this.#head);
      this.#head = 0;
    }
  }
}
