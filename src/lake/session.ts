import { SluiceError } from '../model/error.ts';
import { attachStatement, foldersOf, inliningStatement, isExclusive, type LakeConfig } from './config.ts';
import type { Engine, Sql } from './engine.ts';
import { isEngineBroken, lakeError } from './errors.ts';
import { makeFolder } from './folder.ts';
import { secretsOf } from './redact.ts';
import { statement } from './statement.ts';

/**
 * Rows of a row group in Parquet files; an option of the lake, which its owner may change. A million changes are logged in 1.4 s with this, in 1.9 with
 * DuckDB's default of 122,880: what is written stays in the processor's cache. And memory holds less of it.
 */
const ROW_GROUP_SIZE = 16_384;
/** The same in bytes, for wide rows: a writer takes several times as much memory as its row group. */
const ROW_GROUP_BYTES = '16MB';

/**
 * A lake's attachment to the engine and the fence against another writer.
 *
 * States: idle (not acquired) → held (acquired, attached) ⇄ dropped (acquired, but detached after a failure; the next use attaches
 * again) → idle (released, or another writer was seen).
 * Invariant: `seen` is the anchor's value that this process read or wrote last since it acquired the lake; a failure does not forget it.
 */
export class LakeSession {
  readonly #engine: Engine;
  readonly #config: LakeConfig;
  readonly #secrets: readonly string[];
  /** The engine's generation that the lake is attached to. */
  #attachedTo: number | undefined;
  #seen: number | undefined;
  /** The lake as this process left it last: a file can be replaced while it is not held. */
  #left: Anchor | undefined;

  constructor(engine: Engine, config: LakeConfig) {
    this.#engine = engine;
    this.#config = config;
    this.#secrets = config.type === 'ducklake' ? secretsOf(config.catalog) : [];
  }

  /** Attach, make the tables if they are missing, look at the anchor. Idempotent. */
  acquire(): Promise<void> {
    const doing = 'opening the lake';
    return this.#guard(doing, async (sql) => {
      if (this.#isAttached && this.#seen !== undefined) return;
      await this.#attach(sql);
      const anchor = await readAnchor(sql);
      const left = this.#left;
      this.#left = anchor;
      if (left !== undefined && (anchor.lakeUuid !== left.lakeUuid || anchor.lastBatchId < left.lastBatchId)) {
        throw new SluiceError(
          'lake_conflict',
          `The lake was replaced: its last batch was ${left.lastBatchId} and is ${anchor.lastBatchId} (${doing})`,
          'None: the daemon compares it with the source and names what it lacks in sluice.gap.',
        );
      }
      this.#seen = anchor.lastBatchId;
    });
  }

  /** Let a file-based lake go. A no-op for lakes that several processes share. */
  async release(): Promise<void> {
    if (isExclusive(this.#config)) await this.close();
  }

  async close(): Promise<void> {
    await this.#engine.exclusive(async (sql) => {
      this.#seen = undefined;
      await this.#detach(sql);
    });
  }

  /** Statements on the acquired lake, outside a transaction. After a rejection nothing is left open, and the lake can be used again. */
  use<T>(doing: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#guard(doing, async (sql) => {
      if (this.#seen === undefined) {
        throw new SluiceError('lake_conflict', `The lake is not held by this process (${doing})`, 'The daemon opens it again by itself.');
      }
      await this.#attach(sql);
      return work(sql);
    });
  }

  /**
   * One lake transaction behind the fence: `work` gets the anchor's value, and returns the value that it leaves. A writer who came in
   * between is seen here; one who comes at the same time makes one of the two commits fail. Both reject with `lake_conflict`.
   */
  write<T>(doing: string, work: (sql: Sql, fence: Fence) => Promise<{ value: T; lastBatchId: number }>): Promise<T> {
    return this.#write(doing, readAnchor, work);
  }

  /**
   * As `write`, for a batch: it takes the next number. The anchor is moved before `work`, by one statement that fails unless it is where this process saw it
   * last: to read it first is another look into the catalog. Where it is elsewhere nothing is moved, and the fence's check says so.
   */
  writeBatch<T>(doing: string, work: (sql: Sql, fence: Fence) => Promise<T>): Promise<T> {
    const move = async (sql: Sql): Promise<Anchor> => {
      if (this.#left === undefined || this.#seen === undefined) return readAnchor(sql);
      const expected = { ...this.#left, lastBatchId: this.#seen };
      let failure: unknown;
      const moved = await sql.run(MOVE, { lake_uuid: expected.lakeUuid, last_batch_id: expected.lastBatchId }).catch((error: unknown) => {
        failure = error;
      });
      if (moved === 1) return expected;
      const anchor = await anew(sql).catch((error: unknown) => {
        throw error instanceof SluiceError || failure === undefined ? error : failure;
      });
      if (anchor.lastBatchId === expected.lastBatchId && anchor.lakeUuid === expected.lakeUuid)
        throw failure ?? new Error('the anchor could not be moved');
      return anchor;
    };
    return this.#write(doing, move, async (sql, fence) => ({ value: await work(sql, fence), lastBatchId: fence.lastBatchId + 1 }));
  }

  /** As `write`, for what is no batch: behind the checked fence, and the anchor's value stays. */
  amend<T>(doing: string, work: (sql: Sql, fence: Fence) => Promise<T>): Promise<T> {
    return this.write(doing, async (sql, fence) => {
      fence.check();
      const value = await work(sql, fence);
      await fence.touch();
      return { value, lastBatchId: fence.lastBatchId };
    });
  }

  /**
   * Do `work` while no row stays in the catalog, however few there are: DuckLake writes such rows into the text of a statement, of which a value of 5 MB
   * takes the commit 12 s and the daemon 954 MB.
   */
  async withoutInlining<T>(work: () => Promise<T>): Promise<T> {
    const config = this.#config;
    if (config.type !== 'ducklake') return work();
    await this.use('looking after wide rows', (sql) => sql.run(inliningStatement({ inlineRows: 0 })));
    try {
      return await work();
    } finally {
      await this.#engine.run(inliningStatement(config));
    }
  }

  /** The caller has learnt that the lake holds this batch (say, the answer to a commit was lost): the fence expects it from now on. */
  accept(batchId: number): void {
    if (this.#seen !== undefined && batchId > this.#seen) this.#seen = batchId;
  }

  /** The anchor's value that this process saw last; undefined when the lake is not held. */
  get seen(): number | undefined {
    return this.#seen;
  }

  get #isAttached(): boolean {
    return this.#attachedTo === this.#engine.generation;
  }

  #write<T>(
    doing: string,
    begin: (sql: Sql) => Promise<Anchor>,
    work: (sql: Sql, fence: Fence) => Promise<{ value: T; lastBatchId: number }>,
  ): Promise<T> {
    return this.use(doing, async (sql) => {
      await sql.run('BEGIN');
      const anchor = await begin(sql);
      const fence: Fence = {
        lastBatchId: anchor.lastBatchId,
        check: () => {
          if (anchor.lastBatchId === this.#seen && anchor.lakeUuid === this.#left?.lakeUuid) return;
          throw new SluiceError(
            'lake_conflict',
            `Another process wrote to the lake: its last batch is ${anchor.lastBatchId}, expected ${this.#seen} (${doing})`,
            'Run one daemon per lake. Nothing is lost: the batch is tried again.',
          );
        },
        touch: async () => {
          await sql.run('UPDATE lake.sluice.anchor SET last_batch_id = last_batch_id');
        },
      };
      const { value, lastBatchId } = await work(sql, fence);
      await sql.run('COMMIT');
      this.#seen = lastBatchId;
      this.#left = { ...anchor, lastBatchId };
      return value;
    });
  }

  async #guard<T>(doing: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#engine.exclusive(async (sql) => {
      try {
        return await work(sql);
      } catch (error) {
        const wrapped = lakeError(error, doing, this.#secrets);
        // Fails where the failure ended the transaction already, or where there was none.
        await sql.run('ROLLBACK').catch(() => undefined);
        if (wrapped.code === 'lake_conflict') this.#seen = undefined;
        if (isEngineBroken(error)) this.#attachedTo = undefined;
        // A dead catalog connection, or a lock that a failed SQLite commit leaves behind, goes with the attachment.
        await this.#detach(sql);
        throw wrapped;
      }
    });
  }

  async #attach(sql: Sql): Promise<void> {
    if (this.#isAttached) return;
    for (const folder of foldersOf(this.#config)) await makeFolder(folder);
    // An engine out of memory may have refused to detach it.
    await sql.run('DETACH DATABASE IF EXISTS lake');
    await sql.run(attachStatement(this.#config, 'write'));
    if (this.#config.type === 'ducklake') await sql.run(inliningStatement(this.#config));
    this.#attachedTo = this.#engine.generation;
    const [made] = await sql.rows(
      "SELECT count(*) AS n FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = 'sluice' AND table_name = 'anchor'",
    );
    if (Number(made?.n) === 0) await this.#make(sql);
  }

  async #make(sql: Sql): Promise<void> {
    await sql.run('BEGIN');
    await sql.run(statement('tables'));
    if (this.#config.type === 'ducklake') {
      await sql.run(`CALL lake.set_option('parquet_row_group_size', ${ROW_GROUP_SIZE})`);
      await sql.run(`CALL lake.set_option('parquet_row_group_size_bytes', '${ROW_GROUP_BYTES}')`);
    }
    await sql.run('COMMIT');
    // DuckLake makes a table's place for deletes of few rows with the first such delete from a file, and until then looks for it in vain after each
    // snapshot: 4 ms of every batch for the anchor. So it has its first one now. Other catalogs answer within the process.
    if (this.#config.type === 'ducklake' && this.#config.catalog.startsWith('postgres')) {
      await sql.run("CALL ducklake_flush_inlined_data('lake', schema_name => 'sluice', table_name => 'anchor')");
      await sql.run('UPDATE lake.sluice.anchor SET last_batch_id = last_batch_id');
    }
    this.#engine.log.info({ lake: this.#config.type }, 'lake made');
  }

  async #detach(sql: Sql): Promise<void> {
    const attached = this.#isAttached;
    this.#attachedTo = undefined;
    if (!attached) return;
    await sql.run('DETACH lake').catch((error: unknown) => {
      const { code, remedy, message } = lakeError(error, 'closing the lake', this.#secrets);
      this.#engine.log.warn({ code, remedy }, message);
    });
  }
}

export interface Fence {
  /** The anchor's value in this transaction. */
  readonly lastBatchId: number;
  /** Throws `lake_conflict` when it isn't what this process saw last. */
  check(): void;
  /** Fence what leaves the anchor's value: an update that changes nothing is still one for DuckLake, and a second writer's commit fails by it. */
  touch(): Promise<void>;
}

// No WHERE: for each of its columns DuckLake would ask the catalog which files can hold such a value.
const MOVE = `UPDATE lake.sluice.anchor
  SET last_batch_id = CASE WHEN last_batch_id = $last_batch_id::BIGINT AND lake_uuid = $lake_uuid::UUID THEN last_batch_id + 1 ELSE error('moved') END`;

interface Anchor {
  readonly lakeUuid: string;
  readonly lastBatchId: number;
}

/** The anchor, in a transaction begun again: the one before it has failed. */
async function anew(sql: Sql): Promise<Anchor> {
  await sql.run('ROLLBACK');
  await sql.run('BEGIN');
  return readAnchor(sql);
}

async function readAnchor(sql: Sql): Promise<Anchor> {
  const rows = await sql.rows('SELECT lake_uuid, last_batch_id FROM lake.sluice.anchor');
  if (rows.length !== 1) {
    throw new SluiceError(
      'lake_damaged',
      `sluice.anchor of the lake has ${rows.length} rows instead of one`,
      'Something else wrote to schema sluice of the lake. Restore it from a backup or start a new lake.',
    );
  }
  return { lakeUuid: String(rows[0]?.lake_uuid), lastBatchId: Number(rows[0]?.last_batch_id) };
}
