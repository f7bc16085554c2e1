import { unheardSteps } from '../../domain/pipeline/unheard.js';
import { type DoctorCheck, doubtful, some } from './finding.js';

export const questionChecks: readonly DoctorCheck[] = [
  {
    id: 'work.unheard',
    title: 'Whoever is to answer a question is told of it',
    group: 'Work',
    needs: ['config.valid', 'database.schema'],
    async run(context) {
      const { config, file } = await context.config();
      const active = (await context.tasks()).filter(({ state }) => state === 'active');
      const found = active.flatMap(({ name, spec }) =>
        unheardSteps(spec.pipeline, config.notify.approvals, Object.keys(config.channels)).map((step) => ({
          ...step,
          name,
        })),
      );
      const [first] = found;
      if (first === undefined) return { tasks: active.length };
      const steps = found.map(({ name, id }) => `${name} (${id})`);
      throw doubtful({
        what: `Nobody is told when these tasks ask: ${some(steps)}.`,
        why: `Their runs wait until the question expires, unless somebody happens to look. Put ${first.hint}.`,
        command: file === null ? `pao task show ${first.name}` : `\${EDITOR:-vi} ${file}`,
        evidence: { steps: steps.slice(0, 50) },
      });
    },
  },
];
