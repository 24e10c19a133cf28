import { describe, expect, test } from 'vitest';
import { isPermissive, licenceOfManifest, licenceOfMetadata } from '../../../src/data/collect/licence.ts';

describe('a licence', () => {
  test.each([
    'MIT', 'mit', 'Apache-2.0', 'BSD-3-Clause', 'ISC', '0BSD', 'PSF-2.0', 'Apache-2.0 WITH LLVM-exception', 'MIT OR GPL-2.0-only', 'GPL-3.0-only OR MIT',
    '(MIT AND BSD-2-Clause) OR LGPL-2.1-only', 'MIT AND (Apache-2.0 OR GPL-2.0-only)', 'Apache-2.0 AND CNRI-Python', 'MIT or Apache-2.0',
    'MIT License', 'The MIT License (MIT)', 'Apache License 2.0', 'Apache Software License', 'Apache License, Version 2.0', 'BSD License', 'BSD', 'New BSD License',
    '3-Clause BSD License', 'BSD 3-Clause License', 'ISC License (ISCL)', 'Python Software Foundation License', 'The Unlicense (Unlicense)', 'Public Domain',
    'MIT License AND Apache Software License',
  ])('is permissive: %s', (licence) => {
    expect(isPermissive(licence)).toBe(true);
  });

  test.each([
    '', 'UNKNOWN', 'GPL-3.0-only', 'AGPL-3.0-or-later', 'LGPL-2.1-only', 'MPL-2.0', 'MPL-2.0 AND MIT', 'MIT AND GPL-2.0-only', 'Apache-2.0 AND LicenseRef-Proprietary',
    'SEE LICENSE IN LICENSE.md', 'UNLICENSED', 'Proprietary', 'GNU General Public License v3 (GPLv3)', 'Mozilla Public License 2.0 (MPL 2.0)', 'CC-BY-NC-4.0', 'BUSL-1.1',
    '(MIT', 'MIT)', 'MIT OR', 'AND', 'Apache-2.0 with Commons Clause', 'BSD-like, non-commercial', 'SSPL-1.0',
  ])('is not known to be permissive: %s', (licence) => {
    expect(isPermissive(licence)).toBe(false);
  });

  test('of a wheel is its expression, its classifiers, or its name, in that order', () => {
    const metadata = (...lines: string[]): string => `Metadata-Version: 2.4\nName: x\n${lines.join('\n')}\n\nLicense: GPL-3.0 is only spoken of here.\n`;
    expect(licenceOfMetadata(metadata('License-Expression: MIT', 'License: GPL-3.0'))).toBe('MIT');
    expect(licenceOfMetadata(metadata('License: see file', 'Classifier: License :: OSI Approved :: BSD License', 'Classifier: License :: OSI Approved'))).toBe('BSD License');
    const two = licenceOfMetadata(metadata('Classifier: License :: OSI Approved :: MIT License', 'Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)'));
    expect(isPermissive(two ?? '')).toBe(false);
    expect(licenceOfMetadata(metadata('License: MIT OR Apache-2.0', 'Classifier: License :: OSI Approved :: MIT License'))).toBe('MIT OR Apache-2.0');
    expect(licenceOfMetadata(metadata('License: ISC'))).toBe('ISC');
    expect(licenceOfMetadata(metadata('License: UNKNOWN'))).toBeUndefined();
    expect(licenceOfMetadata(metadata('Summary: nothing'))).toBeUndefined();
  });

  test('of a package.json is what it says today or said once', () => {
    expect(licenceOfManifest({ license: 'MIT' })).toBe('MIT');
    expect(licenceOfManifest({ license: { type: 'ISC', url: 'x' } })).toBe('ISC');
    expect(licenceOfManifest({ licenses: [{ type: 'MIT' }, 'Apache-2.0'] })).toBe('MIT OR Apache-2.0');
    expect(licenceOfManifest({ license: 5, licenses: 'MIT' })).toBeUndefined();
    expect(licenceOfManifest({})).toBeUndefined();
  });
});
