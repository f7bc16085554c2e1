/** What a pipeline is written for. */
export type CiPlatform = 'github' | 'gitlab' | 'generic';

/** One thing a pipeline runs, and the reports it leaves; `command` is the id of the command that must be there. */
interface CiStep {
  title: string;
  command: string;
  /** Without `pao`; `$REPORTS` is the folder of the reports. */
  line: string;
}

const STEPS: readonly CiStep[] = [
  {
    title: 'Schedules are right',
    command: 'validate:scheduler',
    line: 'validate scheduler --junit $REPORTS/validate-scheduler.xml --report $REPORTS/validate-scheduler.md',
  },
  {
    title: 'Task files have no mistakes',
    command: 'lint-scheduler',
    line: 'lint-scheduler --sarif $REPORTS/lint-scheduler.sarif --junit $REPORTS/lint-scheduler.xml',
  },
  {
    title: 'The system works',
    command: 'test:system',
    line: 'test system --junit $REPORTS/test-system.xml --report $REPORTS/test-system.md',
  },
  {
    title: 'Everything that pao promises holds',
    command: 'final-validation',
    line: 'final-validation --profile ${PAO_PROFILE:-standard} --junit $REPORTS/final-validation.xml --report $REPORTS/final-validation.html --report $REPORTS/final-validation.md',
  },
  {
    title: 'Metrics, logs and traces are there',
    command: 'check:observability',
    line: 'check observability --junit $REPORTS/check-observability.xml --report $REPORTS/check-observability.md',
  },
];

/** Where each pipeline goes, and what is written there. */
const PLATFORMS: Record<
  CiPlatform,
  { path: string; write: (steps: readonly CiStep[], version: string) => string }
> = {
  github: { path: '.github/workflows/pao.yml', write: github },
  gitlab: { path: '.gitlab-ci.yml', write: gitlab },
  generic: { path: 'ci/pao.sh', write: generic },
};

/**
 * Writes a pipeline that proves an installation and the task files of a repository.
 * @param available ids of the commands of this version: what is not there is left out.
 * @returns where it belongs in the repository, and its text.
 */
export function ciPipeline(
  platform: CiPlatform,
  { version, available }: { version: string; available: readonly string[] },
): { path: string; text: string } {
  const { path, write } = PLATFORMS[platform];
  const steps = STEPS.filter(({ command }) => available.includes(command));
  return { path, text: write(steps, version) };
}

const HEAD = `# Written by "pao init ci"; change it as you like. Every check runs, also after one that failed.
`;

function github(steps: readonly CiStep[], version: string): string {
  const runs = steps.map(
    ({ title, line }) => `      - name: ${title}
        if: \${{ !cancelled() }}
        run: pao ${line}
`,
  );
  return `${HEAD}name: pao
on:
  push:
  pull_request:
permissions:
  contents: read
  # For the findings of lint-scheduler.
  security-events: write
env:
  REPORTS: reports
jobs:
  pao:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 22
      - run: npm install --global pao@${version}
${runs.join('')}      - name: Summary
        if: \${{ !cancelled() }}
        run: cat $REPORTS/*.md >> "$GITHUB_STEP_SUMMARY"
      - name: Findings
        if: \${{ !cancelled() && hashFiles('reports/*.sarif') != '' }}
        uses: github/codeql-action/upload-sarif@v3
        with:
          sarif_file: reports
      - name: Reports
        if: \${{ !cancelled() }}
        uses: actions/upload-artifact@v4
        with:
          name: pao-reports
          path: reports
`;
}

function gitlab(steps: readonly CiStep[], version: string): string {
  const jobs = steps.map(
    ({ title, command, line }) => `
pao ${command.replace(':', ' ')}:
  extends: .pao
  # ${title}
  script:
    - pao ${line}
`,
  );
  return `${HEAD}.pao:
  image: node:22
  variables:
    REPORTS: reports
  before_script:
    - npm install --global pao@${version}
  artifacts:
    when: always
    paths:
      - reports
    reports:
      junit: reports/*.xml
${jobs.join('')}`;
}

function generic(steps: readonly CiStep[], version: string): string {
  const runs = steps.map(({ title, line }) => `# ${title}\nrun ${line}\n`);
  return `#!/bin/sh
${HEAD}# Needs Node 20.19 or newer. PAO: how pao is called; PAO_PROFILE: quick, standard or full; REPORTS: where reports go.
set -u
PAO="\${PAO:-npx --yes pao@${version}}"
REPORTS="\${REPORTS:-reports}"
failed=0
run() {
  echo "── pao $*"
  $PAO "$@" || failed=$((failed + 1))
}

${runs.join('\n')}
echo "$failed of ${steps.length} failed; reports are in $REPORTS"
[ "$failed" -eq 0 ]
`;
}
