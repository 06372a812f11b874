/** The advisory lock that a test holds until all its processes have started. */
export const START_LOCK = 4711;
