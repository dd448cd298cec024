/**
 * What another user of the same host tries, as `nobody`: real processes under its ids against the built daemon, which
 * runs as root (docs/security.md). Needs root, because only root can become somebody else.
 */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe } from 'vitest';
import { fileScope } from '../helpers/test-scope.ts';
import { yggctlProgram } from '../helpers/yggctl.ts';
import { Tally } from './attempts.ts';
import { leading, leadingControls, leadingUsers } from './local-user/astray.ts';
import { touching, touchingControls } from './local-user/files.ts';
import {
  asking,
  brokering,
  brokeringControls,
  calling,
  callingControls,
  connecting,
  connectingControls,
  looking,
  lookingControls,
  signalling,
  signallingControls,
} from './local-user/reach.ts';
import { squatting, squattingControls } from './local-user/squat.ts';
import { canTry, openStage, type Stage } from './local-user/stage.ts';
import { SwapField, swapping, swappingControls } from './local-user/swap.ts';
import { openUsers, sharing, sharingControls, type Users } from './local-user/users.ts';

if (!canTry)
  process.stdout.write('another local user: nothing is tried, only root can become somebody else\n');

/** A clone in a closed directory, as in a home of root, cannot be run by others at all. */
const openToOthers =
  canTry &&
  spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'test', '-r', yggctlProgram])
    .status === 0;
if (canTry && !openToOthers) {
  process.stdout.write('another local user: nobody else can run this clone, so its programs are not tried\n');
}

describe.skipIf(!canTry)('another local user tries to', () => {
  const tally = new Tally('another local user');
  const scope = fileScope();
  let stage: Stage;
  let field: SwapField;
  let users: Users;
  const at = (): Stage => stage;

  beforeAll(async () => {
    stage = await openStage(scope);
    field = await SwapField.open(scope, stage.stranger);
    users = await openUsers(scope);
  });

  describe('connect to its sockets', () => {
    tally.attempts(connecting(at));
    tally.controls(connectingControls(at));
  });

  describe('call its services', () => {
    tally.attempts(calling(at));
    tally.controls(callingControls(at));
  });

  describe('look into its processes', () => {
    tally.attempts(looking(at));
    tally.controls(lookingControls(at));
  });

  describe('signal its processes', () => {
    tally.attempts(signalling(at));
    tally.controls(signallingControls(at));
  });

  describe('use its embedded broker', () => {
    tally.attempts(brokering(at));
    tally.controls(brokeringControls(at));
  });

  describe('use yggctl', () => {
    if (openToOthers) tally.attempts(asking(at));
  });

  describe('touch its files', () => {
    tally.attempts(touching(at));
    tally.controls(touchingControls(at));
  });

  describe('be there first', () => {
    tally.attempts(squatting(at));
    tally.controls(squattingControls(at));
  });

  describe('get a program run', () => {
    tally.attempts(swapping(() => field));
    tally.controls(swappingControls(() => field));
  });

  describe('reach each other, as users of workers', () => {
    tally.attempts(sharing(at, () => users));
    tally.controls(sharingControls(at, () => users));
  });

  describe('lead others astray', () => {
    tally.attempts(leading(at));
    if (openToOthers) tally.attempts(leadingUsers(at));
    tally.controls(leadingControls(at));
  });

  tally.closes(100);
});
