import { basename } from 'node:path';
import onnxProto from 'onnx-proto';
import type { ElementType } from '../ops.ts';
import type { Constant, Graph, Node, OpName, Value } from './graph.ts';

const { onnx } = onnxProto;
const { AttributeType } = onnx.AttributeProto;
const { DataType } = onnx.TensorProto;

const elementTypes: Readonly<Record<ElementType, number>> = {
  float32: DataType.FLOAT,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
  int64: DataType.INT64,
  int8: DataType.INT8,
  uint8: DataType.UINT8,
  // ONNX has it from its version 1.16 on, and the package does not name it.
  uint4: 21,
};

/** The operators of ONNX Runtime's own domain; the rest are ONNX's. */
const contributed: ReadonlySet<OpName> = new Set(['DequantizeLinear', 'FastGelu', 'FusedMatMul', 'MatMulIntegerToFloat', 'QuickGelu', 'RotaryEmbedding']);

/** ONNX operator set 17 is the last in which the reductions take their axes as an attribute. */
const operatorSets = [
  { domain: '', version: 17 },
  { domain: 'com.microsoft', version: 1 },
];

/**
 * The graph as an ONNX model of a few KB (IR version 8). Stored tensors become external data: file name, offset and
 * length inside the checkpoint's own file, so that no weight is copied or converted.
 */
export function serialize(graph: Graph): Uint8Array {
  const model: onnxProto.onnx.IModelProto = {
    irVersion: 8,
    producerName: 'l3prune',
    opsetImport: operatorSets,
    graph: {
      name: 'l3prune',
      input: graph.inputs.map(valueInfo),
      output: graph.outputs.map(({ name, value }) => ({ ...valueInfo(value), name })),
      initializer: graph.constants.map(initializer),
      node: [...graph.nodes.map(nodeProto), ...graph.outputs.map(renamed)],
    },
  };
  return onnx.ModelProto.encode(model).finish();
}

function valueInfo({ name, type, shape }: Value): onnxProto.onnx.IValueInfoProto {
  const dim = shape.map((length) => (typeof length === 'number' ? { dimValue: length } : { dimParam: length }));
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } };
}

function initializer({ value, ...constant }: Constant): onnxProto.onnx.ITensorProto {
  const tensor = { name: value.name, dataType: elementTypes[value.type], dims: value.shape as number[] };
  if (constant.kind === 'int64') return { ...tensor, int64Data: [...constant.data] };
  if (constant.kind === 'float32') return { ...tensor, floatData: [...constant.data] };
  if (constant.kind === 'byte') return { ...tensor, int32Data: [...constant.data] };
  const { file, offset, byteLength } = constant.part;
  return {
    ...tensor,
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: [
      { key: 'location', value: basename(file) },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(byteLength) },
    ],
  };
}

function nodeProto({ op, inputs, outputs, attributes }: Node): onnxProto.onnx.INodeProto {
  return {
    name: outputs[0]!.name,
    opType: op,
    domain: contributed.has(op) ? 'com.microsoft' : '',
    input: inputs.map((value) => value.name),
    output: outputs.map((value) => value.name),
    attribute: Object.entries(attributes).map(([name, value]) => attribute(op, name, value)),
  };
}

/** Attributes that are floats even where their value is whole. */
const floats: ReadonlySet<string> = new Set(['alpha', 'epsilon']);

function attribute(op: OpName, name: string, value: number | string | readonly number[]): onnxProto.onnx.IAttributeProto {
  if (op === 'Cast') return { name, type: AttributeType.INT, i: elementTypes[value as ElementType] };
  if (typeof value === 'string') return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  if (typeof value === 'object') return { name, type: AttributeType.INTS, ints: [...value] };
  if (floats.has(name)) return { name, type: AttributeType.FLOAT, f: value as number };
  return { name, type: AttributeType.INT, i: value as number };
}

/** A node that gives a result the name it is asked for by; ONNX Runtime takes it out again. */
function renamed({ name, value }: { name: string; value: Value }): onnxProto.onnx.INodeProto {
  return { opType: 'Identity', input: [value.name], output: [name] };
}
