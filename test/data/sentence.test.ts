import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstSentence } from '../../src/data/sentence.ts';

describe('firstSentence', () => {
  test.each([
    ['/** Returns the sum of two numbers. Never throws. */', 'Returns the sum of two numbers'],
    ['/**\n * Reads a file line by line,\n * in bounded memory.\n *\n * More about it.\n * @param file the file\n */', 'Reads a file line by line, in bounded memory'],
    ['/**\r\n * Reads a file line by line\r\n * @returns lines\r\n */', 'Reads a file line by line'],
    ['/** Splits a text, e.g. A line, at its spaces. Then stops. */', 'Splits a text, e.g. A line, at its spaces'],
    ['/** Uses version 1.5 of the wire format. */', 'Uses version 1.5 of the wire format'],
    ['/** Calls {@link Foo.bar} and {@linkcode baz|the other one} in turn. */', 'Calls Foo.bar and the other one in turn'],
    ['/** Calls {@link Foo.bar the first} and then *really* **stops** `now`. */', 'Calls the first and then really stops now'],
    ['/** Follows [the guide](https://example.org/a_b) to make <b>one</b> snake_case_name. */', 'Follows the guide to make one snake_case_name'],
    ['/**\n * @param a first\n * @description Multiplies both of its arguments quickly.\n * @param b second\n */', 'Multiplies both of its arguments quickly'],
    ['/** What does this do here? Nobody knows. */', 'What does this do here'],
    ['/**\n * - keeps a list item that has enough words\n */', '- keeps a list item that has enough words'],
  ])('of %s', (comment, sentence) => {
    expect(firstSentence(comment)).toEqual({ text: sentence });
  });

  test.each([
    ['"""Reads a file line by line.\n\n    Args:\n        file: the file\n    """', '', 'Reads a file line by line'],
    ["r'''Computes the :math:`x` of a :class:`~lib.Matrix` quickly.'''", '', 'Computes the x of a lib.Matrix quickly'],
    ['"""Optional[:class:`Message`]: The message that was sent last."""', '', 'The message that was sent last'],
    ['// ParseURL splits an address into its parts.', 'ParseURL', 'Splits an address into its parts'],
    ['// parse the text of an address.', 'parse', 'parse the text of an address'],
    ['/// Splits an address into `parts` again.\n///\n/// # Examples', '', 'Splits an address into parts again'],
    ['/**\n * @brief Splits an address into its parts.\n * @param text what to split\n */', '', 'Splits an address into its parts'],
    ['/// <summary>Splits an <c>address</c> into its <see cref="M:Net.Parts(System.Int32)"/> again.</summary>', '', 'Splits an address into its Parts again'],
    ['# Splits an address into its parts.\n# @param text [String] what to split', '', 'Splits an address into its parts'],
    ['/* parse_url() - split an address into its parts */', 'parse_url', 'Split an address into its parts'],
  ])('of %j, of a function named %j', (comment, name, sentence) => {
    expect(firstSentence(comment, name)).toEqual({ text: sentence });
  });

  test.each([
    ['/** */', 'no description'],
    ['/** @internal */', 'no description'],
    ['/** ```js\ncode only, in a fence\n``` */', 'no description'],
    ['/** Too short. */', 'sentence under 5 words'],
    [`/** ${'word '.repeat(31)}*/`, 'sentence over 30 words'],
    ['/** Copyright 2020 The Authors of this very file. */', 'comment is not about the code'],
    ['/** if (x == y) { return the_sum(x, y); } */', 'comment is code'],
    ['# Note: must be called with the lock held', 'comment is not about the code'],
    ['/** eslint-disable no-console because we want to log here */', 'comment is not about the code'],
  ])('is missing in %.50s: %s', (comment, problem) => {
    expect(firstSentence(comment)).toEqual({ problem });
  });

  test('has 5 to 30 words on one line, or a reason, for any comment', () => {
    const word = fc.constantFrom('word', 'e.g.', '{@link', 'x}', '**', '`', '```', '<b>', '@param', '\n *', '\n', '. And', '[a](b)', '_it_', '日本語');
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const sentence = firstSentence(`/** ${words.join(' ')} */`);
        if (sentence.problem !== undefined) {
          expect(sentence.problem).not.toBe('');
          return;
        }
        expect(sentence.text).not.toMatch(/\n|^\s|\s$/);
        const count = sentence.text.split(/\s+/).filter((part) => /[\p{L}\p{N}]/u.test(part)).length;
        expect(count).toBeGreaterThanOrEqual(5);
        expect(count).toBeLessThanOrEqual(30);
      }),
    );
  });
});
