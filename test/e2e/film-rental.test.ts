import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { batchesOf, deploy, LAKES } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { expectStateEqualsTable, expectViewEqualsInLake } from '../support/state.ts';
import { until } from '../support/until.ts';

const SCHEMA = readFileSync(new URL('film-rental.sql', import.meta.url), 'utf8');
/** Those that ask nothing of PostgreSQL alone: each with its query. */
const VIEWS = [...SCHEMA.matchAll(/^CREATE VIEW (\w+) AS\n([^;]+);/gm)].map(([, view = '', text = '']) => [view, text] as const);
const RATINGS = ['G', 'PG', 'PG-13', 'R', 'NC-17'];

const STOCK = `
  INSERT INTO language (name) VALUES ('English'), ('Türkçe'), ('日本語');
  INSERT INTO country (country) SELECT 'Country ' || i FROM generate_series(1, 5) i;
  INSERT INTO city (city, country_id) SELECT 'City ' || i, 1 + i % 5 FROM generate_series(1, 12) i;
  INSERT INTO address (address, district, city_id, phones) SELECT i || ' Main St', 'D' || i, 1 + i % 12, ARRAY['+1 ' || i, NULL, 'a "b", {c}'] FROM generate_series(1, 30) i;
  BEGIN;
  INSERT INTO store (manager_staff_id, address_id) VALUES (1, 1), (2, 2);
  INSERT INTO staff (first_name, last_name, store_id, picture, preferences) VALUES ('Mike', 'O''Hara', 1, '\\x89504e470d0a1a0a00ff', '{"theme": "dark", "n": 1.50}'), ('Jo', 'Ünal', 2, '', '[]');
  COMMIT;
  INSERT INTO customer (store_id, first_name, last_name, email, address_id) SELECT 1 + i % 2, 'F' || i, 'L' || i, i || '@example.org', 3 + i % 28 FROM generate_series(1, 30) i;
  INSERT INTO actor (first_name, last_name) SELECT 'A' || i, 'B' || i FROM generate_series(1, 20) i;
  INSERT INTO category (name) VALUES ('Action'), ('Drama'), ('Horror'), ('Travel');
  INSERT INTO film (title, description, release_year, language_id, length, rating, special_features, screenings, ratings_elsewhere)
    SELECT 'Film ' || i, CASE WHEN i % 4 = 0 THEN 'A dragon meets a robot' END, 1990 + i, 1 + i % 3, 60 + i * 5, (enum_range(NULL::rating))[1 + i % 5],
      ARRAY['Trailers', 'Deleted Scenes'], ARRAY[date '2026-01-01' + i, NULL], (enum_range(NULL::rating))[1:i % 5] FROM generate_series(1, 25) i;
  INSERT INTO film_actor (actor_id, film_id) SELECT 1 + (i * 7) % 20, 1 + i % 25 FROM generate_series(1, 60) i ON CONFLICT DO NOTHING;
  INSERT INTO film_category (film_id, category_id) SELECT i, 1 + i % 4 FROM generate_series(1, 25) i;
  INSERT INTO inventory (film_id, store_id) SELECT 1 + i % 25, 1 + i % 2 FROM generate_series(1, 60) i`;

/** What happens in a rental, statement by statement; `n` makes each another one. */
const HAPPENINGS: ((n: number) => string)[] = [
  (n) => `SELECT rent(${1 + (n % 25)}, ${1 + (n % 30)}, timestamptz '2026-01-05 10:00:00.123456+00' + ${n} * interval '17 hours')`,
  (n) => `SELECT rent(${1 + ((n * 3) % 25)}, ${1 + ((n * 7) % 30)}, timestamptz '2026-02-05 10:00+00' + ${n} * interval '5 hours')`,
  (n) => `UPDATE rental SET return_date = rental_date + interval '${n % 40} days' WHERE return_date IS NULL AND rental_id % 2 = ${n % 2}`,
  (n) =>
    `UPDATE film SET special_features = array_append(special_features, 'Extra ${n}'), rental_rate = rental_rate + 0.01, rating = '${RATINGS[n % 5]}' WHERE film_id % 5 = ${n % 5}`,
  (n) =>
    `UPDATE film SET description = 'Dragon "${n}"', special_features = NULL, screenings = '{}', ratings_elsewhere = '{R,G}' WHERE film_id = ${1 + (n % 25)}`,
  (n) => `UPDATE payment SET method = CASE method WHEN 'cash' THEN 'card' ELSE 'cash' END WHERE payment_id % 7 = ${n % 7}`,
  (n) =>
    `UPDATE payment SET payment_date = payment_date + interval '1 month' WHERE payment_id % 11 = ${n % 11} AND payment_date < '2026-05-01'`,
  (n) => `INSERT INTO customer (store_id, first_name, last_name, email, address_id) VALUES (1, 'F', 'L''${n}', '${n % 40}@example.org', 5)
    ON CONFLICT (email) DO UPDATE SET active = NOT customer.active, last_name = excluded.last_name`,
  (n) => `UPDATE actor SET actor_id = actor_id + 1000 WHERE actor_id % 1000 = ${1 + (n % 20)} AND actor_id < 5000`,
  (n) => `UPDATE country SET country_id = country_id + 100, country = '${n}' WHERE country_id % 100 = ${1 + (n % 5)} AND country_id < 400`,
  (n) => `WITH gone AS (DELETE FROM film_category WHERE film_id % 25 = ${n % 25} RETURNING *)
    INSERT INTO film_category (film_id, category_id) SELECT film_id, 1 + category_id % 4 FROM gone`,
  (n) => `DELETE FROM customer WHERE customer_id = ${1 + (n % 90)} AND customer_id > 25`,
  (n) => `DELETE FROM film WHERE film_id = ${20 + (n % 6)} AND ${n} % 9 = 0`,
  (n) => `MERGE INTO inventory i USING (VALUES (${1 + (n % 70)}, ${1 + (n % 19)})) v (id, film) ON i.inventory_id = v.id
    WHEN MATCHED THEN UPDATE SET store_id = 3 - store_id WHEN NOT MATCHED THEN INSERT (film_id, store_id) VALUES (v.film, 1)`,
  (
    n,
  ) => `BEGIN; UPDATE staff SET picture = picture || '\\x${(n % 256).toString(16).padStart(2, '0')}', preferences = '{"n": ${n}}'; SAVEPOINT s;
    DELETE FROM rental; ROLLBACK TO s; UPDATE address SET phones[2] = '${n}' WHERE address_id % 9 = ${n % 9}; ${n % 4 === 0 ? 'ROLLBACK' : 'COMMIT'}`,
  // Refused by a check, a domain, a foreign key: nothing may arrive.
  (n) => `UPDATE film SET release_year = 1900 + (film_id - ${n % 20})`,
  (n) => `DELETE FROM address WHERE address_id = ${n % 30}`,
  (n) => (n % 5 === 0 ? 'TRUNCATE payment_p2026_02' : 'TRUNCATE film_actor'),
  (n) =>
    `INSERT INTO film_actor (actor_id, film_id) SELECT a.actor_id, f.film_id FROM actor a, film f WHERE (a.actor_id + f.film_id + ${n}) % 6 = 0 ON CONFLICT DO NOTHING`,
];

const STATEMENTS = 400;

test.each(LAKES)(
  'a film rental with domains, an enum, arrays, partitions, views and triggers, as it happens, %s',
  { timeout: 120_000 },
  async (kind) => {
    await using lake = await deploy(sharedPostgres(), { kind });
    const { sql } = lake;
    await sql.unsafe(SCHEMA);
    await lake.configure({ more: 'tables: ["public.*"]\n' });
    await lake.ok('install');
    const { tracked } = await lake.ok<{ tracked: { name: string }[] }>('track');
    const daemon = lake.start(['run']);
    const session = await sql.reserve();
    let refused = 0;
    try {
      await session.unsafe(STOCK);
      await until('a batch has reached the lake', () => batchesOf(daemon) > 0);
      for (let n = 0; n < STATEMENTS; n++) {
        const statement = HAPPENINGS[(n * 5 + Math.floor(n / HAPPENINGS.length)) % HAPPENINGS.length]?.(n) ?? '';
        await session.unsafe(statement).catch(async (error) => {
          expect(error.code, `${statement}: ${error.message}`).toMatch(/^23/);
          await session.unsafe('ROLLBACK');
          refused++;
        });
      }
      await until('the daemon has drained', () => batchesOf(daemon) > 1);
    } finally {
      session.release();
      daemon.process.kill('SIGTERM');
    }
    expect(await daemon.ended).toMatchObject({ code: 0 });
    await lake.ok('run', '--once');

    const changes = await lake.verify();
    const changed = new Set(changes.map(({ table, op }) => `${table.slice('public.'.length)} ${op}`));
    for (const { name } of tracked) expect([...changed]).toContain(`${name} I`);
    expect([...changed]).toEqual(expect.arrayContaining(['payment T', 'film_actor T', 'film D', 'customer D', 'rental U']));
    expect(refused).toBeGreaterThan(10);
    await lake.reading(async (query) => {
      for (const { name } of tracked) await expectStateEqualsTable(sql, query, 'public', name);
      for (const [view, definition] of VIEWS) expect(await expectViewEqualsInLake(sql, query, view, definition), view).toBeGreaterThan(0);
      expect(await query('SELECT * FROM sluice.loss')).toEqual([]);
    });
  },
);
