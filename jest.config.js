// Tests run on what ships: the compiled output, with no transform between (facts: swc and tsc emit different decorator metadata).
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.spec.js'],
  globalSetup: '<rootDir>/dist/test/support/global-setup.js',
  globalTeardown: '<rootDir>/dist/test/support/global-teardown.js',
  transform: {},
  testSequencer: '<rootDir>/dist/test/support/sequencer.js',
  reporters: ['default', '<rootDir>/dist/test/support/chart/least-privilege.js', '<rootDir>/dist/test/support/closing-line.js'],
  // For what hangs: nothing takes so long, on a machine that is slow and busy too.
  testTimeout: 120_000,
  // Tests wait for servers, disks and child processes more than they compute.
  maxWorkers: 3,
  // What a file leaves in its worker's heap stays there (https://jestjs.io/docs/configuration#workeridlememorylimit-numberstring): after a hundred files that is more than a gigabyte, of which even the end takes seconds.
  workerIdleMemoryLimit: '500MB',
};
