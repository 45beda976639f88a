/** The net as a tree of modules and blocks; only the rows on screen are made, so that it may be long. */

import { computed, effect, signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { store } from '../session'
import type { Graph, Leaf, Module } from './graph'
import { lastName } from './kinds'
import { shapeOf, shapeText } from './cards'
import { coloursWith, goTo, graph, isSelected, wordsOfLeaves } from './state'

const ROW = 23

interface Row {
  path: string
  name: string
  depth: number
  module: Module | null
  leaf: Leaf | null
}

const open = signal<ReadonlySet<string>>(new Set())

/** Rows of what is open, depth first, inputs first. */
export function rowsOf(known: Graph, opened: ReadonlySet<string>): Row[] {
  const rows: Row[] = []
  const leafRow = (index: number, depth: number) => {
    const leaf = known.leaves[index]!
    rows.push({ path: leaf.path, name: leaf.name, depth, module: null, leaf })
  }
  const moduleRows = (module: Module, depth: number) => {
    rows.push({ path: module.path, name: module.name, depth, module, leaf: null })
    if (!opened.has(module.path)) return
    within(module.children, module.leaves, depth + 1)
  }
  const within = (modules: string[], leaves: number[], depth: number) => {
    // in the order of the net: a module stands where its first block does
    const items = [
      ...leaves.map((index) => ({ at: index, show: () => leafRow(index, depth) })),
      ...modules.map((path) => ({ at: firstLeaf(known, path), show: () => moduleRows(known.modules.get(path)!, depth) })),
    ]
    for (const item of items.sort((a, b) => a.at - b.at)) item.show()
  }
  const roots = [...known.modules.values()].filter((module) => module.parent === null).map((module) => module.path)
  within(roots, known.leaves.filter((leaf) => leaf.module === null).map((leaf) => leaf.index), 0)
  return rows
}

function firstLeaf(known: Graph, path: string): number {
  const module = known.modules.get(path)!
  return Math.min(module.leaves[0] ?? Infinity, ...module.children.map((child) => firstLeaf(known, child)))
}

const rows = computed(() => (graph.value ? rowsOf(graph.value, open.value) : []))
const colours = computed(() => coloursWith([]))

/** The row of what is selected is brought into sight, with the modules around it opened. */
effect(() => {
  const selection = store.selection.value
  const known = graph.value
  if (!known || !selection || selection.kind === 'edge') return
  const leaf = known.byPath.get(selection.path)
  const opened = new Set(open.peek())
  let at = leaf === undefined ? (known.modules.get(selection.path)?.parent ?? null) : known.leaves[leaf]!.module
  for (; at !== null; at = known.modules.get(at)?.parent ?? null) opened.add(at)
  if (opened.size !== open.peek().size) open.value = opened
})

export function Outline() {
  const list = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(400)
  const shown = rows.value
  const selection = store.selection.value
  const at = shown.findIndex((row) => isSelected(selection, row.path))
  useLayoutEffect(() => {
    const scroller = list.current!.parentElement!
    const sizes = new ResizeObserver(() => setHeight(scroller.clientHeight))
    sizes.observe(scroller)
    const scrolled = () => setTop(scroller.scrollTop)
    scroller.addEventListener('scroll', scrolled, { passive: true })
    return () => {
      sizes.disconnect()
      scroller.removeEventListener('scroll', scrolled)
    }
  }, [])
  useEffect(() => {
    const scroller = list.current?.parentElement
    if (!scroller || at < 0) return
    if (at * ROW < scroller.scrollTop) scroller.scrollTop = at * ROW - 2 * ROW
    else if ((at + 1) * ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = (at + 3) * ROW - scroller.clientHeight
  }, [at, shown])
  if (!graph.value) return <div ref={list} class="empty">{store.id.value ? 'The net is on its way.' : 'No session is open.'}</div>
  const first = Math.max(0, Math.floor(top / ROW) - 8)
  const last = Math.min(shown.length, Math.ceil((top + height) / ROW) + 8)
  return (
    <div
      ref={list}
      class="outline"
      role="tree"
      aria-label="Blocks of the net"
      tabIndex={0}
      aria-activedescendant={at >= first && at < last ? `outline-${at}` : undefined}
      style={{ height: `${shown.length * ROW + 8}px` }}
      onKeyDown={(event) => {
        if (pressed(event.key, shown, at)) event.preventDefault()
      }}
    >
      {shown.slice(first, last).map((row, n) => (
        <OutlineRow key={row.path} row={row} number={first + n} isChosen={first + n === at} />
      ))}
    </div>
  )
}

function OutlineRow({ row, number, isChosen }: { row: Row; number: number; isChosen: boolean }) {
  const { module, leaf } = row
  const word = leaf ? (wordsOfLeaves.value[leaf.index] ?? '') : ''
  const isOpen = module !== null && open.value.has(module.path)
  return (
    <div
      id={`outline-${number}`}
      class="row"
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={isChosen}
      aria-expanded={module ? isOpen : undefined}
      title={row.path}
      style={{ top: `${number * ROW + 4}px`, paddingLeft: `${8 + 13 * row.depth}px` }}
      onClick={() => goTo(row.path)}
      onDblClick={() => (module ? toggleRow(module.path) : goTo(row.path, { open: true }))}
    >
      {module ? (
        <button
          type="button"
          class="fold"
          tabIndex={-1}
          aria-label={isOpen ? 'Close' : 'Open'}
          onClick={(event) => {
            event.stopPropagation()
            toggleRow(module.path)
          }}
        >
          {isOpen ? '▾' : '▸'}
        </button>
      ) : (
        <svg width="9" height="9" aria-hidden="true">
          <rect width="9" height="9" rx="2" fill={colours.value.get(word)?.solid ?? 'none'} />
        </svg>
      )}
      <span class="name">{row.name}</span>
      <span class="about">{module ? module.count : [leaf?.block ? lastName(leaf.block.type) : 'input', leaf ? shapeText(shapeOf(leaf)) : ''].filter(Boolean).join(' ')}</span>
    </div>
  )
}

function toggleRow(path: string): void {
  const next = new Set(open.peek())
  if (!next.delete(path)) next.add(path)
  open.value = next
}

/** Returns whether the key meant something. */
function pressed(key: string, shown: Row[], at: number): boolean {
  const row = shown[at]
  if (key === 'ArrowDown' || key === 'ArrowUp') {
    const next = shown[Math.min(shown.length - 1, Math.max(0, at + (key === 'ArrowDown' ? 1 : -1)))]
    if (next) goTo(next.path)
  } else if (key === 'ArrowRight' || key === 'ArrowLeft' || key === 'Enter') {
    if (row?.module && (key === 'Enter' || open.peek().has(row.path) === (key === 'ArrowLeft'))) toggleRow(row.path)
    else if (key === 'Enter' && row) goTo(row.path, { open: true })
    else if (key === 'ArrowLeft' && row?.path.includes('/')) goTo(row.path.slice(0, row.path.lastIndexOf('/')))
  } else if (key === 'Home' || key === 'End') {
    const next = key === 'Home' ? shown[0] : shown.at(-1)
    if (next) goTo(next.path)
  } else return false
  return true
}
