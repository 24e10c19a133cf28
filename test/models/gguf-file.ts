/** Writes small GGUF files for tests, valid or not. */

/** Names of value types with their number in the format. */
const VALUE_TYPES = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, str: 8, arr: 9, u64: 10, i64: 11, f64: 12 } as const;
const TENSOR_TYPES = { F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, Q5_0: 6, Q8_0: 8, BF16: 30 } as const;

export type MetadataEntry = readonly [key: string, type: keyof typeof VALUE_TYPES | `${'str' | 'i32' | 'u32' | 'f32'}[]`, value: unknown];
export interface TensorEntry {
  readonly name: string;
  readonly type: keyof typeof TENSOR_TYPES;
  /** Row-major: [out, in]. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function buildGguf(
  metadata: readonly MetadataEntry[],
  tensors: readonly TensorEntry[],
  options: { version?: number; alignment?: number } = {},
): Buffer {
  const { version = 3, alignment = 32 } = options;
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const { name, type, shape, bytes } of tensors) {
    infos.push(string(name), number('u32', shape.length), ...shape.toReversed().map((n) => number('u64', n)));
    infos.push(number('u32', TENSOR_TYPES[type]), number('u64', offset));
    const padding = (alignment - (bytes.length % alignment)) % alignment;
    data.push(Buffer.from(bytes), Buffer.alloc(padding));
    offset += bytes.length + padding;
  }
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    number('u32', version),
    number('u64', tensors.length),
    number('u64', metadata.length),
    ...metadata.flatMap(([key, type, value]) => [string(key), ...entryValue(type, value)]),
    ...infos,
  ]);
  return Buffer.concat([header, Buffer.alloc((alignment - (header.length % alignment)) % alignment), ...data]);
}

function entryValue(type: MetadataEntry[1], value: unknown): Buffer[] {
  if (!type.endsWith('[]')) {
    const plain = type as keyof typeof VALUE_TYPES;
    return [number('u32', VALUE_TYPES[plain]), scalar(plain, value)];
  }
  const item = type.slice(0, -2) as keyof typeof VALUE_TYPES;
  const items = value as readonly unknown[];
  return [
    number('u32', VALUE_TYPES.arr),
    number('u32', VALUE_TYPES[item]),
    number('u64', items.length),
    ...items.map((one) => scalar(item, one)),
  ];
}

function scalar(type: keyof typeof VALUE_TYPES, value: unknown): Buffer {
  return type === 'str' ? string(value as string) : number(type, Number(value));
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([number('u64', bytes.length), bytes]);
}

function number(type: keyof typeof VALUE_TYPES, value: number): Buffer {
  const buffer = Buffer.alloc(8);
  switch (type) {
    case 'f32':
      buffer.writeFloatLE(value);
      return buffer.subarray(0, 4);
    case 'f64':
      buffer.writeDoubleLE(value);
      return buffer;
    case 'u64':
    case 'i64':
      buffer.writeBigUInt64LE(BigInt(value));
      return buffer;
    default: {
      buffer.writeInt32LE(value | 0);
      const widths: Partial<Record<typeof type, number>> = { u8: 1, i8: 1, bool: 1, u16: 2, i16: 2 };
      return buffer.subarray(0, widths[type] ?? 4);
    }
  }
}
