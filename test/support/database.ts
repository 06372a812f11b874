import { randomBytes } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';

/** A database of a test's own. */
export interface TestDatabase {
  url: string;
  /** Drops it. Throws if connections are still open: a test that leaks them fails. */
  drop(): Promise<void>;
}

/** What databases are copied from: made once per run by the first who asks for it. */
export interface Template {
  /** Lower-case letters only; one name, one content. */
  name: string;
  /** Fills the empty database at `url` (migrations), and closes its connections. */
  fill(url: string): Promise<void>;
}

/** Makes a database on the server of this test run: a copy of the template, or an empty one. Takes a few dozen milliseconds. */
export async function createDatabase(template?: Template): Promise<TestDatabase> {
  const name = `${run()}_${randomBytes(6).toString('hex')}`;
  await onServer(async (client) => {
    const source = template === undefined ? 'template0' : await ensureTemplate(client, template);
    await client.query(`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE ${escapeIdentifier(source)}`);
  });
  return { url: urlOf(name), drop: () => dropDatabase(name) };
}

async function ensureTemplate(client: Client, template: Template): Promise<string> {
  const name = `${run()}_template_${template.name}`;
  await client.query('SELECT pg_advisory_lock(hashtext($1))', [name]);
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      const unfinished = `${name}_unfinished`;
      await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(unfinished)} WITH (FORCE)`);
      await client.query(`CREATE DATABASE ${escapeIdentifier(unfinished)} TEMPLATE template0`);
      await template.fill(urlOf(unfinished));
      await client.query(`ALTER DATABASE ${escapeIdentifier(unfinished)} RENAME TO ${escapeIdentifier(name)}`);
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock(hashtext($1))', [name]);
  }
  return name;
}

/** https://www.postgresql.org/docs/18/errcodes-appendix.html: object_in_use, after PostgreSQL itself has waited five seconds for them to go. */
const OBJECT_IN_USE = '55006';

/** A connection that was closed may take longer than that to be gone, on a machine that is busy; one that was left open stays. */
const DROPS = 2;

async function dropDatabase(name: string): Promise<void> {
  await onServer(async (client) => {
    for (let drops = 1; ; drops += 1) {
      const error = await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)}`).then(() => null, (reason: unknown) => reason);
      if (error === null) return;
      if ((error as { code?: string }).code !== OBJECT_IN_USE) throw error;
      if (drops < DROPS) continue;
      const { rows } = await client.query<{ query: string }>('SELECT query FROM pg_stat_activity WHERE datname = $1', [name]);
      await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`);
      throw new Error(`The test left ${rows.length} database connection(s) open; their last statements: ${rows.map((row) => row.query).join(' | ')}`, { cause: error });
    }
  });
}

/** Drops every database of this run, templates included. */
export async function dropDatabasesOfRun(): Promise<void> {
  await onServer(async (client) => {
    const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database WHERE starts_with(datname, $1)', [`${run()}_`]);
    for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(datname)} WITH (FORCE)`);
  });
}

async function onServer(work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: fromSetup('TEST_SERVER_URL') });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(database: string): string {
  const url = new URL(fromSetup('TEST_SERVER_URL'));
  url.pathname = `/${database}`;
  return url.href;
}

function run(): string {
  return fromSetup('TEST_RUN');
}

function fromSetup(key: string): string {
  const value = process.env[key];
  if (value === undefined) throw new Error(`${key} isn't set: run the tests through jest with this repository's jest.config.js, whose global setup starts PostgreSQL.`);
  return value;
}
