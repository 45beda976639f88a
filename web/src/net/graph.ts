/** A description as a graph of leaves and modules, and what of it is shown when some modules are collapsed. */

import type { BlockInfo, Description, EdgeInfo, InputInfo } from '../protocol'

/** A block, or an input of the net. */
export interface Leaf {
  index: number
  path: string
  /** The last part of its path. */
  name: string
  module: string | null
  block: BlockInfo | null
  input: InputInfo | null
}

export interface Module {
  path: string
  name: string
  parent: string | null
  children: string[]
  leaves: number[]
  /** Leaves in it, at any depth. */
  count: number
}

export interface Wire {
  source: number
  target: number
  info: EdgeInfo
}

export interface Graph {
  leaves: Leaf[]
  byPath: Map<string, number>
  modules: Map<string, Module>
  wires: Wire[]
}

export type Shown =
  | { kind: 'leaf'; id: string; label: string; frame: string | null; leaf: Leaf }
  | { kind: 'module'; id: string; label: string; frame: string | null; module: Module; output: Leaf | null }

/** Wires between two shown nodes in one direction, with one delay. */
export interface Link {
  source: number
  target: number
  delay: number
  wires: number[]
}

export interface Visible {
  nodes: Shown[]
  /** Expanded modules, outer ones first. */
  frames: Module[]
  links: Link[]
  /** The shown node that stands for each leaf. */
  nodeOf: Int32Array
}

const lastPart = (path: string) => path.slice(path.lastIndexOf('/') + 1)
const parentOf = (path: string) => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : null)

export function graphOf(description: Description): Graph {
  const leaves: Leaf[] = []
  const byPath = new Map<string, number>()
  const modules = new Map<string, Module>()
  const add = (leaf: Omit<Leaf, 'index'>) => {
    byPath.set(leaf.path, leaves.length)
    leaves.push({ index: leaves.length, ...leaf })
  }
  for (const input of description.inputs) add({ path: input.name, name: input.name, module: null, block: null, input })
  for (const block of description.blocks) {
    const module = block.module ?? parentOf(block.path)
    add({ path: block.path, name: nameWithin(block.path, module), module, block, input: null })
  }
  for (const leaf of leaves) {
    if (leaf.module === null) continue
    moduleAt(modules, leaf.module).leaves.push(leaf.index)
    for (let at: string | null = leaf.module; at !== null; at = modules.get(at)!.parent) modules.get(at)!.count += 1
  }
  const wires: Wire[] = []
  for (const info of description.edges) {
    const source = byPath.get(blockOf(info.from))
    const target = byPath.get(info.to)
    if (source !== undefined && target !== undefined) wires.push({ source, target, info })
  }
  return { leaves, byPath, modules, wires }
}

/** `lstm` of `lstm[1]`, which is its second output. */
export function blockOf(source: string): string {
  return source.replace(/\[[^\]]*\]$/, '')
}

function nameWithin(path: string, module: string | null): string {
  return module !== null && path.startsWith(`${module}/`) ? path.slice(module.length + 1) : lastPart(path)
}

function moduleAt(modules: Map<string, Module>, path: string): Module {
  const known = modules.get(path)
  if (known) return known
  const parent = parentOf(path)
  const made: Module = { path, name: lastPart(path), parent, children: [], leaves: [], count: 0 }
  modules.set(path, made)
  if (parent !== null) moduleAt(modules, parent).children.push(path)
  return made
}

/** Modules to collapse at first: all of a depth are open, if no more than `most` nodes are shown then. */
export function collapsedAtFirst(graph: Graph, most: number): Set<string> {
  const collapsed = new Set(graph.modules.keys())
  let level = [...graph.modules.values()].filter((module) => module.parent === null)
  let shown = level.length + graph.leaves.filter((leaf) => leaf.module === null).length
  while (level.length) {
    shown += level.reduce((sum, module) => sum + inside(module) - 1, 0)
    if (shown > most) break
    for (const module of level) collapsed.delete(module.path)
    level = level.flatMap((module) => module.children.map((path) => graph.modules.get(path)!))
  }
  return collapsed
}

const inside = (module: Module) => module.leaves.length + module.children.length
const depth = (path: string) => path.split('/').length

/** The outermost collapsed module that a module is in or is, or null. */
export function collapsedAround(graph: Graph, module: string | null, collapsed: ReadonlySet<string>): string | null {
  let found: string | null = null
  for (let at = module; at !== null; at = graph.modules.get(at)?.parent ?? null) if (collapsed.has(at)) found = at
  return found
}

export function visible(graph: Graph, collapsed: ReadonlySet<string>): Visible {
  const nodes: Shown[] = []
  const nodeOf = new Int32Array(graph.leaves.length)
  const numberOf = new Map<string, number>()
  const around = new Map<string | null, string | null>()
  for (const leaf of graph.leaves) {
    if (!around.has(leaf.module)) around.set(leaf.module, collapsedAround(graph, leaf.module, collapsed))
    const outer = around.get(leaf.module)!
    const id = outer ?? leaf.path
    let number = outer === null ? undefined : numberOf.get(id)
    if (number === undefined) {
      number = nodes.length
      if (outer === null) {
        nodes.push({ kind: 'leaf', id, label: leaf.name, frame: leaf.module, leaf })
      } else {
        const module = graph.modules.get(outer)!
        numberOf.set(id, number)
        nodes.push({ kind: 'module', id, label: module.name, frame: module.parent, module, output: null })
      }
    }
    nodeOf[leaf.index] = number
  }
  const frames = [...graph.modules.values()].filter((m) => collapsedAround(graph, m.path, collapsed) === null)
  frames.sort((a, b) => depth(a.path) - depth(b.path))
  return { nodes, frames, links: links(graph, nodes, nodeOf), nodeOf }
}

function links(graph: Graph, nodes: Shown[], nodeOf: Int32Array): Link[] {
  const found = new Map<string, Link>()
  graph.wires.forEach((wire, number) => {
    const source = nodeOf[wire.source]!
    const target = nodeOf[wire.target]!
    const node = nodes[source]!
    if (node.kind === 'module') {
      if (source === target) return
      node.output = graph.leaves[wire.source]!
    }
    const key = `${source} ${target} ${wire.info.delay}`
    const link = found.get(key)
    if (link) link.wires.push(number)
    else found.set(key, { source, target, delay: wire.info.delay, wires: [number] })
  })
  for (const node of nodes) {
    if (node.kind === 'module' && !node.output) node.output = graph.leaves[lastLeaf(graph, node.module)] ?? null
  }
  return [...found.values()]
}

function lastLeaf(graph: Graph, module: Module): number {
  const below = module.children.map((path) => lastLeaf(graph, graph.modules.get(path)!))
  return Math.max(-1, ...module.leaves.slice(-1), ...below)
}
