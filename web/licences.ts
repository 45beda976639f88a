import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'vite'

/** Writes THIRD-PARTY.txt beside the build: the licences of the packages that the page is made of. */
export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY.txt', source: text(process.cwd()) })
    },
  }
}

function text(root: string): string {
  const wanted = Object.keys(read(join(root, 'package.json')).dependencies as Record<string, string>)
  wanted.push('@preact/signals-core')
  return wanted.sort().map((name) => entry(join(root, 'node_modules', name))).join('\n' + '-'.repeat(78) + '\n\n')
}

function entry(folder: string): string {
  const about = read(join(folder, 'package.json'))
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
  const body = file ? readFileSync(join(folder, file), 'utf8') : `Licence: ${String(about.license)}`
  return `${String(about.name)} ${String(about.version)} (${String(about.license)}), unmodified\n\n${body.trim()}\n`
}

function read(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
}
