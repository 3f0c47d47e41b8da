/** DuckDB's own copy of public.wide into a DuckLake, as a process: folder of the lab, URL of the source, catalog and data of the lake. */
import { attachStatement } from '../../src/lake/config.ts';
import { literal } from '../../src/lake/sql.ts';
import { withEngineOf } from '../lab.ts';

const [folder = '', source = '', catalog = '', data = ''] = process.argv.slice(2);
await withEngineOf({ folder }, async (engine) => {
  await engine.run(attachStatement({ type: 'ducklake', catalog, data }, 'write'));
  await engine.run(`ATTACH ${literal(source)} AS source (TYPE postgres, READ_ONLY)`);
  await engine.run('CREATE TABLE lake.main.wide AS SELECT * FROM source.public.wide');
});
