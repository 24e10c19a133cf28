/** How numbers read to a person, the same in the panel, the tree and the notifications. */

/** 45_300_000 → "45.3 M". */
export function formatCount(count: number): string {
  for (const [size, unit] of [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
  ] as const) {
    if (count >= size) return `${threeDigits(count / size)} ${unit}`;
  }
  return String(count);
}

/** 1, "file" → "1 file"; 3 → "3 files". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** 180_000_000 → "180 MB", in powers of a thousand as disks are sold. */
export function formatBytes(bytes: number): string {
  for (const [size, unit] of [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ] as const) {
    if (bytes >= size) return `${threeDigits(bytes / size)} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** 97 → "1 min 40 s": as coarse as an estimate deserves. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return 'a second';
  if (seconds < 10) return `${Math.ceil(seconds)} s`;
  const tens = Math.ceil(seconds / 10) * 10;
  if (tens < 60) return `${tens} s`;
  if (tens < 600) return tens % 60 === 0 ? `${tens / 60} min` : `${Math.floor(tens / 60)} min ${tens % 60} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A checkpoint's name beside others': a run that cut at both points names its folders only `small` and `large`. */
export function formatCheckpointName({ name, baseModel }: { readonly name: string; readonly baseModel: string }): string {
  const base = baseModel.split(/[/\\]/).at(-1) ?? baseModel;
  return name.includes(base) ? name : `${base} · ${name}`;
}

function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
