/** Where the compiled kernel is kept. */
export const kernelFile: string;
/** What that file has to hold. */
export function compileKernel(): Promise<string>;
