import { expect, test } from 'vitest';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

test.each(MIRRORS)(
  'rows that were written while triggers were off are in the lake once they are on again: %s',
  { timeout: 120_000 },
  async (kind) => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run("CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g, 'v' FROM generate_series(1, 100) g");
    await mirror.track('item');
    await mirror.drain();
    const loads = () =>
      mirror.query('SELECT mode, missing, different, extra FROM sluice.load WHERE mode <> $$fill$$ ORDER BY requested_ts');
    const write = "INSERT INTO item VALUES (101, 'new'); UPDATE item SET v = 'other' WHERE id = 1; DELETE FROM item WHERE id = 2";
    await mirror.run(`ALTER TABLE item DISABLE TRIGGER USER; ${write}`);
    await mirror.drain();
    expect(await loads()).toEqual([]);
    // On again, and captured again, before the daemon looks; another one than before, which has not seen them off.
    await mirror.run("ALTER TABLE item ENABLE TRIGGER USER; UPDATE item SET v = 'captured' WHERE id = 101");
    await mirror.restart('');
    await mirror.drain();
    await mirror.expectState('item');
    expect(await loads()).toEqual([{ mode: 'compare', missing: 0, different: 1, extra: 1 }]);
    // As pg_restore --disable-triggers does, in one transaction.
    await mirror.run(
      'ALTER TABLE item DISABLE TRIGGER USER; TRUNCATE item; INSERT INTO item VALUES (5); ALTER TABLE item ENABLE TRIGGER USER',
    );
    await mirror.drain();
    await mirror.expectState('item');
    // Tracking again changes nothing.
    await mirror.track('item');
    await mirror.drain();
    expect(await loads()).toHaveLength(2);
  },
);
