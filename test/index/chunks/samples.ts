/** Statements enough to make a body of it, `count` lines of about 40 characters. */
const lines = (count: number, line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join('\n');

/** A realistic file of each kind that is cut by its syntax, long enough that some of it has to be. */
export const samples: Readonly<Record<string, string>> = {
  'parser.ts': `// Copyright

import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** What a parser is given. */
export interface Options {
  readonly size: number;
  readonly strict: boolean;
}

export type Result = string | undefined;
const limit = 10;
const half = (n: number) => n / 2;

/** Reads addresses, long enough to be taken apart. */
@sealed
export class Parser<T> {
  readonly #size: number;
  static count = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get size(): number { return this.#size; }
  get twice(): number { return 2 * this.#size; }

  parse(text: string): string[];
  parse(text: Buffer): string[];
  /** Splits an address. */
  @cached()
  parse(text: string | Buffer): string[] {
${lines(45, (i) => `    if (text.length > ${i}) this.note('at ${i}', text);`)}
    return [];
  }

  // A field between methods.
  readonly table = new Map<string, (text: string, at: number) => string>();

  note = (what: string): void => {
    console.log(what);
  };
}

namespace shapes {
  /** A circle. */
  export abstract class Circle {
    abstract draw(): void;
  }
  export function area(r: number): number {
    return Math.PI * r * r;
  }
}

export enum Color {
  Red,
  Green,
}

export const handlers = {
  open(file: string) {
    return readFile(path.resolve(file));
  },
};

export default function main(): void {
  new Parser(limit).parse('a');
}
`,
  'view.tsx': `import React from 'react';
import { useState } from './state';

interface Props { name: string }

/** Greets. */
export const Greeting: React.FC<Props> = ({ name }) => {
  const [open, setOpen] = useState(false);
  return <button onClick={() => setOpen(!open)}>{open ? name : 'Hello'}</button>;
};

export class Panel extends React.Component<Props> {
  render() {
    return <div className="panel"><Greeting name={this.props.name} /></div>;
  }
}
`,
  'app.js': `'use strict';
const http = require('http');
const settings = { port: 8080, host: 'localhost' };

/**
 * Serves.
 */
exports.serve = function (port) {
  return http.createServer(handle).listen(port);
};

Parser.prototype.parse = function (text) {
  return text.split('/');
};

async function handle(request, response) {
  response.end(await read(request.url));
}

describe('serve', () => {
  it('listens', () => {
    exports.serve(settings.port);
  });
});
`,
  'retry.py': `"""Retries."""
from __future__ import annotations

import time
import typing

log = make_logger(__name__)


@dataclass
class Attempt:
    """One attempt."""

    count: int = 0


class Retry:
    """Waits longer and longer."""

    MAX = 120

    def __init__(self, total: int) -> None:
        self.total = total

    @property
    def left(self) -> int:
        # What is left.
        return self.total

    # Sleeps.
    @classmethod
    async def sleep(cls, seconds: float) -> None:
${lines(50, (i) => `        cls.step(${i}, seconds * ${i}, "waiting")`)}

    def plain(self): return 1


def decorate(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


if __name__ == "__main__":
    print(decorate(Retry)(3))
`,
  'server.go': `// Package server serves.
package server

import (
	"fmt"
	"net/http"
)

const limit = 10

// Server serves files.
type Server struct {
	root string
	size int
}

type (
	// Reader reads.
	Reader interface {
		Read(path string) ([]byte, error)
	}
	ID int
)

// Serve answers a request.
func (s *Server) Serve(w http.ResponseWriter, path string) error {
	if len(path) > limit {
		return fmt.Errorf("too long: %s", path)
	}
	return nil
}

func New(root string) *Server { return &Server{root: root} }
`,
  'lib.rs': `//! Reads addresses.
use std::collections::HashMap;
use std::fmt::Display;

/// Where it is.
#[derive(Debug, Clone)]
pub struct Place {
    line: usize,
    column: usize,
}

pub enum Kind {
    Code,
    Text,
}

pub trait Read {
    fn read(&self) -> String;
}

impl Read for Place {
    fn read(&self) -> String {
        format!("{}:{}", self.line, self.column)
    }
}

macro_rules! twice {
    ($x:expr) => {
        $x * 2
    };
}

/// Splits an address.
#[inline]
pub fn split(text: &str) -> Vec<&str> {
    text.split('/').collect()
}

mod tests {
    use super::*;

    #[test]
    fn splits() {
        assert_eq!(split("a/b").len(), 2);
    }
}
`,
  'Parser.java': `package net.example;

import java.util.List;
import java.util.Map;

/** Reads addresses. */
public class Parser<T> {
  private final int size;

  /** Makes one. */
  public Parser(int size) {
    this.size = size;
  }

  @Override
  public String toString() { return "Parser"; }

  /** Splits. */
  public List<String> parse(String text) {
${lines(45, (i) => `    visit(text, ${i}, "part ${i}", Map.of(${i}, size));`)}
    return List.of();
  }

  enum State {
    OPEN,
    CLOSED
  }

  record Pair(int left, int right) {
    Pair {
      if (left > right) throw new IllegalArgumentException();
    }
  }
}

interface Visitor {
  void visit(String text);
}
`,
  'tree.c': `#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 10

/* A node. */
struct node {
  struct node *next;
  int value;
};

typedef struct {
  int size;
} table_t;

static int count;

/* Finds a node
 * by its value. */
static struct node *find(struct node *first, int value) {
  while (first && first->value != value) first = first->next;
  return first;
}

int main(void) {
  printf("%p", find(NULL, LIMIT));
  return 0;
}
`,
  'tree.hpp': `#ifndef TREE_HPP
#define TREE_HPP
#include <vector>

namespace net {
namespace detail {

/// Splits.
template <typename T>
std::vector<T> split(const T& text) {
  return {text};
}

class EXPORTED Tree {
 public:
  explicit Tree(int size) : size_(size) {}
  int size() const { return size_; }

 private:
  int size_;
};

enum class Color { Red, Green };

}  // namespace detail
}  // namespace net

void net::detail::Tree::grow(int by) {
  size_ += by;
  count++;
}
#endif
`,
  'Server.cs': `using System;
using System.Collections.Generic;

namespace Example.Net
{
    /// <summary>Serves.</summary>
    [Serializable]
    public class Server : IDisposable
    {
        public int Port { get; set; }

        public Server(int port)
        {
            Port = port;
        }

        /// <summary>Answers.</summary>
        public string Answer(string path)
        {
${lines(45, (i) => `            Log.Write("step ${i}", path, Port + ${i}, false);`)}
            return path;
        }
    }

    public interface IReader
    {
        string Read();
    }

    public enum State
    {
        Open,
        Closed,
    }
}
`,
  'parser.rb': `# frozen_string_literal: true

require "set"
require "json"

module Net
  # Reads addresses.
  class Parser
    attr_reader :size

    def initialize(size)
      @size = size
    end

    # Splits.
    private def parse(text)
      text.split("/")
    end
  end

  module Helper
    def self.twice(n)
      2 * n
    end
  end
end

def main
  Net::Parser.new(1)
  nil
end
`,
  'Parser.php': `<?php

namespace Example;

use Example\\Text\\Reader;

/** Reads addresses. */
final class Parser implements Reader
{
    private int $size = 0;

    public function __construct(int $size)
    {
        $this->size = $size;
    }
}

interface Reader
{
    public function read(string $text): array;
}

trait Counts
{
    private int $count = 0;
}

/**
 * Doubles.
 */
function twice(int $n): int
{
    return 2 * $n;
}

echo twice((new Parser(1))->size), PHP_EOL, 'done';
`,
  'build.sh': `#!/bin/bash
set -euo pipefail
readonly ROOT="$(dirname "$0")"

# Builds it.
build() {
  cmake -S "$ROOT" -B out
  cmake --build out
}

function usage {
  cat <<EOF
usage: build.sh

  build
EOF
}

case "$1" in
  build) build ;;
  *) usage ;;
esac
`,
  'page.css': `@import "base.css";

:root {
  --size: 10px;
}

/* Buttons */
${lines(30, (i) => `.button-${i}, .link-${i} {\n  padding: ${i}px;\n  color: var(--button-color);\n}`)}

@media print {
  .button { display: none; }
}
`,
  'setup.cfg': `; Settings
[metadata]
name = example
version = 1

# How it is tested.
[tool:pytest]
testpaths = tests
addopts = -q
`,
  'Deploy.ps1': `# Deploys it.
param([string]$Target = 'test', [switch]$Force, [int]$Retries = 3)

<#
.SYNOPSIS
Copies files.
#>
function Copy-Files {
  param($From, $To)
  Copy-Item $From $To -Recurse
}

class Server {
  [string]$Name
  Server([string]$name) {
    $this.Name = $name
  }
  [void] Start() {
    Start-Service $this.Name
  }
}

Copy-Files -From ./out -To $Target
[Server]::new($Target).Start()
`,
  'guide.md': `---
title: Guide
---

What comes before.

# Guide

## Install

Run this:

\`\`\`sh
# not a heading

npm install
\`\`\`

Use
===
One [link](https://example.com) and **more**.

### With \`options\` ###

${lines(12, (i) => `Paragraph ${i} is long enough that some of them fill one chunk: ${'words and more words, '.repeat(6)}\n`)}
#### Deep
Here.
## Last
- a list

---
`,
  'data.json': `{
${lines(60, (i) => `  "key-${i}": {\n    "value": ${i},\n    "name": "something to read"\n  },`)}
  "last": 1
}
`,
  'config.yaml': `# Settings
name: example

jobs:
  build:
    steps: [checkout, install]

  test:
    steps: [checkout, test]
`,
};
