// `graphile-worker.mjs URL JOBS`: queues no-op jobs and drains them in one process with its best documented settings
// (local queue, completion in batches). Prints one JSON line.
import { makeWorkerUtils, run } from 'graphile-worker';

const [url, count] = [process.argv[2], Number(process.argv[3])];
const utils = await makeWorkerUtils({ connectionString: url });
await utils.migrate();
for (let at = 0; at < count; at += 5000) {
  const size = Math.min(5000, count - at);
  await utils.addJobs(
    Array.from({ length: size }, (_, n) => ({ identifier: 'noop', payload: { n: at + n } })),
  );
}
await utils.withPgClient((client) => client.query('VACUUM ANALYZE'));
let done = 0;
let began = 0;
let finish;
const drained = new Promise((resolve) => {
  finish = resolve;
});
const cpu = process.cpuUsage();
const runner = await run({
  preset: {
    worker: {
      connectionString: url,
      concurrentJobs: 24,
      maxPoolSize: 24,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
  logger: quiet(),
  taskList: {
    noop: () => {
      if (began === 0) began = performance.now();
      done += 1;
      if (done === count) finish();
    },
  },
});
await drained;
const seconds = (performance.now() - began) / 1000;
const used = process.cpuUsage(cpu);
await runner.stop();
await utils.release();
console.log(
  JSON.stringify({
    per_second: Math.round(count / seconds),
    worker_cpu_us: Math.round((used.user + used.system) / count),
  }),
);
process.exit(0);

function quiet() {
  const logger = { error: console.error, warn() {}, info() {}, debug() {}, log() {}, scope: () => logger };
  return logger;
}
