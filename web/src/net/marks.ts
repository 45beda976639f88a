/** What is done to blocks and edges at present, by the node or link that shows them. */

import type { Intervention } from '../protocol'
import { collapsedAround, type Graph } from './graph'

export interface Mark {
  kind: string
  /** Whether all of the block is concerned, not a unit or a region of it. */
  whole: boolean
  text: string
}

export interface Marks {
  /** By leaf. */
  leaves: Map<number, Mark[]>
  /** By `from->to`. */
  edges: Map<string, Mark[]>
}

export function marksOf(graph: Graph, interventions: Intervention[]): Marks {
  const marks: Marks = { leaves: new Map(), edges: new Map() }
  for (const { target, kind, block, edge, units, of, value } of interventions) {
    const told = valueText(value)
    const mark: Mark = { kind, whole: units === of && !(units === undefined && target.includes('[')), text: told ? `${kind} ${told}` : kind }
    if (edge) put(marks.edges, `${edge.from}->${edge.to}`, mark)
    else if (target.includes('->')) put(marks.edges, target.replace(/\s/g, ''), mark)
    else for (const leaf of concerned(graph, block ?? target.replace(/\[.*$/, ''))) put(marks.leaves, leaf, mark)
  }
  return marks
}

function put<K>(map: Map<K, Mark[]>, key: K, mark: Mark): void {
  const list = map.get(key)
  if (!list) map.set(key, [mark])
  else if (!list.some(({ text, whole }) => text === mark.text && whole === mark.whole)) list.push(mark)
}

/** Leaves that a name or a pattern (`hidden*`) stands for. */
function concerned(graph: Graph, name: string): number[] {
  const exact = graph.byPath.get(name)
  if (exact !== undefined) return [exact]
  if (!name.includes('*')) return []
  const parts = name.split(/(\*+)/).map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')))
  const pattern = new RegExp(`^${parts.join('')}$`)
  return graph.leaves.filter((leaf) => pattern.test(leaf.path)).map((leaf) => leaf.index)
}

export function valueText(value: unknown): string {
  if (value === null || value === undefined || value === '') return ''
  if (typeof value === 'number') return String(Number(value.toPrecision(3)))
  if (typeof value === 'string' && /^array\b/.test(value)) return 'values'
  if (typeof value === 'string') return value.length > 18 ? `…${value.slice(-16)}` : value
  return Array.isArray(value) ? `[${value.length}]` : 'values'
}

/** Marks of the leaves that a node stands for; of a closed module each once, whole where all its blocks have it. */
export function marksAt(graph: Graph, marks: Marks, collapsed: ReadonlySet<string>): Map<string, Mark[]> {
  const found = new Map<string, Mark[]>()
  const counts = new Map<Mark, number>()
  for (const [index, list] of marks.leaves) {
    const leaf = graph.leaves[index]!
    const module = collapsedAround(graph, leaf.module, collapsed)
    if (module === null) {
      found.set(leaf.path, list)
      continue
    }
    const shown = found.get(module) ?? []
    found.set(module, shown)
    for (const mark of list) {
      let one = shown.find((other) => other.text === mark.text)
      if (!one) shown.push((one = { ...mark, whole: false }))
      const count = (counts.get(one) ?? 0) + (mark.whole ? 1 : 0)
      counts.set(one, count)
      one.whole = count === graph.modules.get(module)!.count
    }
  }
  return found
}
