/** What is done to a block and to marked parts of it: lesion, hold, reinitialise; and what is in force. */

import { useState } from 'preact/hooks'
import type { BlockInfo, InputInfo, Intervention } from '../../protocol'
import { command, word } from '../commands'
import { useStore } from '../context'
import { Choice } from '../forms/choice'
import type { Tool, Marked } from './maps'
import { indexOf, packed, region, unit } from './regions'
import { endOf, wordsOf } from './targets'

const TOOLS = [
  { value: 'look', label: 'Look', title: 'See the value below the pointer' },
  { value: 'unit', label: 'Unit', title: 'Click one unit' },
  { value: 'rectangle', label: 'Box', title: 'Drag over a part of a map' },
  { value: 'brush', label: 'Brush', title: 'Paint the units' },
] as const

export function ToolChoice({ tool, onChange }: { tool: Tool; onChange(tool: Tool): void }) {
  return <Choice label="What the pointer does" options={TOOLS} value={tool} onChange={onChange} />
}

/** What a mark stands for in a command: a target, and a mask if it was painted. */
export function targetOf(block: string, shape: readonly number[], marked: Marked | null, isAllMaps: boolean): { target: string; mask?: object } {
  if (marked?.unit) {
    const index = indexOf(shape, marked.layout, marked.unit)
    if (index) return { target: unit(block, index) }
  }
  if (marked?.rectangle) return { target: region(block, shape, isAllMaps ? null : (marked.map ?? null), marked.rectangle, marked.layout) }
  if (marked?.brush) {
    const { count } = marked.layout
    const size = shape.reduce((product, one) => product * one, 1)
    const all = isAllMaps && count > 1 ? spread(marked.brush, count) : marked.brush
    return { target: block, mask: { shape: [...shape], bits: packed(all.subarray(0, size)) } }
  }
  return { target: block }
}

/** What is painted on any map, on all of them. */
function spread(brush: Uint8Array, count: number): Uint8Array {
  const size = brush.length / count
  const any = new Uint8Array(size)
  brush.forEach((is, n) => {
    if (is) any[n % size] = 1
  })
  return Uint8Array.from(brush, (_, n) => any[n % size]!)
}

interface RegionProps {
  path: string
  shape: readonly number[]
  marked: Marked
  onDone(): void
}

/** What can be done to what is marked on the maps. */
export function MarkedPart({ path, shape, marked, onDone }: RegionProps) {
  const store = useStore()
  const [isAllMaps, setAllMaps] = useState(false)
  const { target, mask } = targetOf(path, shape, marked, isAllMaps)
  const painted = marked.brush?.reduce((sum, one) => sum + one, 0) ?? 0
  const perform = async (name: string) => {
    if (await store.perform(command(name, [word(target)], mask ? { mask } : {}))) onDone()
  }
  return (
    <div class="marked">
      <code>{mask ? `${path}, ${painted} painted` : target}</code>
      {marked.layout.count > 1 && !marked.unit && (
        <label class="inline">
          <input type="checkbox" checked={isAllMaps} onChange={(event) => setAllMaps(event.currentTarget.checked)} />
          on all maps
        </label>
      )}
      <span class="in-row">
        <button type="button" class="button" onClick={() => void perform('lesion')}>
          Lesion
        </button>
        <button type="button" class="button" onClick={() => void perform('restore')}>
          Restore
        </button>
        <button type="button" class="button quiet" onClick={onDone}>
          Unmark
        </button>
      </span>
    </div>
  )
}

/** The list of what is in force on a block or an edge, each with the way out of it. */
export function InForce({ list }: { list: readonly Intervention[] }) {
  const store = useStore()
  if (!list.length) return null
  return (
    <ul class="in-force" aria-label="In force">
      {list.map((one) => (
        <li key={`${one.kind} ${one.target}`}>
          <span class={`badge ${one.kind}`}>{wordsOf(one)}</span>
          <code>{one.target}</code>
          <button type="button" class="button small" onClick={() => void store.perform(endOf(one))}>
            {one.kind === 'hold' ? 'Release' : 'Restore'}
          </button>
        </li>
      ))}
    </ul>
  )
}

/** The buttons that act on the whole block. */
export function Deeds({ block, list, isHeld }: { block: BlockInfo; list: readonly Intervention[]; isHeld: boolean }) {
  const store = useStore()
  const has = (kind: string) => list.some((one) => one.kind === kind && one.target === block.path)
  const perform = (name: string, target: string) => void store.perform(command(name, [word(target)]))
  const weights = `net/${block.path}/*`
  return (
    <div class="in-row acts" role="group" aria-label="The whole block">
      {has('lesion') ? (
        <button type="button" class="button" onClick={() => perform('restore', block.path)}>
          Restore
        </button>
      ) : (
        <button type="button" class="button" title="It sends zeros and learns nothing" onClick={() => perform('lesion', block.path)}>
          Lesion
        </button>
      )}
      {block.parameters.length > 0 && (
        <>
          {isHeld ? (
            <button type="button" class="button" onClick={() => perform('release', weights)}>
              Release
            </button>
          ) : (
            <button type="button" class="button" title="Its parameters stay as they are" onClick={() => perform('hold', weights)}>
              Hold
            </button>
          )}
          <button type="button" class="button" title="Its parameters are drawn anew" onClick={() => perform('reinitialise', weights)}>
            Reinitialise
          </button>
        </>
      )}
    </div>
  )
}

/** An input, as the parts of a block that touching needs. */
export function asBlock(input: InputInfo): BlockInfo {
  return {
    path: input.name,
    type: 'input',
    shape: input.shape,
    dtype: input.dtype,
    module: null,
    tags: [],
    process: null,
    how: null,
    exclude: [],
    parameters: [],
    settings: [],
  }
}
