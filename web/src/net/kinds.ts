/** What blocks are coloured by: the kind of their type, a tag, their process, or how they are executed. */

import type { Graph, Leaf, Module, Shown } from './graph'

export type ColourBy = 'type' | 'tag' | 'process' | 'how'

export const COLOUR_BY: { id: ColourBy; label: string }[] = [
  { id: 'type', label: 'Type' },
  { id: 'tag', label: 'Tag' },
  { id: 'process', label: 'Process' },
  { id: 'how', label: 'Execution' },
]

/** Hue, and chroma as a share, of each kind of block: those of the pictures that `rillnet show` draws. */
export const KINDS: Record<string, { hue: number; chroma: number }> = {
  input: { hue: 225, chroma: 0.4 },
  weights: { hue: 256, chroma: 1 },
  normalisation: { hue: 288, chroma: 0.85 },
  activation: { hue: 72, chroma: 1 },
  pooling: { hue: 150, chroma: 0.9 },
  state: { hue: 330, chroma: 0.8 },
  merge: { hue: 190, chroma: 0.9 },
  metric: { hue: 20, chroma: 1 },
  net: { hue: 250, chroma: 0.3 },
  other: { hue: 250, chroma: 0.06 },
}

const RULES: [RegExp, string][] = [
  [/norm/i, 'normalisation'],
  [/loss$|^crossentropy|accuracy|^mse|error$|perplexity|energy$/i, 'metric'],
  [/^pool$|cell$|^(lstm|gru|rnn)/i, 'state'],
  [/pool/i, 'pooling'],
  [/(re|ge|e|si|se|ce|pre|leakyre|rre)lu\d?$|tanh|sigmoid|soft(max|min|plus|sign)|swish|mish|hardswish/i, 'activation'],
  [/^(add|sum|concat|cat|stack|product|mul|sub|div|merge|mean|matmul|bmm|where|einsum)$/i, 'merge'],
  [/conv|linear|embedding|synapse|attention|bilinear|transformer/i, 'weights'],
]

export function kindOf(leaf: Leaf): string {
  if (leaf.input || !leaf.block) return 'input'
  const type = lastName(leaf.block.type)
  for (const [pattern, kind] of RULES) if (pattern.test(type)) return kind
  return leaf.block.parameters.length ? 'weights' : 'other'
}

/** `Linear` of `torch.nn.Linear` or `package.module:Linear`. */
export function lastName(type: string): string {
  return type.replace(/^.*[.:]/, '')
}

/** How several processes share a block, by its partition. */
const SHARED: Record<string, string> = {
  batch: 'all, by examples',
  feature: 'all, by features',
  space: 'all, by rows',
  none: 'every process',
}

const SEVERAL = 'several processes'

/** The word that a node is coloured by; of a module, of most of its leaves. */
export function wordOf(leaf: Leaf, by: ColourBy): string {
  if (by === 'type') return kindOf(leaf)
  if (!leaf.block) return 'input'
  if (by === 'tag') return leaf.block.tags[0] ?? 'no tag'
  if (by === 'how') return leaf.block.how || 'eager'
  const process = leaf.block.process
  if (process === null || process === undefined) return SHARED[leaf.block.partition ?? ''] ?? 'every process'
  if (Array.isArray(process)) return process.length === 1 ? `process ${process[0]}` : `processes ${process.join(', ')}`
  return `process ${process}`
}

/** Whether colouring by something tells blocks apart: nets in one process have no processes, most have no tags. */
export function tells(graph: Graph | null, by: ColourBy): boolean {
  if (by === 'type' || by === 'how') return true
  const blocks = graph?.leaves.flatMap((leaf) => leaf.block ?? []) ?? []
  return by === 'tag' ? blocks.some((block) => block.tags.length > 0) : blocks.some((block) => (block.process ?? block.partition ?? null) !== null)
}

export function wordOfShown(node: Shown, by: ColourBy, leaves: Leaf[], below: (module: Module) => number[]): string {
  if (node.kind === 'leaf') return wordOf(node.leaf, by)
  if (by === 'type') return 'net'
  const counts = new Map<string, number>()
  for (const index of below(node.module)) {
    const word = wordOf(leaves[index]!, by)
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  if (by === 'process' && counts.size > 1) return SEVERAL
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'unknown'
}

export interface Colour {
  word: string
  /** Fills a whole node when it is drawn small. */
  solid: string
  /** Behind a node's name. */
  soft: string
  line: string
}

/** Colours of words: kinds have their own, others hues as far apart as they are many. */
export function coloursOf(words: string[], by: ColourBy, isDark: boolean): Map<string, Colour> {
  const rest = words.filter((word) => !(word in KINDS) && !PLAIN.has(word))
  return new Map(
    words.map((word) => {
      if (by === 'type' || word === 'input') {
        const { hue, chroma } = KINDS[word] ?? KINDS.other!
        return [word, shades(word, hue, chroma, isDark)]
      }
      if (PLAIN.has(word)) return [word, shades(word, 250, 0.1, isDark)]
      const number = rest.indexOf(word)
      const hue = rest.length <= HUES.length ? HUES[number]! : (number * 137.5) % 360
      return [word, shades(word, hue, 1, isDark)]
    }),
  )
}

const PLAIN = new Set(['no tag', 'every process', SEVERAL, 'unknown', 'net'])
const HUES = [256, 55, 155, 330, 190, 20, 290, 105]

function shades(word: string, hue: number, chroma: number, isDark: boolean): Colour {
  const colour = (lightness: number, most: number) => `oklch(${lightness} ${(most * chroma).toFixed(3)} ${hue})`
  return isDark
    ? { word, solid: colour(0.6, 0.11), soft: colour(0.31, 0.045), line: colour(0.66, 0.11) }
    : { word, solid: colour(0.7, 0.12), soft: colour(0.95, 0.035), line: colour(0.6, 0.13) }
}
