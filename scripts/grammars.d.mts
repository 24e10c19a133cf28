/** What the miner loads to parse code, as npm has it; a bundle has a copy of each in `grammars/`. */
export const grammarFiles: readonly string[];
