import { z } from 'zod';
import { spentTodayView } from '../budget-view.js';
import { type Operation, operation } from '../operation.js';

export const spendOperations: Operation[] = [
  operation({
    name: 'spend_today',
    method: 'GET',
    path: '/v1/spend',
    summary:
      'What agents and tasks have used since midnight in their zones, and what of their budgets there is',
    scope: 'tasks:read',
    status: 200,
    answer: 'SpendToday',
    query: z.strictObject({}),
    async handle({ services, caller }) {
      return { body: await spentTodayView(services, caller) };
    },
  }),
];
