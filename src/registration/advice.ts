/**
 * What to do about a failure, for each code and whom it came from.
 */
import type { ErrorCode } from '../base/errors.ts';
import type { Step } from './steps.ts';

type Advice = Partial<Record<ErrorCode, string>>;

/** What to do when RHSM cannot be asked. */
export const rhsmAdvice: Advice = {
  YGG_SERVICE_MISSING: 'Install subscription-manager, or update it, then run this again.',
  YGG_NOT_ALLOWED: 'Run this as root.',
  YGG_BUS_UNREACHABLE: 'See `systemctl status dbus rhsm`, then run this again.',
  YGG_NO_ANSWER: 'See `journalctl -u rhsm`, then run this again; --timeout waits longer.',
};

export function systemdAdvice(unit: string): Advice {
  return {
    YGG_SERVICE_MISSING: 'This host does not run systemd: start yggd in its own way.',
    YGG_NOT_ALLOWED: 'Run this as root.',
    YGG_NO_ANSWER: `See \`systemctl status ${unit}\`, then run this again.`,
    YGG_DEADLINE: `See \`systemctl status ${unit}\`; it may still end.`,
    YGG_UNIT_FAILED: `See \`systemctl status ${unit}\` and \`journalctl -u ${unit}\`.`,
  };
}

export const askingRhsm: Step = {
  ...{ name: 'register', subject: 'RHSM', doing: 'asking RHSM' },
  advice: rhsmAdvice,
  harmless: true,
};
