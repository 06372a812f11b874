import { describe, expect, it } from '@jest/globals';
import { ACCEPTED_BREAKS, changesSinceRelease, schemaChanges } from '#test/support/schema-changes.js';

describe('the schema since the last release', () => {
  const { breaking, accepted } = changesSinceRelease();

  it('breaks no client, other than for a reason', () => {
    const unexplained = breaking.filter((change) => !accepted.some((one) => one.change === change));
    if (unexplained.length > 0) {
      throw new Error(`Clients of the last release break:\n${unexplained.join('\n')}\nDeprecate instead; or say why in ${ACCEPTED_BREAKS} and in CHANGELOG.md.`);
    }
  });

  it('has no reason without a break', () => {
    expect(accepted.filter(({ change }) => !breaking.includes(change))).toEqual([]);
    expect(accepted.filter(({ reason }) => typeof reason !== 'string' || reason.length < 10)).toEqual([]);
  });
});

describe('what is a break', () => {
  const released = 'type Query { a(x: Int): Int b: E } enum E { ONE TWO }';

  it.each([
    ['a field that is gone', 'type Query { c: Int b: E } enum E { ONE TWO }', ['FIELD_REMOVED: Query.a was removed.']],
    ['an argument that is required', 'type Query { a(x: Int!): Int b: E } enum E { ONE TWO }', ['ARG_CHANGED_KIND: Query.a arg x has changed type from Int to Int!.']],
    ['a value that is gone', 'type Query { a(x: Int): Int b: E } enum E { ONE }', ['VALUE_REMOVED_FROM_ENUM: TWO was removed from enum type E.']],
    ['no new field', 'type Query { a(x: Int): Int b: E c: Int } enum E { ONE TWO }', []],
  ])('%s', (_name, now, breaking) => {
    expect(schemaChanges(released, now).breaking).toEqual(breaking);
  });

  it('a new value is dangerous only', () => {
    expect(schemaChanges(released, 'type Query { a(x: Int): Int b: E } enum E { ONE TWO THREE }')).toEqual({ breaking: [], dangerous: ['VALUE_ADDED_TO_ENUM: THREE was added to enum type E.'] });
  });
});
