/** Clamps and noise: what a block sends instead of what it computes, or on top of it. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { FaultError, type Intervention } from '../../protocol'
import type { Store } from '../../session'
import { command, word } from '../commands'
import { useStore } from '../context'
import { Choice } from '../forms/choice'
import { NumberField } from '../forms/number'
import type { Range } from '../forms/ranges'
import { Scalar } from '../forms/scalar'
import { brief } from '../numbers'
import { PictureField } from './picture'
import { nested } from './pictures'
import { Section } from './section'

type Kind = 'number' | 'picture' | 'normal' | 'uniform'
const KINDS = [
  { value: 'number', label: 'Number' },
  { value: 'picture', label: 'Picture' },
  { value: 'normal', label: 'Normal' },
  { value: 'uniform', label: 'Uniform' },
] as const

/** Longer commands than this are sent by their arguments: as a text they would be refused. */
const LONGEST_TEXT = 60_000

const NOISE: Range = { low: 1e-3, high: 10, scale: 'log', zero: true }

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
  /** The clamp that is in force on the block or a part of it. */
  clamp: Intervention | null
}

/** The form that clamps a block's output to a number, a picture, an array or a distribution. */
export function Clamp({ path, shape, at, clamp }: ClampProps) {
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
  const around = useAround(number)
  const isFollowed = clamp?.target === path && typeof clamp.value === 'number' && at === null
  const send = (value: unknown) => {
    if (value === null) return
    const named = at && kind !== 'picture' ? { at } : {}
    const text = typeof value === 'string' ? command('clamp', [word(path), word(value)], named) : command('clamp', [word(path)], { value, ...named })
    if (text.length < LONGEST_TEXT) void store.perform(text)
    else void clampLarge(store, path, value)
  }
  const change = (value: number) => {
    setNumber(value)
    if (isFollowed) send(value)
  }
  return (
    <Section id="clamp" title="Clamp" note={clamp ? 'in force' : undefined} isOpen={false}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!isBad) send(wanted)
        }}
      >
        <Choice label="Clamp to" options={KINDS} value={kind} onChange={setKind} />
        {kind === 'number' && <Scalar label="Value" address={`clamp ${path}`} value={number} range={around} onCommit={change} />}
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
          <button type="button" class="button" disabled={!clamp} onClick={() => void store.perform(command('restore', [word(path)]))}>
            Restore
          </button>
        </div>
      </form>
    </Section>
  )
}

/** A range around zero that holds a number and never shrinks, or the slider would jump below the hand. */
function useAround(value: number): Range {
  const size = useRef(1)
  if (Math.abs(value) > size.current) size.current = 10 ** Math.ceil(Math.log10(Math.abs(value)))
  return { low: -size.current, high: size.current, scale: 'linear' }
}

/** Noise that is added to a block's output; where it is in force already, the slider changes it at once. */
export function Noise({ path, std }: { path: string; std: number | null }) {
  const store = useStore()
  const [wanted, setWanted] = useState(std ?? 0.1)
  useEffect(() => {
    if (std !== null) setWanted(std)
  }, [path, std])
  const send = (value: number) => void store.perform(command('noise', [word(path), String(value)]))
  return (
    <Section id="noise" title="Noise" note={std === null ? undefined : `std ${brief(std)} in force`} isOpen={false}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          send(wanted)
        }}
      >
        <Scalar
          label="Std"
          address={`noise ${path}`}
          value={wanted}
          range={NOISE}
          onCommit={(value) => {
            setWanted(value)
            if (std !== null) send(value)
          }}
        />
        <div class="in-row">
          <button type="submit" class="button primary">
            Add noise
          </button>
          <button type="button" class="button" disabled={std === null} onClick={() => void store.perform(command('restore', [word(path)]))}>
            Restore
          </button>
        </div>
      </form>
    </Section>
  )
}
