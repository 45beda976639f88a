/** What the view of the net, the outline and the search share. */

import { computed, effect, signal } from '@preact/signals'
import { kept } from '../kept'
import { store, type Selection } from '../session'
import { isDark } from '../theme'
import { collapsedAtFirst, graphOf, type Graph } from './graph'
import { coloursOf, wordOf, type Colour, type ColourBy } from './kinds'
import type { Direction } from './layout/types'

/** Nodes that are shown at first, if modules can be collapsed. */
const SHOWN_AT_FIRST = 36

export const graph = computed<Graph | null>(() => (store.description.value ? graphOf(store.description.value) : null))

export const collapsed = signal<ReadonlySet<string>>(new Set())
export const direction = kept<Direction>('net.direction', 'right')
export const colourBy = kept<ColourBy>('net.colour', 'type')
/** The word that each block and input is coloured by; as many as the net's leaves. */
export const wordsOfLeaves = computed<string[]>(() => graph.value?.leaves.map((leaf) => wordOf(leaf, colourBy.value)) ?? [])
/** The words that there are, whether their blocks are shown or lie in a closed module, so that none changes its colour by that. */
const knownWords = computed(() => [...new Set(wordsOfLeaves.value)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })))
/** The colours of all words, and of more that a closed module has. */
export function coloursWith(more: Iterable<string>): Map<string, Colour> {
  return coloursOf([...new Set([...knownWords.value, ...more])], colourBy.value, isDark.value)
}
/** The only word of the legend that is drawn in full. */
export const chosenWord = signal<string | null>(null)
/** The block whose output is shown large. */
export const enlarged = signal<string | null>(null)
/** What the view is to bring into sight; counted, so that the same path can be asked for again. */
export const wanted = signal<{ path: string; number: number } | null>(null)

/** Which session, and which of its nets, `collapsed` is about. */
let about = ''

effect(() => {
  const known = graph.value
  if (!known) return
  const name = `${store.id.peek()}`
  if (name !== about) {
    about = name
    collapsed.value = collapsedAtFirst(known, SHOWN_AT_FIRST)
    chosenWord.value = null
    enlarged.value = null
  } else {
    collapsed.value = new Set([...collapsed.peek()].filter((path) => known.modules.has(path)))
  }
})

/** What is shown large is what is selected: another block takes its place. */
effect(() => {
  const selection = store.selection.value
  if (selection?.kind === 'block' && enlarged.peek() !== null) enlarged.value = selection.path
})

export function toggle(module: string): void {
  const next = new Set(collapsed.peek())
  if (!next.delete(module)) next.add(module)
  collapsed.value = next
}

export function collapseAll(): void {
  collapsed.value = new Set(graph.peek()?.modules.keys())
}

export function expandAll(): void {
  collapsed.value = new Set()
}

/** Selects a block, input or module and brings it into sight; opens the modules around it if asked to. */
export function goTo(path: string, options: { open?: boolean } = {}): void {
  const known = graph.peek()
  if (!known) return
  const leaf = known.byPath.get(path)
  if (options.open) {
    const next = new Set(collapsed.peek())
    let at = leaf === undefined ? (known.modules.get(path)?.parent ?? null) : known.leaves[leaf]!.module
    for (; at !== null; at = known.modules.get(at)?.parent ?? null) next.delete(at)
    if (next.size !== collapsed.peek().size) collapsed.value = next
  }
  store.selection.value = leaf === undefined ? { kind: 'module', path } : { kind: 'block', path }
  wanted.value = { path, number: (wanted.peek()?.number ?? 0) + 1 }
}

export function isSelected(selection: Selection | null, path: string): boolean {
  return selection !== null && selection.kind !== 'edge' && selection.path === path
}
