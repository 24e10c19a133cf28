import type { MessageSignature } from 'vscode-jsonrpc';
import { describe, expect, it } from 'vitest';
import * as panel from '../../src/protocol/panel.ts';
import * as prune from '../../src/protocol/prune.ts';
import * as train from '../../src/protocol/train.ts';
import * as worker from '../../src/protocol/worker.ts';

describe('the protocol', () => {
  it('gives every message a method of its own', () => {
    const methods = Object.values({ ...panel, ...prune, ...train, ...worker })
      .filter((value): value is typeof value & MessageSignature => 'method' in value)
      .map(({ method }) => method);
    expect(methods.length).toBeGreaterThan(0);
    expect(new Set(methods).size).toBe(methods.length);
  });
});
