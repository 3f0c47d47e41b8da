import postgres from 'postgres';
import { connect, install, type Sql, type TrackedTable, track } from '../../src/source/index.ts';
import { freshDatabase, type PostgresVersion } from './postgres.ts';
import { expectReplayEqualsTable, type LoggedChange, readBuffer } from './replay.ts';
import { sharedPostgres } from './shared.ts';

/** A database of its own with schema audit installed, for tests of what capture writes. */
export interface Lab extends AsyncDisposable {
  readonly url: string;
  /** As the installer (superuser). */
  readonly sql: Sql;
  /** Run statements, several at once if need be. */
  run(text: string): Promise<void>;
  /** Track tables of schema public (or "schema.name"). */
  track(...names: string[]): Promise<TrackedTable[]>;
  /** What the buffer holds, as "op table data". */
  logged(): Promise<string[]>;
  changes(): Promise<LoggedChange[]>;
  /** The log replayed must equal every tracked table. */
  check(options?: Parameters<typeof expectReplayEqualsTable>[1]): Promise<void>;
  /** Throw away all application tables, what was captured and the registry. */
  reset(): Promise<void>;
  /** Another connection, closed with the lab. */
  session(options?: { user?: string; max?: number }): Sql;
}

export async function openLab(version: PostgresVersion): Promise<Lab> {
  const database = await freshDatabase(sharedPostgres(version));
  await install(database.url);
  const sql = connect({ url: database.url, applicationName: 'lab', max: 3 });
  const sessions: Sql[] = [];
  return {
    url: database.url,
    sql,
    run: async (text) => {
      await sql.unsafe(text);
    },
    track: (...names) =>
      track(
        sql,
        names.map((name) =>
          name.includes('.') ? { schema: name.split('.')[0] ?? '', name: name.split('.')[1] ?? '' } : { schema: 'public', name },
        ),
      ),
    changes: () => readBuffer(sql),
    logged: async () => (await readBuffer(sql)).map(({ op, table, data }) => `${op} ${table.replace(/^public\./, '')} ${data}`),
    check: (options) => expectReplayEqualsTable(sql, options),
    reset: async () => {
      await sql.unsafe(`
        DO $$ DECLARE s name; BEGIN
          FOR s IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('audit', 'information_schema') AND nspname !~ '^pg_' LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', s);
          END LOOP;
        END $$;
        CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;
        TRUNCATE audit.cdc, audit.cdc_old, audit.batch; DELETE FROM audit.tracked_table`);
    },
    session: ({ user, max = 1 } = {}) => {
      const url = new URL(database.url);
      if (user) {
        url.username = user;
        url.password = 'app';
      }
      const session = postgres(url.href, { max, onnotice: () => {} }) as Sql;
      sessions.push(session);
      return session;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([sql, ...sessions].map((one) => one.end({ timeout: 1 })));
      await database.drop();
    },
  };
}

/** A role that has audit.grant_daemon() and nothing else, with its connection string; dropped with what it owns. */
export async function daemonRole(lab: Lab): Promise<{ name: string; url: string; drop(): Promise<void> }> {
  const name = `sluice_${Math.random().toString(36).slice(2, 10)}`;
  await lab.run(`CREATE ROLE ${name} LOGIN PASSWORD 'app'`);
  await lab.run(`SELECT audit.grant_daemon('${name}')`);
  return {
    name,
    url: Object.assign(new URL(lab.url), { username: name, password: 'app' }).href,
    drop: () => lab.run(`DROP OWNED BY ${name}; DROP ROLE ${name}`),
  };
}
