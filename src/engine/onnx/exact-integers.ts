import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Graph } from './graph.ts';
import { serialize } from './serialize.ts';

/** Processors without VNNI add pairs of products in 16 bits, which overflow, unless this is said. */
const exactly = { x64quantprecision: '1' };

/** Two products of these are more than 16 bits hold. */
const [largestUnsigned, largestSigned] = [255, 127];
const inner = 64;
const columns = 16;
/** One row is multiplied by a kernel of its own. */
const rowCounts = [1, 4];

let found: Promise<boolean> | undefined;

/**
 * What a session has to be told so that products of 8-bit integers are exact on this processor. Where they are anyway
 * nothing is: ONNX Runtime 1.30 would take a kernel that is less than half as fast even where VNNI is there.
 */
export async function exactIntegers(): Promise<Partial<typeof exactly>> {
  found ??= isExact().catch(() => false);
  return (await found) ? {} : exactly;
}

/** Whether the largest products come out as they should, asked of ONNX Runtime itself. */
async function isExact(): Promise<boolean> {
  const session = await InferenceSession.create(product(), { executionProviders: ['cpu'], intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    for (const rows of rowCounts) {
      const { y } = await session.run({
        a: new Tensor('uint8', new Uint8Array(rows * inner).fill(largestUnsigned), [rows, inner]),
        b: new Tensor('int8', new Int8Array(inner * columns).fill(largestSigned), [inner, columns]),
      });
      if (!(y!.data as Float32Array).every((value) => value === inner * largestUnsigned * largestSigned)) return false;
    }
    return true;
  } finally {
    await session.release();
  }
}

function product(): Uint8Array {
  const graph = new Graph();
  const a = graph.input('a', 'uint8', ['rows', inner]);
  const b = graph.input('b', 'int8', [inner, columns]);
  const [y] = graph.node('MatMulIntegerToFloat', [a, b, graph.scalar(1), graph.scalar(1), graph.byte('uint8', 0)], {}, [{ type: 'float32', shape: ['rows', columns] }]);
  graph.output('y', y!);
  return serialize(graph);
}
