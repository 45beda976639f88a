/** What is done to a block: clamp, noise, lesion, hold, reinitialise; and what is in force. */

import { useEffect, useState } from 'preact/hooks'
import { FaultError, type BlockInfo, type InputInfo, type Intervention } from '../../protocol'
import type { Store } from '../../session'
import { command, word } from '../commands'
import { useStore } from '../context'
import { Choice } from '../forms/choice'
import { NumberField } from '../forms/number'
import { brief } from '../numbers'
import type { Tool, Marked } from './maps'
import { PictureField } from './picture'
import { nested } from './pictures'
import { indexOf, packed, region, unit } from './regions'
import { Section } from './section'
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

type Kind = 'number' | 'picture' | 'normal' | 'uniform'
const KINDS = [
  { value: 'number', label: 'Number' },
  { value: 'picture', label: 'Picture' },
  { value: 'normal', label: 'Normal' },
  { value: 'uniform', label: 'Uniform' },
] as const

/** Longer commands than this are sent by their arguments: as a text they would be refused. */
const LONGEST_TEXT = 60_000

async function clampLarge(store: Store, block: string, value: unknown): Promise<void> {
  try {
    await store.rest.post(store.path('commands'), { name: 'clamp', arguments: { block, value } })
  } catch (error) {
    store.fault.value = error instanceof FaultError ? error : new FaultError([{ address: block, rule: String(error) }])
  }
}

interface ClampProps {
  path: string
  shape: readonly number[] | null
  /** The part that is marked, as the index in brackets: `[:, 4:10, 4:10]`. */
  at: string | null
  isClamped: boolean
}

/** The form that clamps a block's output to a number, a picture, an array or a distribution. */
export function Clamp({ path, shape, at, isClamped }: ClampProps) {
  const store = useStore()
  const [kind, setKind] = useState<Kind>('number')
  const [number, setNumber] = useState(0)
  const [spread, setSpread] = useState<[number, number]>([0, 1])
  const [picture, setPicture] = useState<Float32Array | null>(null)
  useEffect(() => setPicture(null), [path])
  const size = shape?.reduce((product, one) => product * one, 1) ?? 0
  const wanted =
    kind === 'number'
      ? number
      : kind === 'picture'
        ? picture && shape && nested(picture, shape)
        : `${kind}(${spread[0]}, ${spread[1]})`
  const isBad = kind === 'uniform' ? spread[1] <= spread[0] : kind === 'normal' ? spread[1] < 0 : wanted === null
  const send = () => {
    if (wanted === null) return
    const named = at && kind !== 'picture' ? { at } : {}
    const text =
      typeof wanted === 'string' ? command('clamp', [word(path), word(wanted)], named) : command('clamp', [word(path)], { value: wanted, ...named })
    if (text.length < LONGEST_TEXT) void store.perform(text)
    else void clampLarge(store, path, wanted)
  }
  return (
    <Section id="clamp" title="Clamp" note={isClamped ? 'in force' : undefined} isOpen={false}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!isBad) send()
        }}
      >
        <Choice label="Clamp to" options={KINDS} value={kind} onChange={setKind} />
        {kind === 'number' && <NumberField label="Value" value={number} onCommit={setNumber} />}
        {(kind === 'normal' || kind === 'uniform') && (
          <div class="in-row">
            <NumberField label={kind === 'normal' ? 'Mean' : 'Low'} value={spread[0]} onCommit={(value) => setSpread([value, spread[1]])} />
            <NumberField
              label={kind === 'normal' ? 'Std' : 'High'}
              value={spread[1]}
              {...(kind === 'normal' ? { min: 0 } : {})}
              onCommit={(value) => setSpread([spread[0], value])}
            />
          </div>
        )}
        {kind === 'uniform' && isBad && <p class="field-fault">Low must be below high.</p>}
        {kind === 'picture' && (shape ? <PictureField key={path} path={path} shape={shape} onChange={setPicture} /> : <p class="note">Its shape is not known.</p>)}
        {at && kind !== 'picture' && (
          <p class="note">
            Only <code>{at}</code>, which is marked.
          </p>
        )}
        <div class="in-row">
          <button type="submit" class="button primary" disabled={isBad}>
            Clamp{kind === 'picture' && size ? ` ${brief(size, 6)} values` : ''}
          </button>
          <button type="button" class="button" disabled={!isClamped} onClick={() => void store.perform(command('restore', [word(path)]))}>
            Restore
          </button>
        </div>
      </form>
    </Section>
  )
}

/** Noise that is added to a block's output. */
export function Noise({ path, std }: { path: string; std: number | null }) {
  const store = useStore()
  const [wanted, setWanted] = useState(std ?? 0.1)
  useEffect(() => {
    if (std !== null) setWanted(std)
  }, [path, std])
  return (
    <Section id="noise" title="Noise" note={std === null ? undefined : `std ${brief(std)} in force`} isOpen={false}>
      <form
        class="in-row"
        onSubmit={(event) => {
          event.preventDefault()
          void store.perform(command('noise', [word(path), String(wanted)]))
        }}
      >
        <NumberField label="Std" value={wanted} min={0} onCommit={setWanted} />
        <button type="submit" class="button primary">
          Add noise
        </button>
        <button type="button" class="button" disabled={std === null} onClick={() => void store.perform(command('restore', [word(path)]))}>
          Restore
        </button>
      </form>
    </Section>
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
