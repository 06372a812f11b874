import { UserFault } from '#core/errors.js';

/** One person's enrollments for one connection type are told apart by their labels. */
export function labelTaken(chosen: string): UserFault {
  const message = chosen === ''
    ? 'You are enrolled already: change that enrollment with updateEnrollment, or give this one a "label".'
    : `You have an enrollment with the label ${JSON.stringify(chosen)} already: choose another label.`;
  return new UserFault('ALREADY_EXISTS', message, { field: ['input', 'label'] });
}
