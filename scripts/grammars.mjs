/** What the miner and the index load to parse code, as npm has it; a bundle has a copy of each in `grammars/`. */
const grammars = ['typescript', 'tsx', 'javascript', 'python', 'go', 'rust', 'java', 'cpp', 'c-sharp', 'ruby', 'php', 'bash', 'css', 'ini', 'powershell'];

export const grammarFiles = [
  'web-tree-sitter/web-tree-sitter.wasm',
  ...grammars.map((name) => `@vscode/tree-sitter-wasm/wasm/tree-sitter-${name}.wasm`),
];
