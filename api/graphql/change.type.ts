import { enumType } from './enum-type.js';

/** What a subscription tells of an object. */
export const ChangeEnum = enumType<'ADDED' | 'UPDATED' | 'DELETED'>('Change', 'What happened to an object, as the viewer sees it.', {
  ADDED: 'It is new, or has come into the viewer\'s reach.',
  UPDATED: 'Something that the viewer sees of it changed.',
  DELETED: 'It is gone, or has left the viewer\'s reach.',
});
