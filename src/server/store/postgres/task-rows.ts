/** Tasks with the id of their agent; to be followed by WHERE. */
export const SELECT_TASK = `SELECT task.seq, task.id, task.agent_seq, agent.id AS agent_id, task.name, task.version,
  task.state, task.state_reason, task.scopes, task.next_due_at, task.snoozed_until, task_activity.last_run_at, task.memory,
  task.created_by, task.created_in_run, task.spawn_depth, task.created_at, task.updated_at
  FROM task JOIN agent ON agent.seq = task.agent_seq LEFT JOIN task_activity ON task_activity.task_seq = task.seq`;
