import { describe, expect, it } from 'vitest';
import { counted, formatBytes, formatCheckpointName, formatCount, formatDuration } from '../src/format.ts';

describe('numbers as people read them', () => {
  it.each([
    [999, '999'],
    [94_208, '94.2 K'],
    [134_515_008, '135 M'],
    [1_100_048_384, '1.1 B'],
  ])('counts %d', (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [0, '0 files'],
    [1, '1 file'],
    [2, '2 files'],
  ])('counts %d things by their name', (count, text) => expect(counted(count, 'file')).toBe(text));

  it.each([
    [12, '12 bytes'],
    [682_311, '682 kB'],
    [98_765_432, '98.8 MB'],
    [2_200_000_000, '2.2 GB'],
  ])('measures %d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.2, 'a second'],
    [3.1, '4 s'],
    [41, '50 s'],
    [55, '1 min'],
    [97, '1 min 40 s'],
    [599, '10 min'],
    [3599, '1 h'],
    [5000, '1 h 24 min'],
  ])('estimates %d seconds', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it('names a checkpoint after its model where its folder does not', () => {
    expect(formatCheckpointName({ name: 'small', baseModel: 'owner/llama' })).toBe('llama · small');
    expect(formatCheckpointName({ name: 'llama-2031', baseModel: 'llama' })).toBe('llama-2031');
  });
});
