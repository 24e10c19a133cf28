import { knownLanguageOf } from './language.ts';
import { reasons } from './reasons.ts';
import type { Reason } from './types.ts';

/** What a file may have where nobody says otherwise: 1 MB, above which hardly any file was written by hand. */
export const DEFAULT_MOST_BYTES = 1_000_000;

/** The ignore file of ours: git's syntax, in every folder, and stronger than git's and than the rules of this file. */
export const OWN_IGNORE_FILE = '.l3pruneignore';

// Folders. Names are compared in lower case.

const VERSION_CONTROL = words('.git .hg .svn .bzr .jj .sl _darcs');

/** What other programs keep the user's keys in. */
const SECRET_FOLDERS = words('.ssh .aws .azure .gnupg .kube .gcloud .password-store');

/** Hidden folders that people write in and search; all others hold what tools keep for themselves. */
const KEPT_HIDDEN_FOLDERS = words(
  '.github .gitlab .circleci .buildkite .azure-pipelines .vscode .devcontainer',
  '.ci .husky .storybook .changeset .claude .cursor .well-known',
);

/** Copies of other people's code, by the customs of one language or another. */
const VENDORED_FOLDERS = words(
  'node_modules bower_components jspm_packages web_modules .yarn .pnpm-store .npm',
  'vendor vendored _vendor third_party third-party thirdparty 3rdparty',
  'site-packages dist-packages .venv .eggs __pypackages__ .cargo .bundle pods carthage elm-stuff',
);

/** What programs write that nobody reads, under names that are used for nothing else. */
const BUILD_FOLDERS = words(
  '.next .nuxt .output .svelte-kit .astro .angular .docusaurus .vercel .netlify .parcel-cache .turbo',
  '.nx .cache .nyc_output .vite .serverless .aws-sam .terraform .expo .wrangler',
  '__pycache__ .tox .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints htmlcov .pixi',
  '.gradle .kotlin .dart_tool .build .swiftpm deriveddata .stack-work .cabal-sandbox dist-newstyle .zig-cache zig-out',
  '.bloop .metals .bsp cmakefiles .ccls-cache .clangd _opam .lake',
);
const BUILD_FOLDER = /^(?:cmake-build-.+|bazel-(?:bin|out|testlogs)|.+\.egg-info|.+\.dist-info|.+\.xcarchive|.+\.dsym)$/;

const OF_JAVASCRIPT = ['package.json', 'tsconfig.json', 'jsconfig.json', 'deno.json'];
const OF_PYTHON = ['pyproject.toml', 'setup.py', 'setup.cfg'];
const OF_GRADLE = ['build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts'];
const OF_DOTNET = /\.(?:cs|fs|vb)proj$/;

/**
 * Names that also mean other things, and are build output beside a file of the tool that writes there. `build` beside a
 * package.json is not among them: as many repositories keep the scripts of their build there, and git's rules tell the
 * two apart better than a name does.
 */
const BUILD_FOLDERS_BESIDE: Readonly<Record<string, ReadonlyArray<string | RegExp>>> = {
  dist: [...OF_JAVASCRIPT, ...OF_PYTHON],
  out: [...OF_JAVASCRIPT, ...OF_GRADLE, 'CMakeLists.txt', 'foundry.toml'],
  build: [...OF_PYTHON, ...OF_GRADLE, 'CMakeLists.txt', 'meson.build', 'pubspec.yaml'],
  coverage: [...OF_JAVASCRIPT, 'Gemfile', 'pubspec.yaml'],
  target: ['Cargo.toml', 'pom.xml', 'build.sbt', 'project.clj', 'deps.edn'],
  bin: [OF_DOTNET],
  obj: [OF_DOTNET],
  _build: ['mix.exs', 'rebar.config', 'dune-project', 'conf.py'],
  _site: ['_config.yml'],
  site: ['mkdocs.yml'],
  cover: ['mix.exs'],
};
/** The same for other people's code. */
const VENDORED_FOLDERS_BESIDE: Readonly<Record<string, ReadonlyArray<string | RegExp>>> = { deps: ['mix.exs'] };

/** A file inside of a folder that says what the whole folder is. */
const TELLTALES: Readonly<Record<string, Reason>> = {
  'pyvenv.cfg': reasons.vendored,
  'conda-meta': reasons.vendored,
  'CACHEDIR.TAG': reasons.buildOutput, // https://bford.info/cachedir/: Cargo, pytest, mypy and others write it.
};

/** Why a folder is left out by its name and by the names beside it. */
export function folderReason(name: string, beside: ReadonlySet<string>): Reason | undefined {
  const lower = name.toLowerCase();
  if (VERSION_CONTROL.has(lower)) return reasons.versionControl;
  if (VENDORED_FOLDERS.has(lower) || isBeside(VENDORED_FOLDERS_BESIDE, lower, beside)) return reasons.vendored;
  if (BUILD_FOLDERS.has(lower) || BUILD_FOLDER.test(lower) || isBeside(BUILD_FOLDERS_BESIDE, lower, beside)) return reasons.buildOutput;
  return name.startsWith('.') && !KEPT_HIDDEN_FOLDERS.has(lower) ? reasons.hidden : undefined;
}

/** Why a folder is left out by the names inside of it. */
export function contentsReason(names: Iterable<string>): Reason | undefined {
  for (const name of names) if (Object.hasOwn(TELLTALES, name)) return TELLTALES[name];
  return undefined;
}

function isBeside(table: Readonly<Record<string, ReadonlyArray<string | RegExp>>>, name: string, beside: ReadonlySet<string>): boolean {
  if (!Object.hasOwn(table, name)) return false;
  return (table[name] ?? []).some((mark) => (typeof mark === 'string' ? beside.has(mark) : [...beside].some((other) => mark.test(other))));
}

// Files.

const LOCK_FILES = words(
  'package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock',
  'poetry.lock pipfile.lock uv.lock pdm.lock pixi.lock conda-lock.yml cargo.lock go.sum go.work.sum',
  'composer.lock gemfile.lock gems.locked podfile.lock package.resolved cartfile.resolved pubspec.lock mix.lock rebar.lock',
  'packages.lock.json project.assets.json paket.lock gradle.lockfile buildscript-gradle.lockfile flake.lock stack.yaml.lock',
  'cabal.project.freeze .terraform.lock.hcl chart.lock module.bazel.lock maven_install.json lake-manifest.json',
);

const BINARY_EXTENSIONS = words(
  'png jpg jpeg jpe gif bmp ico icns cur webp avif heic heif tif tiff psd ai eps cr2 nef dng xcf sketch fig blend exr hdr tga dds ktx ktx2', // Images
  'ttf otf woff woff2 eot pfb pfm', // Fonts
  'mp3 mp4 m4a m4v wav ogg oga ogv opus flac aac aiff mid midi webm mov avi mkv wmv flv mpg mpeg 3gp', // Media
  'zip gz tgz bz2 tbz xz txz zst lz lz4 lzma br 7z rar tar cab iso dmg img vmdk qcow2 deb rpm apk aab ipa msi pkg crx xpi vsix whl egg gem nupkg jar war ear aar phar', // Archives
  'pdf doc docx dotx xls xlsx xlsm xlsb ppt pptx odt ods odp odg pages numbers epub mobi djvu chm msg pst vsd vsdx', // Office
  'onnx ort safetensors gguf ggml bin pt pth ckpt pb tflite h5 hdf5 keras pkl pickle joblib npy npz mlmodel mlpackage caffemodel', // Models
  'parquet arrow feather orc avro sqlite sqlite3 db db3 s3db mdb accdb dbf rdb ldb sst ibd myd myi mat sav rdata rds dta sas7bdat lmdb faiss', // Databases
  'exe dll so dylib a lib o obj ko elf sys efi pdb ilk idb gch pch bc wasm node pyc pyo pyd class dex beam elc fasl hi dyn_o cmi cmo cmx cmt cmti cmxa rlib rmeta nib car mo gmo', // Objects
  'glb fbx 3ds stl max usdz unitypackage uasset umap pak wad', // Scenes
  'swf fla dat dmp hprof pcap pcapng etl evtx swp swo lockb ds_store der crt cer',
);

const MINIFIED = /[.-]min\.(?:js|mjs|cjs|css|html?|json)$|\.(?:bundle|chunk|pack)\.(?:js|mjs|cjs|css)$/;

/** What generators of code call their files. */
const GENERATED = /\.pb\.(?:go|cc|h|cs|swift|dart|validate\.go|gw\.go)$|_pb2(?:_grpc)?\.pyi?$|_pb\.(?:js|d\.ts|ts|rb)$|\.(?:g|freezed|gr|mocks|config)\.dart$|\.(?:g|g\.i|designer)\.(?:cs|vb)$|\.generated\.\w+$|(?:^|[._])zz_generated[._].*\.go$|_generated\.(?:go|rs|ts|h)$|\.snap$/;

/** Files that hold a key, a token or a password, by what the programs that read them are told to look for. */
const SECRET_FILES = [
  /^\.env(?:\.(?!(?:.+\.)?(?:example|sample|template|dist|defaults|schema)$).+)?$|^\.envrc$|^(?!(?:.*[._-])?(?:example|sample|template)\.env$).+\.env$/,
  /\.(?:pem|key|p8|p12|pfx|jks|keystore|kdbx|kdb|ppk|pkcs12|ovpn|tfstate|tfstate\.backup|agekey|keytab)$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)[^.]*(?:\.(?:pub|old|bak|orig|txt))?$/,
  /^(?:\.npmrc|\.pypirc|\.netrc|_netrc|\.htpasswd|\.pgpass|\.my\.cnf|\.git-credentials|\.dockercfg|\.dockerconfigjson|\.s3cfg|\.boto|\.vault-token|\.gem_credentials)$/,
  /^\.?credentials(?:\.(?:json|ya?ml|toml|ini|xml|csv|txt))?$/,
  /^(?:.*[._-])?secrets?\.(?:json|ya?ml|toml|ini|xml|txt|properties)$/,
  /^(?:.*[._-])?(?:service[-_]?account|client[-_]?secret|firebase-adminsdk|gcp[-_]key|google[-_]credentials).*\.json$/,
];

/** Whether a file or a folder holds keys, tokens or passwords by its name. Nothing brings those back. */
export function isSecretName(name: string, isFolder: boolean): boolean {
  // A name may hold the end of a line, which ends no name.
  const lower = name.toLowerCase().replaceAll(/[\n\r\u2028\u2029]/g, ' ');
  return isFolder ? SECRET_FOLDERS.has(lower) : SECRET_FILES.some((secret) => secret.test(lower));
}

/** Why a file is left out by its name. Hidden files are kept where they are of a known language: settings, in the main. */
export function fileReason(name: string): Reason | undefined {
  const lower = name.toLowerCase();
  if (VERSION_CONTROL.has(lower)) return reasons.versionControl; // Of a worktree or a submodule, it is a file.
  if (LOCK_FILES.has(lower)) return reasons.lockFile;
  if (lower.endsWith('.map')) return reasons.sourceMap;
  if (BINARY_EXTENSIONS.has(lower.slice(lower.lastIndexOf('.') + 1)) && lower.includes('.')) return reasons.binary;
  if (MINIFIED.test(lower)) return reasons.minified;
  if (GENERATED.test(lower)) return reasons.generated;
  return name.startsWith('.') && knownLanguageOf(name) === undefined ? reasons.hidden : undefined;
}

function words(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(' ')));
}
