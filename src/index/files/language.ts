import path from 'node:path';
import { grammarOf } from '../../data/grammars.ts';

/** By extension, without its dot; what `grammarOf` knows goes before. */
const EXTENSIONS = {
  asciidoc: ['adoc', 'asciidoc'],
  assembly: ['asm', 's'],
  astro: ['astro'],
  batch: ['bat', 'cmd'],
  bazel: ['bzl', 'bazel'],
  clojure: ['clj', 'cljs', 'cljc', 'edn'],
  cmake: ['cmake'],
  coffeescript: ['coffee'],
  cpp: ['ino', 'ixx', 'cppm', 'tcc'],
  crystal: ['cr'],
  css: ['css', 'pcss', 'postcss'],
  csv: ['csv', 'tsv', 'psv'],
  cuda: ['cu', 'cuh'],
  cython: ['pyx', 'pxd'],
  d: ['d'],
  dart: ['dart'],
  diff: ['diff', 'patch'],
  dockerfile: ['dockerfile', 'containerfile'],
  elixir: ['ex', 'exs', 'eex', 'heex', 'leex'],
  elm: ['elm'],
  erlang: ['erl', 'hrl'],
  fortran: ['f', 'f77', 'f90', 'f95', 'f03', 'f08', 'for'],
  fsharp: ['fs', 'fsi', 'fsx'],
  gleam: ['gleam'],
  glsl: ['glsl', 'vert', 'frag', 'comp', 'geom', 'tesc', 'tese'],
  graphql: ['graphql', 'graphqls', 'gql'],
  groovy: ['groovy', 'gradle', 'gvy'],
  handlebars: ['hbs', 'handlebars', 'mustache'],
  haskell: ['hs', 'lhs'],
  hlsl: ['hlsl', 'fx'],
  html: ['html', 'htm', 'xhtml', 'erb', 'ejs', 'jinja', 'jinja2', 'j2', 'njk', 'liquid', 'cshtml', 'razor'],
  ini: ['ini', 'cfg', 'conf', 'properties', 'editorconfig', 'desktop', 'service'],
  json: ['json', 'jsonc', 'json5', 'jsonl', 'ndjson', 'geojson', 'webmanifest', 'ipynb', 'code-workspace', 'har'],
  julia: ['jl'],
  kotlin: ['kt', 'kts'],
  less: ['less'],
  lisp: ['lisp', 'lsp', 'el'],
  lua: ['lua', 'luau'],
  makefile: ['mk', 'mak'],
  markdown: ['md', 'mdx', 'markdown', 'mkd', 'mdc', 'qmd', 'rmd'],
  matlab: ['matlab'],
  nim: ['nim', 'nims'],
  nix: ['nix'],
  'objective-c': ['m', 'mm'],
  ocaml: ['ml', 'mli', 'mll', 'mly'],
  pascal: ['pas', 'dpr', 'lpr'],
  perl: ['pl', 'pm', 't', 'pod'],
  php: ['phtml', 'inc'],
  powershell: ['ps1', 'psm1', 'psd1'],
  prisma: ['prisma'],
  proto: ['proto'],
  pug: ['pug', 'jade'],
  python: ['pyi'],
  r: ['r'],
  racket: ['rkt'],
  rst: ['rst'],
  ruby: ['gemspec', 'ru', 'podspec'],
  sass: ['sass'],
  scala: ['scala', 'sc', 'sbt'],
  scheme: ['scm', 'ss'],
  scss: ['scss'],
  shell: ['sh', 'bash', 'zsh', 'fish', 'ksh', 'bats', 'command'],
  solidity: ['sol'],
  sql: ['sql', 'ddl', 'dml', 'psql', 'plsql'],
  starlark: ['star'],
  stylus: ['styl'],
  svelte: ['svelte'],
  svg: ['svg'],
  swift: ['swift'],
  terraform: ['tf', 'tfvars', 'hcl'],
  tex: ['tex', 'sty', 'cls', 'bib', 'latex'],
  text: ['txt', 'text', 'log'],
  thrift: ['thrift'],
  toml: ['toml'],
  vb: ['vb', 'vbs', 'bas'],
  verilog: ['v', 'vh', 'sv', 'svh'],
  vhdl: ['vhd', 'vhdl'],
  vim: ['vim'],
  vue: ['vue'],
  wgsl: ['wgsl'],
  xml: ['xml', 'xsd', 'xsl', 'xslt', 'xaml', 'axaml', 'plist', 'csproj', 'fsproj', 'vbproj', 'props', 'targets', 'resx', 'wsdl', 'nuspec', 'storyboard', 'xib'],
  yaml: ['yaml', 'yml'],
  zig: ['zig', 'zon'],
} as const satisfies Record<string, readonly string[]>;

/** By the whole name, in lower case. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  bazel: ['build', 'workspace'],
  cmake: ['cmakelists.txt'],
  dockerfile: ['dockerfile', 'containerfile'],
  groovy: ['jenkinsfile'],
  ini: ['.editorconfig', '.gitconfig', '.gitmodules', '.pylintrc', '.flake8', '.coveragerc'],
  json: ['.babelrc', '.eslintrc', '.prettierrc', '.stylelintrc', '.swcrc', '.jshintrc', '.jscsrc'],
  just: ['justfile', '.justfile'],
  makefile: ['makefile', 'gnumakefile', 'bsdmakefile'],
  python: ['sconstruct', 'sconscript', 'wscript'],
  ruby: ['rakefile', 'gemfile', 'guardfile', 'podfile', 'fastfile', 'vagrantfile', 'brewfile', 'capfile', 'berksfile'],
  shell: ['.bashrc', '.bash_profile', '.bash_aliases', '.profile', '.zshrc', '.zprofile', '.envrc', 'pkgbuild', 'procfile'],
  text: ['readme', 'license', 'licence', 'copying', 'notice', 'authors', 'contributors', 'changelog', 'changes', 'news', 'todo', 'install', 'codeowners'],
  vim: ['.vimrc'],
  yaml: ['.clang-format', '.clang-tidy'],
};

const byExtension = invert(EXTENSIONS);
const byName = invert(NAMES);

/** What a person would call a file's language, in lower case; "text" where its name tells nothing. */
export function languageOf(file: string): string {
  return knownLanguageOf(file) ?? 'text';
}

/** The same; undefined where its name tells nothing. */
export function knownLanguageOf(file: string): string | undefined {
  const name = path.basename(file).toLowerCase();
  const known = byName.get(name) ?? grammarOf(name)?.language ?? byExtension.get(path.extname(name).slice(1));
  if (known !== undefined) return known;
  if (/^(?:dockerfile|containerfile)\./.test(name)) return 'dockerfile';
  return name.startsWith('.env.') ? 'dotenv' : undefined;
}

function invert(table: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(table).flatMap(([language, keys]) => keys.map((key) => [key, language] as const)));
}
