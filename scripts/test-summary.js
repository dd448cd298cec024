// Prints `N passed, N failed` for .ci/run, as its last line, and exits with 1 when anything failed.
//
//   node scripts/test-summary.js --check STATUS --tests STATUS REPORT
//
// REPORT is what vitest's JSON reporter wrote. A run that ended badly without naming a failed test (a crash, an
// unhandled error, a test file that does not load, no report at all) counts as one failure each.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'string' }, tests: { type: 'string' } },
});

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    console.log(`No test report: ${error.message}`);
    return { testResults: [] };
  }
}

/** Counts the tests themselves, and files that failed without a failed test in them. */
function tally(report) {
  let passed = 0;
  let failed = 0;
  for (const file of report.testResults) {
    const before = failed;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed += 1;
      else if (test.status === 'failed') failed += 1;
    }
    if (file.status === 'failed' && failed === before) {
      console.log(`Failed as a whole: ${file.name}`);
      failed += 1;
    }
  }
  return { passed, failed };
}

const { passed, failed } = tally(readReport(positionals[0] ?? ''));
let unnamed = 0;
if (values.check !== '0') {
  console.log(`npm run check ended with status ${values.check}.`);
  unnamed += 1;
}
if (values.tests !== '0' && failed === 0) {
  console.log(`npm test ended with status ${values.tests} though no test failed.`);
  unnamed += 1;
}
if (values.tests === '0' && passed === 0) {
  console.log('npm test ran no tests.');
  unnamed += 1;
}

console.log(`${passed} passed, ${failed + unnamed} failed`);
process.exitCode = failed + unnamed === 0 ? 0 : 1;
