import type postgres from 'postgres';

const CITIES = ['Bern', 'Graz', 'Kiel', 'Lund', 'Metz', 'Pisa'];
const PRODUCTS = ['anvil', 'bell', 'candle', 'drum', 'easel', 'flute', 'globe', 'harp'];

const random = (below: number) => Math.floor(Math.random() * below);

/** Customers and products for a shop that opens. */
export async function stock(sql: postgres.Sql): Promise<void> {
  await sql`INSERT INTO customer (name, city) SELECT 'Customer ' || g, (${CITIES}::text[])[1 + g % ${CITIES.length}::int] FROM generate_series(1, 200) g`;
  await sql`INSERT INTO product (name, price, stock) SELECT n, 5 + length(n) * 3.25, 10000 FROM unnest(${PRODUCTS}::text[]) n`;
}

/** A shop with a few clerks who know nothing of sluice: orders are placed, paid, shipped, cancelled, and some transactions fail. */
export class Shop {
  readonly #sql: postgres.Sql;
  readonly #clerks: Promise<void>[];
  #closing = false;
  committed = 0;
  rolledBack = 0;
  /** The longest that one transaction took, in milliseconds. */
  slowestMs = 0;

  constructor(sql: postgres.Sql) {
    this.#sql = sql;
    this.#clerks = [1, 2, 3].map(() => this.#work());
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#clerks);
  }

  async #work(): Promise<void> {
    while (!this.#closing) {
      const started = performance.now();
      try {
        await this.#sql.begin((tx) => (random(3) === 0 ? moveOn(tx) : placeOrder(tx)));
        this.committed++;
      } catch (error) {
        if (!(error instanceof OutOfStock)) throw error;
        this.rolledBack++;
      }
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

class OutOfStock extends Error {}

async function placeOrder(tx: postgres.TransactionSql): Promise<void> {
  const [order] = await tx`INSERT INTO orders (customer_id) VALUES (${1 + random(200)}) RETURNING id`;
  await tx`INSERT INTO order_line SELECT ${order?.id}, 1 + (${random(8)} + g) % 8, ${1 + random(5)} FROM generate_series(1, ${1 + random(3)}) g`;
  await tx`UPDATE product p SET stock = stock - l.quantity FROM order_line l WHERE l.product_id = p.id AND l.order_id = ${order?.id}`;
  if (random(20) === 0) throw new OutOfStock();
}

async function moveOn(tx: postgres.TransactionSql): Promise<void> {
  await tx`UPDATE orders SET status = CASE status WHEN 'new' THEN 'paid' WHEN 'paid' THEN 'shipped' ELSE status END
    WHERE id IN (SELECT id FROM orders WHERE status IN ('new', 'paid') ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED)`;
  if (random(4) === 0)
    await tx`DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE status = 'new' ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED)`;
}
