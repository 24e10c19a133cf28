/** What the miner loads to parse code, as npm has it; a bundle has a copy of each in `grammars/`. */
const grammars = ['typescript', 'tsx', 'javascript', 'python', 'go', 'rust', 'java', 'cpp', 'c-sharp', 'ruby', 'php'];

export const grammarFiles = [
  'web-tree-sitter/web-tree-sitter.wasm',
  ...grammars.map((name) => `@vscode/tree-sitter-wasm/wasm/tree-sitter-${name}.wasm`),
];
