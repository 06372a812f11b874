import { describe, expect, it } from '@jest/globals';
import { whenThere } from '#api/graphql/when-there.js';
import { Relation } from '#api/relation.js';

interface Row {
  id: string;
}

function relation(): { rows: Relation<Row>; reads: (readonly string[])[] } {
  const reads: (readonly string[])[] = [];
  const rows = new Relation<Row>(async (ids) => {
    reads.push(ids);
    return ids.filter((id) => id !== 'missing').map((id) => ({ id })).toReversed();
  }, (row) => row.id);
  return { rows, reads };
}

describe('a relation', () => {
  it('reads what is asked for at the same time at once, in the order of the keys, and gives null for what is missing', async () => {
    const { rows, reads } = relation();
    expect(await Promise.all(['a', 'missing', 'b', 'a'].map((id) => rows.load(id)))).toEqual([{ id: 'a' }, null, { id: 'b' }, { id: 'a' }]);
    expect(reads).toEqual([['a', 'missing', 'b']]);
  });

  it('gives what it has read, or was told, without a promise', async () => {
    const { rows, reads } = relation();
    rows.note('told', { id: 'told' });
    await rows.get('read');
    expect([rows.get('told'), rows.get('read'), await rows.load('told')]).toEqual([{ id: 'told' }, { id: 'read' }, { id: 'told' }]);
    expect(reads).toEqual([['read']]);
  });

  it('never gives a missing row without a promise, so that nobody throws for want of it while their neighbours wait', async () => {
    const { rows } = relation();
    expect(await rows.get('missing')).toBeNull();
    expect(rows.get('missing')).toBeInstanceOf(Promise);
  });
});

describe('whenThere', () => {
  it('answers at once when all values are there, and otherwise when they are', async () => {
    expect(whenThere([1, 2], (one, two) => one + two)).toBe(3);
    const later = whenThere([1, Promise.resolve(2)], (one, two) => one + two);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(3);
  });

  it('rejects with what a value was rejected with', async () => {
    await expect(whenThere([Promise.reject<number>(new Error('gone')), 2], (one, two) => one + two)).rejects.toThrow('gone');
  });
});
