import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** A disk of 48 MB, mounted anew for each test. */
export interface SmallDisk {
  readonly disk: string;
  /** A folder that is not on it, gone after the test. */
  readonly beside: string;
  /** Leave 400 kB free; the result gives the space back. */
  fill(): Promise<() => Promise<void>>;
}

/** A suite of tests that use a small disk. A tmpfs takes root: where the tests run as somebody else none is registered, which the suite's name says. */
export function describeOnSmallDisk(name: string, tests: (small: SmallDisk) => void): void {
  const root = process.getuid?.() === 0;
  describe(root ? name : `${name} (left out: mounting a tmpfs needs root)`, () => {
    test('this process may mount, or says so', () => expect(typeof root).toBe('boolean'));
    if (!root) return;

    let beside: string;
    const disk = () => join(beside, 'disk');
    beforeEach(async () => {
      beside = await mkdtemp(join(tmpdir(), 'sluice-full-'));
      await mkdir(disk());
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk()]);
    });
    afterEach(async () => {
      execFileSync('umount', [disk()]);
      await rm(beside, { recursive: true, force: true });
    });
    tests({
      get disk() {
        return disk();
      },
      get beside() {
        return beside;
      },
      fill: async () => {
        const filler = join(disk(), 'filler');
        const free = Number(execFileSync('df', ['--output=avail', '-k', disk()], { encoding: 'utf8' }).split('\n')[1]);
        await writeFile(filler, Buffer.alloc((free - 400) * 1024, 1));
        return () => rm(filler);
      },
    });
  });
}
