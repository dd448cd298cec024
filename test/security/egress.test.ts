/**
 * Where a message makes the daemon connect to, what it is shown there, and what comes back (docs/security.md): tried
 * against servers that take down everything that reaches them.
 */
import { describe } from 'vitest';
import { Tally } from './attempts.ts';
import { reaching, reachingControls } from './egress/addresses.ts';
import { answering, answeringControls } from './egress/answers.ts';
import { believing, showing, showingControls } from './egress/certificates.ts';
import { injecting, injectingControls } from './egress/headers.ts';
import { harmControls, learning, posing, sendingOn } from './egress/proxy-harm.ts';
import { tiring, tiringControls } from './egress/proxy-limits.ts';
import { asking, askingControls, avoiding } from './egress/proxy-rules.ts';

describe('a message, a server or a worker tries to', () => {
  const tally = new Tally('egress');

  describe('have the daemon connect where it must not', () => {
    tally.attempts(reaching());
    tally.controls(reachingControls());
  });

  describe('see the client certificate', () => {
    tally.attempts(showing());
    tally.controls(showingControls());
  });

  describe('pass for a server', () => {
    tally.attempts(believing());
  });

  describe('harm with an answer', () => {
    tally.attempts(answering());
    tally.controls(answeringControls());
  });

  describe('say what is not its to say', () => {
    tally.attempts(injecting());
    tally.controls(injectingControls());
  });

  describe('use a proxy', () => {
    tally.attempts(asking());
    tally.attempts(avoiding());
    tally.attempts(learning());
    tally.attempts(posing());
    tally.attempts(sendingOn());
    tally.attempts(tiring());
    tally.controls(askingControls());
    tally.controls(harmControls());
    tally.controls(tiringControls());
  });

  tally.closes(290);
});
