/** A type of PostgreSQL with values from PostgreSQL's own regression tests. */
export interface TypeCase {
  /** As in CREATE TABLE. */
  readonly type: string;
  /** Literals, without their quotes. */
  readonly values: readonly string[];
  /** Of them, by index, those that docs/types.md says the lake can't hold. */
  readonly lost?: readonly number[];
  readonly override?: string;
  /** The lake's type. */
  readonly lake: string;
}

/** What the cases need beforehand. */
export const SETUP = `
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'it''s "complicated"', 'a,b');
  CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE > -1000);
  CREATE DOMAIN posint AS integer CHECK (VALUE > 0);
  CREATE DOMAIN posint2 AS posint;
  CREATE DOMAIN ints AS integer[];
  CREATE DOMAIN doc AS jsonb;
  CREATE TYPE complex AS (r numeric, i double precision, "at" text, d jsonb);
  CREATE DOMAIN dcomplex AS complex;
  CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
`;

export const CASES: readonly TypeCase[] = [
  { type: 'boolean', lake: 'BOOLEAN', values: ['t', 'f'] },
  { type: 'smallint', lake: 'SMALLINT', values: ['0', '1234', '-1234', '32767', '-32768'] },
  { type: 'integer', lake: 'INTEGER', values: ['0', '123456', '-123456', '2147483647', '-2147483647', '-2147483648'] },
  {
    type: 'bigint',
    lake: 'BIGINT',
    values: ['123', '4567890123456789', '-4567890123456789', '9223372036854775807', '-9223372036854775808', '9007199254740993'],
  },
  {
    type: 'real',
    lake: 'FLOAT',
    values: ['0.0', '-0', '1004.30', '-34.84', '1.2345678901234e+20', '1.2345678901234e-20', '1e-45', '-1e-40', '3.4028235e+38', '1.17549435e-38', 'NaN', 'infinity', '-infinity', '16777217', '7038531e-26', '8589935e-10', '6.1e-5'], // biome-ignore format: long
  },
  {
    type: 'double precision',
    lake: 'DOUBLE',
    values: ['0.0', '-0', '1004.30', '-34.84', '1.2345678901234e+200', '1.2345678901234e-200', '5e-324', '-1.7976931348623157e+308', '2.2250738585072014e-308', 'NaN', 'infinity', '-infinity', '0.1', '9007199254740993', '123456789012345678', '1e15', '1e16', '0.00001', '32567.5', '4.940656458412465e-324'], // biome-ignore format: long
  },
  {
    type: 'numeric',
    lake: 'VARCHAR',
    values: ['0', '0.0', '-34338492.215397047', '4.31', '7799461.4119', '16397.038491', '93901.57763026', '-83028485', '74881', '-24926804.045047420', 'NaN', 'Infinity', '-Infinity', '2.50', '1e-7', '0.0001', '0.00010', '12345678901234567890.123456789012345678', '1e100', '-1e-100', '999999999999999.5', '99999999999999.95', '1000000000000000000000000000000000000000.000000000000000000000000000000000000001', '123456789.012345', '0.1', '1.0'], // biome-ignore format: long
  },
  { type: 'numeric(12,2)', lake: 'DECIMAL(12,2)', values: ['0', '2.5', '-9999999999.99', '9999999999.99', '0.01', 'NaN'], lost: [5] },
  { type: 'numeric(15,15)', lake: 'DECIMAL(15,15)', values: ['0', '0.123456789012345', '-0.999999999999999', '0.000000000000001'] },
  { type: 'numeric(15,0)', lake: 'DECIMAL(15,0)', values: ['0', '999999999999999', '-999999999999999'] },
  {
    type: 'numeric(16,8)',
    lake: 'DECIMAL(16,8)',
    values: ['0', '99999999.99999999', '-12345678.12345678', '0.00000001', '2.5', 'NaN'],
    lost: [5],
  },
  {
    type: 'numeric(38,18)',
    lake: 'DECIMAL(38,18)',
    values: [
      '0',
      '12.3',
      '12345678901234567890.123456789012345678',
      '-99999999999999999999.999999999999999999',
      '0.000000000000000001',
      'NaN',
    ],
    lost: [5],
  },
  { type: 'numeric(38,38)', lake: 'DECIMAL(38,38)', values: ['0.12345678901234567890123456789012345678', '0'] },
  { type: 'numeric(5,-2)', lake: 'DECIMAL(7,0)', values: ['1234567', '-100', '0'] },
  { type: 'numeric(3,5)', lake: 'DECIMAL(5,5)', values: ['0.00123', '-0.00999', '0'] },
  { type: 'numeric(40,2)', lake: 'VARCHAR', values: ['12345678901234567890123456789012345678.25', '2.5', 'NaN'] },
  {
    type: 'numeric',
    override: 'decimal(30,8)',
    lake: 'DECIMAL(30,8)',
    values: [
      '2.50',
      '1234567890123456789012.12345678',
      '0.123456780000',
      'NaN',
      'Infinity',
      '0.123456789',
      '1e22',
      '1e-9',
      '-0.00000001',
      '1e-8',
    ],
    lost: [3, 4, 5, 6, 7],
  },
  { type: 'numeric(12,2)', override: 'varchar', lake: 'VARCHAR', values: ['2.50', 'NaN', '100'] },
  {
    type: 'money',
    lake: 'DECIMAL(19,2)',
    values: ['123.45', '-123.45', '92233720368547758.07', '-92233720368547758.08', '0', '1234567.8'],
  },
  { type: 'char(6)', lake: 'VARCHAR', values: ['a', 'abcdef', ''] },
  {
    type: 'text',
    lake: 'VARCHAR',
    values: ['', ' ', 'null', 'NULL', 'doh!', 'hi de ho neighbor', '\\x41', '"quoted"', 'back\\slash', '{"v":1.50}', '🦆 \u2028 \u007f é', 'a\tb\nc\rd\be\u0001', '-0', 'NaN'], // biome-ignore format: long
  },
  { type: 'varchar(20)', lake: 'VARCHAR', values: ['c', 'abcde   ', ''] },
  { type: 'name', lake: 'VARCHAR', values: ['1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890abcdefghijklmnopqr', 'sel"ect'] },
  { type: '"char"', lake: 'VARCHAR', values: ['a', ''] },
  { type: 'bytea', lake: 'BLOB', values: ['', '\\xDeAdBeEf', '\\x00', '\\x5c780a00ff', 'De\\123dBeEf', '\\\\x41'] },
  {
    type: 'date',
    lake: 'DATE',
    values: ['1957-04-09', '2000-02-29', '2040-04-10 BC', '0044-03-15 BC', '0001-12-31 BC', '0001-01-01', 'infinity', '-infinity', 'epoch', '5874897-12-31', '4713-01-01 BC', '10000-01-01', '99999-12-31'], // biome-ignore format: long
  },
  { type: 'time', lake: 'TIME', values: ['00:00', '23:59:59.999999', '24:00:00', '12:00:00.01', '07:07 PST'] },
  { type: 'timetz', lake: 'VARCHAR', values: ['00:01 PDT', '24:00:00 PDT', '23:59:59.999999+15:59', '02:03:04-00:30:15'] },
  {
    type: 'timestamp',
    lake: 'TIMESTAMP',
    values: ['1997-02-10 17:32:01', '1997-02-10 17:32:01.123456', 'infinity', '-infinity', 'epoch', '0097-02-16 17:32:01 BC', '4714-11-24 00:00:00 BC', '5097-02-16', '10000-01-01 00:00:01.5', '294247-01-10 04:00:54.775806', '294247-01-10 04:00:54.775807', '294276-12-31 23:59:59.999999', '0001-01-01 00:00:00', '1999-12-31 24:00:00', '4713-01-01 00:00:00.000001 BC'], // biome-ignore format: long
    lost: [10, 11],
  },
  {
    type: 'timestamptz',
    lake: 'TIMESTAMP WITH TIME ZONE',
    values: ['1997-02-10 17:32:01-08', '2000-03-15 08:14:01.123456 GMT+8', 'infinity', '-infinity', '0097-02-16 17:32:01 BC', '4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59+00', '10000-01-01 00:00:00+05:30', '0001-12-31 BC', '1901-12-14 01:30:00 Asia/Kolkata'], // biome-ignore format: long
    lost: [6],
  },
  { type: 'timestamp(0)', lake: 'TIMESTAMP', values: ['1997-02-10 17:32:01.6'] },
  {
    type: 'interval',
    lake: 'VARCHAR',
    values: ['1 year 2 months -3 days -04:05:06.789', '@ 14 seconds ago', '178000000 years', '-178000000 years', '00:00:00.000001', '6 years', '1 month -1 days', '2562047788:00:54.775807'], // biome-ignore format: long
  },
  {
    type: 'uuid',
    lake: 'UUID',
    values: ['11111111-1111-1111-1111-111111111111', '{FFFFFFFF-ffff-4fff-bfff-ffffffffffff}', '00000000-0000-0000-0000-000000000000'],
  },
  {
    type: 'json',
    lake: 'JSON',
    values: ['""', '"abc"', '1', '0', '-0', '0.1', '1.50', '9223372036854775808', '1e100', '1.3e100', '{}', '{ }', '[]', '[1,2]', ' {"a" : 1.0 , "a":2} ', '{"abc":[1.10,2,null,{"v":3.50}]}', 'true', 'true ', '"\\u0000"', '"\\uD834\\uDD1E"', '"\\ud800"', '{"v":1.0,"b":"\\"v\\":2.0"}', '[[1.0]]', '"é\\/"', '-1', '12345678901234567890123', '"\\u00e9"', '1E5', '{"":0.0}', 'null'], // biome-ignore format: long
    lost: [20],
  },
  {
    type: 'jsonb',
    lake: 'JSON',
    values: ['""', '"abc"', '1', '-0', '1.50', '{"a":1.0,"b":{"v":[1,"2",{"c":12345678901234567890.123456789012345678}]}}', '{}', '[]', '[1.0, 2]', '"\\u001f\\u007f\\""', '{"n":null,"e":"\\\\"}', '1e400', 'true', '{"\\"v\\":1":2}', 'null'], // biome-ignore format: long
  },
  { type: 'jsonb', override: 'varchar', lake: 'VARCHAR', values: ['{"a": 1.0}', '"x"', '5'] },
  { type: 'xml', lake: 'VARCHAR', values: ['<value>one &amp; "two"</value>', '<a/>', 'x'] },
  { type: 'inet', lake: 'VARCHAR', values: ['192.168.1.226/24', '10::1', '::4.3.2.1/24', '10:23::f1/64', '192.168.1.0'] },
  { type: 'cidr', lake: 'VARCHAR', values: ['192.168.1', '10:23::8000/113', '::ffff:1.2.3.4'] },
  { type: 'macaddr', lake: 'VARCHAR', values: ['08:00:2b:01:02:03', '08002b010204'] },
  { type: 'macaddr8', lake: 'VARCHAR', values: ['08:00:2b:01:02:03:04:05'] },
  { type: 'bit(11)', lake: 'VARCHAR', values: ['11011000000', '00000000000'] },
  { type: 'varbit', lake: 'VARCHAR', values: ['', '0', '01010101010'] },
  { type: 'point', lake: 'VARCHAR', values: ['(0,0)', '(-10.0,0.0)', '(1e-300,-1e-300)', '(Inf,1e+300)', '(NaN,NaN)', '(-0,0.1)'] },
  { type: 'line', lake: 'VARCHAR', values: ['{0,-1,5}', '{1,0,5}', '{nan, 1, nan}'] },
  { type: 'lseg', lake: 'VARCHAR', values: ['[(1,2),(3,4)]', '[(NaN,1),(NaN,90)]'] },
  { type: 'box', lake: 'VARCHAR', values: ['(2.0,2.0,0.0,0.0)'] },
  { type: 'path', lake: 'VARCHAR', values: ['[(1,2),(3,4)]', '((1,2),(3,4))'] },
  { type: 'polygon', lake: 'VARCHAR', values: ['(2.0,0.0),(2.0,4.0),(0.0,0.0)'] },
  { type: 'circle', lake: 'VARCHAR', values: ['<(5,1),3>', '<(100,200),NaN>'] },
  { type: 'tsvector', lake: 'VARCHAR', values: ["'w':4A,3B,2C,1D,5 a:8", 'a \'\\\\\' "x"', ''] },
  { type: 'tsquery', lake: 'VARCHAR', values: ['!(!1|!2)&3', "'\\\\'", 'a <-> b:*A'] },
  { type: 'int4range', lake: 'VARCHAR', values: ['empty', '[1,10)', '(,)', '[3,]'] },
  { type: 'numrange', lake: 'VARCHAR', values: ['[1.10,2.20)', 'empty'] },
  { type: 'textrange', lake: 'VARCHAR', values: ['["a,b","c""d")', '[,"\\\\"]'] },
  { type: 'tstzrange', lake: 'VARCHAR', values: ['[2020-01-01 00:00:00+00,infinity)'] },
  { type: 'int4multirange', lake: 'VARCHAR', values: ['{}', '{[1,3),[5,7)}'] },
  { type: 'oid', lake: 'BIGINT', values: ['0', '4294967295', '1234'] },
  { type: 'xid', lake: 'BIGINT', values: ['0', '4294967295', '42'] },
  { type: 'cid', lake: 'BIGINT', values: ['0', '4294967295'] },
  { type: 'xid8', lake: 'DECIMAL(20,0)', values: ['0', '18446744073709551615', '42'] },
  { type: 'tid', lake: 'VARCHAR', values: ['(0,0)', '(4294967295,65535)'] },
  { type: 'regclass', lake: 'VARCHAR', values: ['pg_class', '0'] },
  { type: 'regtype', lake: 'VARCHAR', values: ['integer'] },
  { type: 'pg_lsn', lake: 'VARCHAR', values: ['0/0', 'FFFFFFFF/FFFFFFFF'] },
  { type: 'pg_snapshot', lake: 'VARCHAR', values: ['12:13:', '12:20:13,15,18'] },
  { type: 'int2vector', lake: 'SMALLINT[]', values: ['1 2 3', ''] },
  { type: 'mood', lake: 'VARCHAR', values: ['sad', 'it\'s "complicated"'] },
  { type: 'cents', lake: 'DECIMAL(12,2)', values: ['2.5', '0'] },
  { type: 'posint2', lake: 'INTEGER', values: ['1', '2147483647'] },
  { type: 'ints', lake: 'INTEGER[]', values: ['{1,2}', '{}', '{NULL}', '{{1,2}}'], lost: [3] },
  { type: 'doc', lake: 'JSON', values: ['{"v": 1.50}'] },
  { type: 'complex', lake: 'JSON', values: ['(1.50,-0,"a ""b""","{""v"": 2.50}")', '(,,,)'] },
  { type: 'dcomplex', lake: 'JSON', values: ['(1.50,1e300,x,)'] },
  { type: 'complex[]', lake: 'JSON', values: ['{"(1.50,2,a,)",NULL}', '{}'] },
  { type: 'boolean[]', lake: 'BOOLEAN[]', values: ['{t,f,NULL}', '{}', '{{t},{f}}'], lost: [2] },
  {
    type: 'bigint[]',
    lake: 'BIGINT[]',
    values: ['{9223372036854775807,-9223372036854775808,NULL}', '{}', '[0:1]={5,6}', '{{1,2},{3,4}}'],
    lost: [3],
  },
  { type: 'integer[][]', lake: 'JSON', values: ['{{1,2},{3,4}}', '{1,2}', '{}'] },
  {
    type: 'text[]',
    lake: 'VARCHAR[]',
    values: ['{a,"b c",NULL,"NULL","null",""}', '{}', '{"a,b","[x]","{y}","it\'s","q\\"uote","back\\\\slash"," lead","trail ","a\nb"}', '{{a,b},{c,d}}', '{"[[1]]"}', '{1.50,-0}', '{🦆}', '{""}'], // biome-ignore format: long
    lost: [3],
  },
  { type: 'varchar(5)[]', lake: 'VARCHAR[]', values: ['{abcde,f}'] },
  {
    type: 'numeric[]',
    lake: 'VARCHAR[]',
    values: ['{1.50,2,NaN,Infinity,NULL,12345678901234567890.123456789012345678}', '{}', '{{1.50},{2}}', '{5}'],
    lost: [2],
  },
  { type: 'numeric(12,2)[]', lake: 'DECIMAL(12,2)[]', values: ['{1.5,NULL,-9999999999.99}', '{}', '{1,NaN}', '{{1.5}}'], lost: [2, 3] },
  {
    type: 'numeric(38,18)[]',
    lake: 'DECIMAL(38,18)[]',
    values: ['{12.3,12345678901234567890.123456789012345678,NULL}', '{}', '{1,NaN}'],
    lost: [2],
  },
  {
    type: 'numeric[]',
    override: 'decimal(30,8)',
    lake: 'DECIMAL(30,8)[]',
    values: ['{1.50,0.123456789}', '{2.5,1e21,NULL}', '{1e-9}'],
    lost: [0, 2],
  },
  { type: 'numeric[]', override: 'json', lake: 'JSON', values: ['{1.50,2}', '{{1.50},{2}}', '{NaN}'] },
  { type: 'text[]', override: 'varchar', lake: 'VARCHAR', values: ['{a,"b"}', '{{a},{b}}'] },
  {
    type: 'double precision[]',
    lake: 'DOUBLE[]',
    values: ['{0,-0,1e-300,NaN,-infinity,NULL,0.1}', '{}', '{{1,2}}', '{5e-324,1.5}'],
    lost: [2],
  },
  { type: 'real[]', lake: 'FLOAT[]', values: ['{0,-0,1.1,NaN,infinity,NULL,3.4028235e38,1e-45}', '{}', '{{1.5,2}}'], lost: [2] },
  { type: 'date[]', lake: 'DATE[]', values: ['{2020-01-01,infinity,"0044-03-15 BC",NULL}', '{}', '{{2020-01-01}}'], lost: [2] },
  {
    type: 'timestamptz[]',
    lake: 'TIMESTAMP WITH TIME ZONE[]',
    values: ['{"2020-01-01 00:00:00+00",infinity,NULL}', '{"0044-03-15 00:00:00+00 BC"}', '{"294276-01-01 00:00:00+00"}', '{{2020-01-01}}'],
    lost: [2, 3],
  },
  { type: 'timestamp[]', lake: 'TIMESTAMP[]', values: ['{"2020-01-01 00:00:00.5",-infinity,NULL}', '{}'] },
  { type: 'time[]', lake: 'TIME[]', values: ['{24:00:00,00:00:00.000001}'] },
  {
    type: 'uuid[]',
    lake: 'UUID[]',
    values: ['{11111111-1111-1111-1111-111111111111,NULL}', '{{11111111-1111-1111-1111-111111111111}}'],
    lost: [1],
  },
  { type: 'bytea[]', lake: 'BLOB[]', values: ['{"\\\\x00ff",NULL,"\\\\x","\\\\x275d2c22"}', '{}'] },
  { type: 'jsonb[]', lake: 'JSON', values: ['{"{\\"a\\": 1.50}",NULL}', '{}'] },
  { type: 'mood[]', lake: 'VARCHAR[]', values: ['{sad,"a,b"}'] },
  { type: 'money[]', lake: 'DECIMAL(19,2)[]', values: ['{1.5,-2}'] },
  { type: 'interval[]', lake: 'VARCHAR[]', values: ['{"1 day -00:00:01",NULL}'] },
  { type: 'cents[]', lake: 'DECIMAL(12,2)[]', values: ['{2.5}'] },
  { type: 'int4range[]', lake: 'VARCHAR[]', values: ['{"[1,3)",empty}'] },
  { type: 'oid[]', lake: 'BIGINT[]', values: ['{4294967295,0}'] },
  { type: 'ints[]', lake: 'JSON', values: ['{"{1,2}"}'] },
];
