import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, lstat, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { languageOf } from '../../../src/index/files/language.ts';
import { readWorkspaceFile } from '../../../src/index/files/read.ts';
import type { WorkspaceFile } from '../../../src/index/files/types.ts';
import { put, workspaceOf } from './workspace.ts';

/** A file of a workspace as the walk would find it. */
async function fileOf(root: string, name: string): Promise<WorkspaceFile> {
  const absolute = path.join(root, name);
  const { size, mtimeMs } = await lstat(absolute);
  return { path: name, absolute, size, mtimeMs, language: languageOf(name) };
}

/** The text of such a file, or the reason for which it is left out. */
async function readAs(name: string, content: string | Uint8Array): Promise<string> {
  const root = await workspaceOf({ [name]: content });
  const read = await readWorkspaceFile(await fileOf(root, name));
  return 'reason' in read ? read.reason : read.text;
}

describe('encodings', () => {
  test('line ends are the file’s own, and the hash is of its bytes', async () => {
    const root = await workspaceOf({ 'a.ts': '\uFEFFone\r\ntwo\rthree\n' });
    expect(await readWorkspaceFile(await fileOf(root, 'a.ts'))).toEqual({
      text: 'one\r\ntwo\rthree\n',
      encoding: 'utf-8',
      hash: createHash('sha256').update('\uFEFFone\r\ntwo\rthree\n').digest().subarray(0, 16),
    });
  });

  test('what is not UTF-8 is read as windows-1252', async () => {
    const root = await workspaceOf({ 'a.txt': Buffer.from('caf\xe9 \x80 \x93quoted\x94', 'latin1') });
    expect(await readWorkspaceFile(await fileOf(root, 'a.txt'))).toMatchObject({ text: 'café € “quoted”', encoding: 'latin1' });
  });

  test('a lone surrogate does not survive', async () => {
    expect(await readAs('a.txt', Buffer.from('\uFEFFone \uD800 two', 'utf16le'))).toBe('one \uFFFD two');
  });

  test.each([
    ['zeros', Buffer.from([0x61, 0, 0, 0x62, 0x63, 0])],
    ['zeros in UTF-16', Buffer.from('\uFEFFa\0b', 'utf16le')],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0, 0x62, 0, 0, 0])],
    ['control characters', Buffer.from('\x01\x02\x03 some words between \x04\x05\x06')],
    ['a PDF', Buffer.from('%PDF-1.7\n1 0 obj\n')],
  ])('%s make a file binary', async (_, bytes) => {
    expect(await readAs('data', bytes)).toBe('binary');
  });

  test('the colours of a terminal do not', async () => {
    expect(await readAs('session.log', '\x1b[31mred\x1b[0m\n')).toBe('\x1b[31mred\x1b[0m\n');
  });
});

describe('what the file system says', () => {
  test('a file that has vanished since the walk, or whose folder became a file', async () => {
    const root = await workspaceOf({ 'src/a.ts': '1' });
    const file = await fileOf(root, 'src/a.ts');
    await rm(path.join(root, 'src'), { recursive: true });
    expect(await readWorkspaceFile(file)).toEqual({ reason: 'vanished' });
    await put(root, 'src', '1');
    expect(await readWorkspaceFile(file)).toEqual({ reason: 'vanished' });
  });

  test('a file that has grown since the walk', async () => {
    const root = await workspaceOf({ 'a.ts': 'one' });
    const file = await fileOf(root, 'a.ts');
    await appendFile(file.absolute, ' two');
    expect(await readWorkspaceFile(file, { mostBytes: 7 })).toMatchObject({ text: 'one two' });
    expect(await readWorkspaceFile(file, { mostBytes: 6 })).toEqual({ reason: 'too large' });
  });

  test.each([
    ['nothing', ''],
    ['white space', ' \r\n\t\u00A0\n'],
    ['a mark', '\uFEFF'],
  ])('a file that holds only %s', async (_, content) => {
    expect(await readAs('a.ts', content)).toBe('empty');
  });

  test('a file or a folder above it that became a link', async () => {
    const root = await workspaceOf({ 'src/a.ts': '1', 'src/b.ts': '2' });
    const files = [await fileOf(root, 'src/a.ts'), await fileOf(root, 'src/b.ts')] as const;
    await rm(files[0].absolute);
    await symlink('b.ts', files[0].absolute);
    expect(await readWorkspaceFile(files[0])).toEqual({ reason: 'symbolic link' });
    const outside = await workspaceOf({ 'b.ts': 'not yours' });
    await rm(path.join(root, 'src'), { recursive: true });
    await symlink(outside, path.join(root, 'src'));
    expect(await readWorkspaceFile(files[1])).toEqual({ reason: 'symbolic link' });
  });

  test('a file that became a folder or a pipe', async () => {
    const root = await workspaceOf({ 'a.ts': '1', 'b.ts': '1' });
    const files = [await fileOf(root, 'a.ts'), await fileOf(root, 'b.ts')] as const;
    for (const file of files) await rm(file.absolute);
    await mkdir(files[0].absolute);
    execFileSync('mkfifo', [files[1].absolute]);
    for (const file of files) expect(await readWorkspaceFile(file)).toEqual({ reason: 'not a regular file' });
  });

  test('a root that is a link is no link on the way', async () => {
    const root = await workspaceOf({ 'real/src/a.ts': '1' });
    await symlink('real', path.join(root, 'link'));
    expect(await readWorkspaceFile({ ...(await fileOf(path.join(root, 'link'), 'src/a.ts')) })).toMatchObject({ text: '1' });
  });

  test('a file that was written anew is read as it is now', async () => {
    const root = await workspaceOf({ 'a.ts': 'a much longer text' });
    const file = await fileOf(root, 'a.ts');
    await writeFile(path.join(root, 'b.ts'), 'new');
    await rename(path.join(root, 'b.ts'), file.absolute);
    expect(await readWorkspaceFile(file)).toMatchObject({ text: 'new' });
  });

  test('a read that is cancelled says so', async () => {
    const root = await workspaceOf({ 'a.ts': '1' });
    await expect(readWorkspaceFile(await fileOf(root, 'a.ts'), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

/** A token that is not one: put together here, so that no one who looks for tokens finds it in this file. */
const random = 'q7Zk2LmX9vRt4WyB6nHs8JdF3gPc5TaE1uKoQiYw0CxVbNrMzSlGhDjUeAfIpO'.repeat(3);
const begin = (kind: string): string => `-----BEGIN ${kind}PRIVATE KEY-----`;
const claims = (length: number): string => `eyJ${random.slice(0, length)}`;

describe('secrets', () => {
  test.each([
    ['a private key', `${begin('RSA ')}\n${random.slice(0, 64)}\n`],
    ['one with headers', `${begin('RSA ')}\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,0123456789ABCDEF\r\n\r\n${random.slice(0, 64)}\r\n`],
    ['one in a string', `const key = "${begin('')}\\n${random.slice(0, 64)}\\n";`],
    ['one of SSH', `${begin('OPENSSH ')}\n${random.slice(0, 70)}\n`],
    ['a key of Amazon', `aws_access_key_id = ${'AK'}IA2E7QX5MZ4KJ3RTWY`],
    ['a token of GitHub', `token: ${'gh'}p_${random.slice(0, 36)}`],
    ['a new token of GitHub', `${'github'}_pat_${random.slice(0, 60)}`],
    ['a token of Slack', `SLACK=${'xo'}xb-123456789012-${random.slice(0, 24)}`],
    ['a key of Google', `key=${'AI'}za${random.slice(0, 35)}`],
    ['a key of Stripe', `'${'sk'}_live_${random.slice(0, 24)}'`],
    ['a token of npm', `//registry.npmjs.org/:_authToken=${'np'}m_${random.slice(0, 36)}`],
    ['a JSON Web Token that is assigned', `const session = "${claims(30)}.${claims(80)}.${random.slice(0, 43)}"`],
  ])('%s leaves a file out', async (_, line) => {
    expect(await readAs('src/settings.ts', `first line\n${line}\nlast line\n`)).toBe('looks like a secret');
    expect(await readAs('notes.md', `first line\n${line}\nlast line\n`)).toBe('looks like a secret');
  });

  test.each([
    ['how a key begins', `const header = '${begin('')}';\nif (text.includes(header)) return true;\n`],
    ['the example of the documentation', `${'AK'}IAIOSFODNN7EXAMPLE`],
    ['a placeholder', `${'gh'}p_${'x'.repeat(36)} and ${'np'}m_${'0'.repeat(36)}`],
    ['a password', 'const password = "hunter2-Secret-9f8e7d6c5b";'],
    ['a public key', `-----BEGIN PUBLIC KEY-----\n${random.slice(0, 64)}\n`],
    ['a word that goes on', `${'AK'}IA2E7QX5MZ4KJ3RTWYABC`],
  ])('%s does not', async (_, line) => {
    expect(await readAs('src/settings.ts', line)).toBe(line);
  });

  test('are looked for in time that is linear in the text', async () => {
    const size = 900_000;
    for (const piece of ['eyJ', '=eyJaaaaaaaaaaaaa.', 'ghp_', 'AKIA', `${begin('')}\n`, 'sk-proj-', '-----BEGIN A B ', 'a', ': ', '\n* generated '])
      expect(await readAs('a.md', piece.repeat(Math.floor(size / piece.length)))).toContain(piece.slice(0, 3).trim());
  });
});

describe('generated files', () => {
  test.each([
    ['a.go', '// Code generated by protoc-gen-go. DO NOT EDIT.\n\npackage a\n'],
    ['a.ts', '/**\n * @generated by a program\n */\nexport {};\n'],
    ['a.cs', '// <auto-generated/>\nclass A {}\n'],
    ['a.py', '# -*- coding: utf-8 -*-\n# Generated by the protocol buffer compiler.  DO NOT EDIT!\n'],
    ['a.rs', '/* automatically generated by rust-bindgen 0.69 */\n'],
    ['a.js', '// This file was automatically generated.\n'],
    ['a.css', '/* AUTOGENERATED FILE */\n'],
    ['a.sh', '#!/bin/sh\n# DO NOT EDIT: this is generated from a.in\n'],
  ])('%s: %j', async (name, text) => {
    expect(await readAs(name, text)).toBe('generated');
  });

  test.each([
    ['a.go', '// The code generated by this function is small.\n'],
    ['a.ts', 'const mark = "@generated";\n'],
    ['a.ts', `${'let a;\n'.repeat(20)}// @generated\n`],
    ['a.sql', '-- The ids are autogenerated.\n'],
    ['a.md', 'This file is generated by a program.\n'],
  ])('%s is none: %j', async (name, text) => {
    expect(await readAs(name, text)).toBe(text);
  });
});

describe('minified files and data', () => {
  const longLine = 'var a=1;'.repeat(500);

  test('code of which half is in long lines is minified, and prose is not', async () => {
    for (const name of ['a.js', 'a.css', 'a.json', 'a.html', 'a.go']) expect(await readAs(name, `/* licence */\n${longLine}\n`)).toBe('minified');
    for (const name of ['a.md', 'a.txt', 'a.tex']) expect(await readAs(name, longLine)).toBe(longLine);
  });

  test('a short line, or a long one among many, does not make a file minified', async () => {
    const short = 'var a=1;'.repeat(200);
    expect(await readAs('a.js', short)).toBe(short);
    const among = `${longLine}\n${'let someName = 1;\n'.repeat(300)}`;
    expect(await readAs('a.js', among)).toBe(among);
  });

  test('JSON, CSV, SVG and XML are data above 64 KB, and code is not', async () => {
    const lines = (line: string): string => line.repeat(Math.ceil(70_000 / line.length));
    for (const name of ['a.json', 'a.csv', 'a.svg', 'a.xml', 'a.ipynb']) expect(await readAs(name, lines('"some": "value",\n'))).toBe('data');
    const code = lines('let someName = 1;\n');
    expect(await readAs('a.ts', code)).toBe(code);
  });
});
