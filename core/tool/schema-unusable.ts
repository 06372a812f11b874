/**
 * A schema of a server's that can't be used to check anything: not a schema, a dialect that we don't know, a `$ref` that leads out of it, a pattern without a meaning, too large.
 * `message` says why, for people; text of the server's in it is quoted and cut.
 */
export class SchemaUnusable extends Error {
  override readonly name = 'SchemaUnusable';
}
