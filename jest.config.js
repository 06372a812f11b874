// Tests run on what ships: the compiled output, with no transform between (facts: swc and tsc emit different decorator metadata).
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.spec.js'],
  globalSetup: '<rootDir>/dist/test/support/global-setup.js',
  globalTeardown: '<rootDir>/dist/test/support/global-teardown.js',
  transform: {},
  reporters: ['default', '<rootDir>/dist/test/support/chart/least-privilege.js', '<rootDir>/dist/test/support/closing-line.js'],
  testTimeout: 60_000,
  // Tests wait for servers, disks and child processes more than they compute.
  maxWorkers: 3,
};
