import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    // Two cores: one file at a time keeps a test that computes from starving one that waits for a window.
    maxWorkers: 2,
  },
});
