import { Client } from 'pg';
import { createDatabase, type Template } from '#test/support/database.js';

const people: Template = {
  name: 'people',
  async fill(url) {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('CREATE TABLE person (name text); INSERT INTO person VALUES ($$Ada$$)');
    await client.end();
  },
};

async function names(url: string): Promise<string[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<{ name: string }>('SELECT name FROM person ORDER BY name')).rows.map((row) => row.name);
  } finally {
    await client.end();
  }
}

test('Every database is a copy of the template, and apart from the others', async () => {
  const [one, two] = await Promise.all([createDatabase(people), createDatabase(people)]);
  const client = new Client({ connectionString: one.url });
  await client.connect();
  await client.query('INSERT INTO person VALUES ($$Grace$$)');
  await client.end();
  expect(await names(one.url)).toEqual(['Ada', 'Grace']);
  expect(await names(two.url)).toEqual(['Ada']);
  await one.drop();
  await two.drop();
});

test('A database without a template is empty', async () => {
  const database = await createDatabase();
  await expect(names(database.url)).rejects.toMatchObject({ code: '42P01' });
  await database.drop();
});

test('Dropping a database with a connection left open says so', async () => {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SELECT 1 AS leaked');
  await expect(database.drop()).rejects.toThrow(/left 1 database connection\(s\) open.*SELECT 1 AS leaked/);
});
