import { VectorTable } from '../../src/index/scan/vector-table.ts';
import { pack, vectorBytes, type QuantizedVector } from '../../src/index/scan/quantize.ts';
import { availableBytes } from '../../src/memory.ts';
import { Random } from '../../src/random.ts';
import { median, times, type Measure } from './report.ts';

const dimensions = 576;
const sizes = [100_000, 1_000_000];
const rounds = 15;
/** Of a query's results. */
const top = 100;
/** The largest size holds its vectors three times. */
const freeForLarge = 3e9;

/** A query's product with all vectors of an index, and its best rows, against copying the vectors once, in turn. */
export async function scan(): Promise<Measure[]> {
  return sizes.filter((rows) => rows <= 100_000 || availableBytes() >= freeForLarge).flatMap(scanOf);
}

function scanOf(rows: number): Measure[] {
  const random = Random.fromSeed(1);
  const table = new VectorTable(dimensions, rows);
  const vectors = fill(table, rows, random);
  const copied = new Int8Array(vectors.length);
  const query = randomVector(random);
  const copies: number[] = [];
  const scans: number[] = [];
  const searches: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const took = [() => copied.set(vectors), () => table.scores(query), () => table.best(query, top)].map(milliseconds);
    // The first touches the memory and is compiled on the way.
    if (round < 0) continue;
    copies.push(took[0]!);
    scans.push(took[1]!);
    searches.push(took[2]!);
  }
  const measure = (what: string, values: readonly number[]): Measure => ({
    what: `${what} of ${rows} × ${dimensions} int8, one thread: ms`,
    ours: median(values).toFixed(1),
    against: `${median(copies).toFixed(1)} copying the vectors once`,
    ratio: times(median(values) / median(copies)),
    asked: '≤ 2 ×',
  });
  return [measure('products', scans), measure(`the best ${top}`, searches)];
}

/** Fills the table with vectors that repeat after a thousand. Returns their values alone, [rows, dimensions]. */
function fill(table: VectorTable, rows: number, random: Random): Int8Array {
  const some = Array.from({ length: 1000 }, () => randomVector(random));
  const packed = some.map(pack);
  const places = table.place(rows);
  const vectors = new Int8Array(rows * dimensions);
  for (let row = 0; row < rows; row++) {
    places.set(packed[row % some.length]!, row * vectorBytes(dimensions));
    vectors.set(some[row % some.length]!.values, row * dimensions);
  }
  return vectors;
}

function randomVector(random: Random): QuantizedVector {
  return { values: Int8Array.from({ length: dimensions }, () => random.integer(255) - 127), scale: random.float() / 127 };
}

function milliseconds(action: () => unknown): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}
