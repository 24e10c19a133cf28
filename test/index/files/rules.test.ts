import { describe, expect, test } from 'vitest';
import { codeLanguages, grammarOf, sourceExtensions } from '../../../src/data/grammars.ts';
import { languageOf } from '../../../src/index/files/language.ts';
import { fileReason, isSecretName } from '../../../src/index/files/rules.ts';
import { put, walked, workspaceOf } from './workspace.ts';

describe('languages', () => {
  test('that are parsed have the names that the parser gives them', () => {
    for (const extension of sourceExtensions) expect(languageOf(`a/b${extension.toUpperCase()}`)).toBe(grammarOf(`b${extension}`)?.language);
    expect(new Set(sourceExtensions.map(languageOf.bind(undefined))).size).toBeLessThanOrEqual(codeLanguages.length);
  });

  test.each([
    ['README.md', 'markdown'],
    ['README', 'text'],
    ['docs/notes', 'text'],
    ['Dockerfile', 'dockerfile'],
    ['Dockerfile.dev', 'dockerfile'],
    ['build.gradle.kts', 'kotlin'],
    ['a/Makefile', 'makefile'],
    ['CMakeLists.txt', 'cmake'],
    ['Gemfile', 'ruby'],
    ['run.sh', 'shell'],
    ['app.vue', 'vue'],
    ['.eslintrc.json', 'json'],
    ['.eslintrc', 'json'],
    ['.env.example', 'dotenv'],
    ['a.tf', 'terraform'],
    ['a.unknown', 'text'],
    ['constructor', 'text'],
    ['a.constructor', 'text'],
  ])('of %s: %s', (name, language) => {
    expect(languageOf(name)).toBe(language);
  });
});

describe('secrets by name', () => {
  test.each(
    [
      '.env .env.local .env.production prod.env .envrc server.pem server.KEY id_rsa id_rsa.pub id_ed25519 id_rsa_work cert.p12 cert.pfx release.keystore release.jks',
      '.npmrc .pypirc .netrc _netrc .htpasswd .pgpass .git-credentials credentials credentials.json .credentials.json secrets.yaml secrets.yml app-secrets.json secret.toml passwords.kdbx',
      'service-account.json my-service_account-prod.json client_secret_123.json x-firebase-adminsdk-abc.json terraform.tfstate',
    ].flatMap((names) => names.split(' ')),
  )('%s is one', (name) => {
    expect(isSecretName(name, false)).toBe(true);
  });

  test('one is told by its end whatever stands before, the end of a line as well', () => {
    expect(isSecretName('a\n.env', false)).toBe(true);
  });

  test.each('.env.example .env.sample .env.template .env.production.example example.env env.ts secrets.ts credentials.ts id_rsa.ts id_rsa_parser.go key.ts pem.py service-account.ts secretary.json tokens.json'.split(' '))(
    '%s is none',
    (name) => {
      expect(isSecretName(name, false)).toBe(false);
    },
  );
});

describe('files that are left out by their name', () => {
  test.each([
    ['lock file', 'package-lock.json yarn.lock pnpm-lock.yaml Cargo.lock poetry.lock go.sum composer.lock Gemfile.lock uv.lock'],
    ['binary', 'a.png a.WOFF2 a.tar.gz a.mp4 a.pdf a.docx model.onnx model.safetensors model.gguf pytorch_model.bin a.sqlite a.o a.so a.wasm a.pyc A.class a.jar'],
    ['source map', 'a.js.map a.css.map'],
    ['minified', 'jquery.min.js jquery-min.js a.min.css main.bundle.js'],
    ['generated', 'a.pb.go a_pb2.py a_pb2_grpc.py a.g.dart Form1.Designer.cs schema.generated.ts zz_generated.deepcopy.go a.test.ts.snap'],
    ['hidden', '.DS_Store_ .gitignore .nvmrc'],
  ])('%s: %s', (reason, names) => {
    for (const name of names.split(' ')) expect([name, fileReason(name)]).toEqual([name, reason]);
  });

  test('a hidden file of a known language is kept, and so is a name that only looks like a rule', () => {
    for (const name of '.eslintrc.js .prettierrc .gitlab-ci.yml .env.example admin.js bin.ts png mapper.ts lock.ts bundle.js pb.go constructor'.split(' ')) expect([name, fileReason(name)]).toEqual([name, undefined]);
  });
});

describe('folders that are left out by their name', () => {
  test('vendored, built and hidden ones, at any depth', async () => {
    const names = 'node_modules vendor third_party site-packages bower_components Pods Carthage __pycache__ .next .gradle .tox .mypy_cache x.egg-info .idea .git .svn'.split(' ');
    const root = await workspaceOf(Object.fromEntries(names.map((name) => [`packages/one/${name}/a.ts`, '1'])));
    const { files, excluded } = await walked(root);
    expect(files).toEqual([]);
    expect(excluded).toEqual(
      Object.fromEntries(
        names.map((name, index) => [`packages/one/${name}/`, index < 7 ? 'vendored' : index < 13 ? 'build output' : index === 13 ? 'hidden' : 'version control']),
      ),
    );
  });

  test('hidden ones that people write in are kept', async () => {
    const root = await workspaceOf({ '.github/workflows/ci.yml': '1', '.vscode/settings.json': '1' });
    expect((await walked(root)).files).toEqual(['.github/workflows/ci.yml', '.vscode/settings.json']);
  });

  test.each([
    ['target', 'Cargo.toml'],
    ['target', 'pom.xml'],
    ['bin', 'App.csproj'],
    ['obj', 'App.csproj'],
    ['dist', 'package.json'],
    ['out', 'package.json'],
    ['build', 'build.gradle.kts'],
    ['build', 'CMakeLists.txt'],
    ['coverage', 'package.json'],
    ['_build', 'mix.exs'],
  ])('%s is build output beside %s alone', async (folder, mark) => {
    const root = await workspaceOf({ [`a/${folder}/x.ts`]: '1' });
    expect((await walked(root)).files).toEqual([`a/${folder}/x.ts`]);
    await put(root, `a/${mark}`, '1');
    expect((await walked(root)).excluded).toEqual({ [`a/${folder}/`]: 'build output' });
  });

  test('build beside package.json is kept: its scripts are as often there', async () => {
    const root = await workspaceOf({ 'package.json': '{}', 'build/webpack.config.js': '1' });
    expect((await walked(root)).files).toEqual(['package.json', 'build/webpack.config.js']);
  });

  test('an environment of Python and a cache say so themselves, and the root may be either', async () => {
    const root = await workspaceOf({ 'CACHEDIR.TAG': 'Signature', 'a.py': '1', 'env/pyvenv.cfg': '1', 'env/b.py': '1', 'cache/CACHEDIR.TAG': '1', 'cache/c.py': '1' });
    expect(await walked(root)).toEqual({ files: ['CACHEDIR.TAG', 'a.py'], excluded: { 'cache/': 'build output', 'env/': 'vendored' } });
  });
});
